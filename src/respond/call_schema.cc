#include "respond/call_schema.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.h"
#include "text/chat_output/payload.h"

namespace minnow {
namespace {

constexpr std::string_view kPlaces = "#/$defs/";  // of the parameters of all tools, by number

// Where schemas stand within a schema.
constexpr std::array<std::string_view, 3> kLists = {"allOf", "anyOf", "oneOf"};
constexpr std::array<std::string_view, 5> kMaps = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"};
constexpr std::array<std::string_view, 3> kSingles = {"items", "additionalProperties", "propertyNames"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// References go from the schema's own root; it is about to stand at `place` of another.
void move_references(OrderedJson& schema, const std::string& place) {
  if (!schema.is_object()) return;
  for (const auto& item : schema.items()) {
    const std::string& key = item.key();
    OrderedJson& value = item.value();
    if (key == "$ref" && value.is_string() && value.get_ref<const std::string&>().starts_with('#')) {
      value = place + value.get_ref<const std::string&>().substr(1);
    } else if (is_one_of(kSingles, key)) {
      move_references(value, place);
    } else if ((is_one_of(kMaps, key) && value.is_object()) || ((is_one_of(kLists, key) || key == "prefixItems") && value.is_array())) {
      for (OrderedJson& part : value) move_references(part, place);
    }
  }
}

OrderedJson no_arguments() { return {{"type", "object"}, {"additionalProperties", false}}; }

// {"type": "object", "properties": {}} allows any, but nobody who writes it wants some.
bool names_no_arguments(const OrderedJson& parameters) {
  if (!parameters.contains("properties") || parameters["properties"] != OrderedJson::object()) return false;
  const auto items = parameters.items();
  return std::all_of(items.begin(), items.end(), [](const auto& item) {
    const std::string& key = item.key();
    const bool says_nothing = key == "type" || key == "properties" || key == "title" || key == "description";
    return says_nothing || (key == "required" && item.value() == OrderedJson::array());
  });
}

OrderedJson parameters_of(const OrderedJson& tool, const std::string& name, const std::string& place) {
  const OrderedJson& function = function_of(tool);
  OrderedJson parameters;
  for (const char* key : {"parameters", "input_schema"}) {
    if (function.contains(key) && !function[key].is_null()) parameters = function[key];
  }
  if (parameters.is_null()) return no_arguments();
  if (!parameters.is_object()) fail(ErrorCode::kInvalidInput, "tool \"{}\": its parameters must be a schema of an object", name);
  const OrderedJson type = parameters.value("type", OrderedJson("object"));
  const bool is_object = type == "object" || (type.is_array() && std::find(type.begin(), type.end(), "object") != type.end());
  if (!is_object) fail(ErrorCode::kInvalidInput, "tool \"{}\": its parameters must be a schema of an object", name);
  // Names of the schema as a whole; the drafts that are known differ in nothing that is accepted here.
  parameters.erase("$schema");
  parameters.erase("$id");
  if (names_no_arguments(parameters)) return no_arguments();
  move_references(parameters, place);
  return parameters;
}

}  // namespace

const OrderedJson& function_of(const OrderedJson& tool) {
  return tool.is_object() && tool.contains("function") && tool["function"].is_object() ? tool["function"] : tool;
}

std::string name_of_tool(const OrderedJson& tool, std::size_t number) {
  const OrderedJson& function = function_of(tool);
  if (!function.is_object() || !function.contains("name") || !function["name"].is_string()) {
    fail(ErrorCode::kInvalidInput, "tools[{}]: a tool that is to be called needs a name", number);
  }
  std::string name = function["name"].get<std::string>();
  if (!chat_output::is_tool_name(name)) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("tools[{}]: its name cannot be that of a tool", number), "letters, digits, _ and - can be in one");
  }
  return name;
}

OrderedJson CallSchema::add(const OrderedJson& tool, const std::string& name) {
  const std::string number = std::to_string(names_.size()), place = std::string(kPlaces) + number;
  document_["$defs"][number] = parameters_of(tool, name, place);
  names_.push_back(name);
  return {{"type", "object"}, {"$ref", place}};
}

std::string CallSchema::last_place() const { return place_of(std::to_string(names_.size() - 1)); }

OrderedJson CallSchema::define(const std::string& name, OrderedJson schema) {
  document_["$defs"][name] = std::move(schema);
  return {{"$ref", std::string(kPlaces) + name}};
}

std::string CallSchema::place_of(const std::string& name) { return std::string(kPlaces.substr(1)) + name; }

std::shared_ptr<const TokenConstraint> CallSchema::compile(ConstraintCompiler& compiler, OrderedJson schema) const {
  schema["$defs"] = document_["$defs"];
  return compile_spec(compiler, {.kind = ConstraintSpec::Kind::kSchema, .text = schema.dump(), .choices = {}, .compact = true});
}

std::shared_ptr<const TokenConstraint> CallSchema::compile(ConstraintCompiler& compiler, TextShape shape, char json_without) const {
  return compile_spec(compiler, {.kind = ConstraintSpec::Kind::kShape,
                                 .text = document_.dump(),
                                 .choices = {},
                                 .shape = std::move(shape),
                                 .json_without = json_without});
}

std::shared_ptr<const TokenConstraint> CallSchema::compile_spec(ConstraintCompiler& compiler, const ConstraintSpec& spec) const {
  try {
    return compiler.compile(spec);
  } catch (const Error& e) {
    throw told_of_tool(e);
  }
}

Error CallSchema::told_of_tool(const Error& error) const {
  std::string text = error.what();
  const std::size_t at = text.find(kPlaces);
  if (at == std::string::npos) return Error(error.code(), "tools: " + text);
  const char* begin = text.data() + at + kPlaces.size();
  std::size_t number = 0;
  const auto [end, problem] = std::from_chars(begin, text.data() + text.size(), number);
  if (problem != std::errc() || number >= names_.size()) return Error(error.code(), "tools: " + text);
  const std::string name = names_[number];
  text.replace(at, static_cast<std::size_t>(end - text.data()) - at, "#");
  return Error(error.code(), fmt::format("parameters of tool \"{}\": {}", name, text));
}

}  // namespace minnow
