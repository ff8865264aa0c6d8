#include "respond/call_arguments.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "text/chat_output/literal_json.h"
#include "text/chat_output/payload.h"
#include "text/grammar/schema_reader.h"

namespace minnow {
namespace {

using chat_output::ArgumentType;
using Kind = TextShape::Kind;

constexpr std::string_view kSpace = "[ \\n]{0,8}", kName = "[A-Za-z_][A-Za-z0-9_]{0,63}", kLineEnd = "\\n?";

// What arguments_of takes into account; everything else that limits values is refused.
constexpr std::array<std::string_view, 4> kUnderstood = {"type", "properties", "required", "additionalProperties"};

[[noreturn]] void refuse(std::string_view what, const std::string& place) {
  throw Error(ErrorCode::kUnsupported, fmt::format("{} at #{} cannot be held to in this model's calls", what, place),
              "leave it out, leave out \"strict\", or force the call by tool_choice");
}

bool is_note(const std::string& key) {
  static const std::vector<grammar::Keyword> kKeywords = grammar::schema_keywords();
  return key.starts_with("x-") || std::any_of(kKeywords.begin(), kKeywords.end(), [&](const grammar::Keyword& keyword) {
    return keyword.name == key && keyword.use == grammar::KeywordUse::kAnnotation;
  });
}

void check(const OrderedJson& parameters, const std::string& place) {
  for (const auto& item : parameters.items()) {
    const bool is_understood = std::find(kUnderstood.begin(), kUnderstood.end(), item.key()) != kUnderstood.end();
    if (!is_understood && !is_note(item.key())) refuse(fmt::format("\"{}\"", item.key()), place);
  }
  if (parameters.contains("properties") && !parameters["properties"].is_object()) refuse("\"properties\" that is no object", place);
  if (parameters.contains("required") && !parameters["required"].is_array()) refuse("\"required\" that is no list", place);
}

// Between a key and its value: what is said of its type, or layout.
TextShape before_value(const ArgumentTags& tags, std::string_view attribute) {
  if (!tags.says_string.empty()) return text_shape(std::string(attribute));
  return tags.value_open.empty() ? text_shape("") : regex_shape(kLineEnd);
}

// One value with what ends it. A line end on either side is layout.
TextShape tagged_value(const CallArguments::Argument& argument, const ArgumentTags& tags) {
  const bool says_type = !tags.says_string.empty();
  const std::string until(tags.value_close);
  const auto behind = [&](std::string_view attribute, TextShape value) {
    return sequence_of({mark_shape(tags.key_close), before_value(tags, attribute), mark_shape(tags.value_open), std::move(value)});
  };
  std::vector<TextShape> ways;
  if (says_type || argument.type != ArgumentType::kOther) {
    TextShape string{.kind = Kind::kString, .text = argument.place, .until = until};
    if (!says_type && argument.type == ArgumentType::kUnknown) string.except = chat_output::kMayBeNoString;
    ways.push_back(behind(tags.says_string, std::move(string)));
  }
  if (says_type || argument.type != ArgumentType::kString) {
    TextShape json{.kind = argument.type == ArgumentType::kOther ? Kind::kJson : Kind::kJsonButStrings, .text = argument.place};
    ways.push_back(behind(tags.says_other, sequence_of({regex_shape(kLineEnd), std::move(json), regex_shape(kLineEnd), mark_shape(until)})));
  }
  return {.kind = Kind::kRequired, .text = "#" + argument.place, .parts = {choice_of(std::move(ways))}};
}

TextShape any_tagged_value(const ArgumentTags& tags) {
  TextShape value{.kind = Kind::kString, .until = std::string(tags.value_close)};
  return sequence_of({mark_shape(tags.key_close), before_value(tags, tags.says_string), mark_shape(tags.value_open), std::move(value)});
}

bool is_identifier(const std::string& name) {
  chat_output::LiteralReader reader(name);
  std::string read;
  return reader.identifier(read) && reader.at_end() && read == name;
}

}  // namespace

TextShape text_shape(std::string text) { return {.kind = Kind::kText, .text = std::move(text)}; }
TextShape mark_shape(std::string_view text) { return {.kind = Kind::kMark, .text = std::string(text)}; }
TextShape regex_shape(std::string_view expression) { return {.kind = Kind::kRegex, .text = std::string(expression)}; }
TextShape sequence_of(std::vector<TextShape> parts) { return {.kind = Kind::kSequence, .parts = std::move(parts)}; }
TextShape choice_of(std::vector<TextShape> parts) { return {.kind = Kind::kChoice, .parts = std::move(parts)}; }
TextShape optional_shape(TextShape part) { return {.kind = Kind::kOptional, .parts = {std::move(part)}}; }
TextShape space_shape() { return regex_shape(kSpace); }

TextShape json_shape(const std::string& place) {
  return {.kind = Kind::kRequired, .text = "#" + place, .parts = {{.kind = Kind::kJson, .text = place}}};
}

CallArguments arguments_of(const OrderedJson& parameters, const std::string& place, const chat_output::ToolSchemas& types, const std::string& tool) {
  check(parameters, place);
  CallArguments out;
  std::vector<std::string> required;
  if (parameters.contains("required")) {
    for (const OrderedJson& name : parameters["required"]) {
      if (!name.is_string()) refuse("\"required\" with something else than names", place);
      required.push_back(name.get<std::string>());
    }
  }
  if (parameters.contains("properties")) {
    for (const auto& item : parameters["properties"].items()) {
      const std::string& name = item.key();
      const std::string at = (OrderedJson::json_pointer(place) / "properties" / name).to_string();
      if (!chat_output::is_tool_name(name)) refuse("an argument of this name", at);
      const auto it = std::find(required.begin(), required.end(), name);
      out.named.push_back({name, at, it != required.end(), types.type(tool, name)});
      std::erase(required, name);
    }
  }
  if (!required.empty()) refuse(fmt::format("\"required\" with \"{}\", which is no property,", required[0]), place);
  const auto others = parameters.find("additionalProperties");
  out.is_any = out.named.empty() && (others == parameters.end() || *others == true);
  if (out.named.empty() && others != parameters.end() && !others->is_boolean()) refuse("\"additionalProperties\"", place);
  return out;
}

TextShape tagged_arguments(const CallArguments& arguments, const ArgumentTags& tags) {
  std::vector<TextShape> parts;
  for (const CallArguments::Argument& argument : arguments.named) {
    TextShape one = sequence_of({space_shape(), mark_shape(tags.argument_open), text_shape(argument.name), tagged_value(argument, tags)});
    parts.push_back(argument.is_required ? std::move(one) : optional_shape(std::move(one)));
  }
  if (arguments.is_any) {
    TextShape one = sequence_of({space_shape(), mark_shape(tags.argument_open), regex_shape(kName), any_tagged_value(tags)});
    parts.push_back({.kind = Kind::kRepeat, .parts = {std::move(one)}});
  }
  return sequence_of(std::move(parts));
}

TextShape listed_arguments(const CallArguments& arguments, const ListedForm& form) {
  TextShape list{.kind = Kind::kList, .text = ", "};
  for (const CallArguments::Argument& argument : arguments.named) {
    if (!is_identifier(argument.name)) refuse("an argument of this name", argument.place);
    TextShape one = sequence_of({text_shape(argument.name + form.assign), json_shape(argument.place)});
    list.parts.push_back(argument.is_required ? std::move(one) : optional_shape(std::move(one)));
  }
  if (!arguments.is_any) return list;
  const TextShape one = sequence_of({regex_shape(kName), text_shape(form.assign), json_shape(form.any_value)});
  TextShape more{.kind = Kind::kRepeat, .parts = {sequence_of({text_shape(list.text), one})}};
  return optional_shape(sequence_of({one, std::move(more)}));
}

}  // namespace minnow
