#include "serve/response_format.h"

#include <optional>

#include "base/limits.h"

namespace minnow {
namespace {

using Kind = ConstraintSpec::Kind;

ConstraintSpec text_constraint(const RequestFields& fields, std::string_view name, Kind kind) {
  ConstraintSpec spec{.kind = kind, .text = fields.required_text(name)};
  if (spec.text.empty() || spec.text.size() > limits::kMaxGrammarBytes) {
    fields.refuse(name, fmt::format("must have 1 to {} bytes", limits::kMaxGrammarBytes));
  }
  return spec;
}

// An empty grammar is none: clients of llama-server send one with every request.
ConstraintSpec grammar_constraint(const RequestFields& body, std::string_view name) {
  return body.required_text(name).empty() ? ConstraintSpec{} : text_constraint(body, name, Kind::kGrammar);
}

ConstraintSpec choice_constraint(const RequestFields& fields, std::string_view name) {
  if (!fields.required(name).is_array()) fields.refuse(name, "must be an array of strings");
  ConstraintSpec spec{.kind = Kind::kChoice, .choices = fields.texts(name, limits::kMaxSchemaPlaces)};
  if (spec.choices.empty()) fields.refuse(name, "must have at least one choice");
  return spec;
}

// vLLM: one of json, regex, choice, grammar, json_object.
ConstraintSpec structured_outputs(const RequestFields& fields) {
  for (const std::string_view name : {"structural_tag", "whitespace_pattern"}) {
    if (fields.has(name)) fields.refuse(name, "is not supported");
  }
  if (fields.boolean("disable_additional_properties", false)) {
    fields.refuse("disable_additional_properties", "is not supported", "write \"additionalProperties\": false into the schema");
  }
  std::vector<ConstraintSpec> given;
  if (fields.has("json")) given.push_back(schema_constraint(fields, "json"));
  if (fields.has("regex")) given.push_back(text_constraint(fields, "regex", Kind::kRegex));
  if (fields.has("choice")) given.push_back(choice_constraint(fields, "choice"));
  if (fields.has("grammar")) given.push_back(text_constraint(fields, "grammar", Kind::kGrammar));
  if (fields.boolean("json_object", false)) given.push_back({.kind = Kind::kObject});
  if (given.size() != 1) fields.refuse({}, "must have exactly one of json, regex, choice, grammar and json_object");
  given.front().compact = fields.boolean("disable_any_whitespace", false);
  return given.front();
}

}  // namespace

ConstraintSpec schema_constraint(const RequestFields& fields, std::string_view name) {
  const OrderedJson& schema = fields.required(name);
  ConstraintSpec spec{.kind = Kind::kSchema};
  if (schema.is_object() || schema.is_boolean()) {
    spec.text = schema.dump();
  } else if (schema.is_string()) {
    spec.text = schema.get<std::string>();
  } else {
    fields.refuse(name, fmt::format("must be a JSON schema, is {}", json_type_name(schema)));
  }
  if (spec.text.size() > limits::kMaxGrammarBytes) {
    fields.refuse(name, fmt::format("has {} bytes, allowed: {}", spec.text.size(), limits::kMaxGrammarBytes));
  }
  return spec;
}

ConstraintSpec read_format_object(const RequestFields& format) {
  const std::string type = format.required_text("type");
  if (type == "text") return {};
  if (type == "json_object") return format.has("schema") ? schema_constraint(format, "schema") : ConstraintSpec{.kind = Kind::kObject};
  if (type != "json_schema") format.refuse("type", "must be text, json_object or json_schema");
  const RequestFields holder = format.has("json_schema") ? format.object("json_schema") : format;
  holder.optional_text("name");
  holder.optional_text("description");
  holder.optional_boolean("strict");  // either way the answer is held to the schema
  return schema_constraint(holder, "schema");
}

ConstraintSpec read_response_format(const RequestFields& body) {
  std::optional<ConstraintSpec> spec;
  std::string_view first;
  const auto take = [&](std::string_view name, auto&& read) {
    if (!body.has(name)) return;
    ConstraintSpec found = read();
    if (found.kind == Kind::kNone) return;
    if (spec) body.refuse(name, fmt::format("cannot go together with {}", first));
    spec = std::move(found);
    first = name;
  };
  take("response_format", [&] { return read_format_object(body.object("response_format")); });
  take("structured_outputs", [&] { return structured_outputs(body.object("structured_outputs")); });
  take("guided_json", [&] { return schema_constraint(body, "guided_json"); });
  take("guided_regex", [&] { return text_constraint(body, "guided_regex", Kind::kRegex); });
  take("guided_choice", [&] { return choice_constraint(body, "guided_choice"); });
  take("guided_grammar", [&] { return grammar_constraint(body, "guided_grammar"); });
  take("grammar", [&] { return grammar_constraint(body, "grammar"); });
  take("json_schema", [&] { return schema_constraint(body, "json_schema"); });
  return spec.value_or(ConstraintSpec{});
}

}  // namespace minnow
