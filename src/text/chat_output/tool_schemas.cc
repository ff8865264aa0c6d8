#include "text/chat_output/tool_schemas.h"

#include <algorithm>

#include "text/chat_output/literal_json.h"

namespace minnow::chat_output {
namespace {

ArgumentType type_of(const OrderedJson& schema) {
  if (!schema.is_object() || !schema.contains("type")) return ArgumentType::kUnknown;
  const OrderedJson& type = schema["type"];
  if (type.is_string()) return type == "string" ? ArgumentType::kString : ArgumentType::kOther;
  if (!type.is_array()) return ArgumentType::kUnknown;
  // A union: the text itself has to tell.
  return std::find(type.begin(), type.end(), "string") == type.end() ? ArgumentType::kOther
                                                                     : ArgumentType::kUnknown;
}

const OrderedJson* member(const OrderedJson& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

}  // namespace

ToolSchemas::ToolSchemas(const OrderedJson& tools) {
  if (!tools.is_array()) return;
  for (const OrderedJson& entry : tools) {
    if (!entry.is_object()) continue;
    const OrderedJson* function = member(entry, "function");
    if (function == nullptr || !function->is_object()) function = &entry;
    const OrderedJson* name = member(*function, "name");
    if (name == nullptr || !name->is_string()) continue;
    Tool tool{name->get<std::string>(), {}};
    const OrderedJson* parameters = member(*function, "parameters");
    if (parameters == nullptr) parameters = member(*function, "input_schema");
    if (parameters != nullptr && parameters->is_object()) {
      const OrderedJson* properties = member(*parameters, "properties");
      if (properties != nullptr && properties->is_object()) {
        for (auto it = properties->begin(); it != properties->end(); ++it) {
          tool.arguments.push_back({it.key(), type_of(*it)});
        }
      }
    }
    tools_.push_back(std::move(tool));
  }
}

const ToolSchemas::Tool* ToolSchemas::find(std::string_view tool) const {
  const auto it = std::find_if(tools_.begin(), tools_.end(), [&](const Tool& t) { return t.name == tool; });
  return it == tools_.end() ? nullptr : &*it;
}

ArgumentType ToolSchemas::type(std::string_view tool, std::string_view argument) const {
  if (const Tool* found = find(tool)) {
    for (const Argument& a : found->arguments) {
      if (a.name == argument) return a.type;
    }
  }
  return ArgumentType::kUnknown;
}

std::string_view ToolSchemas::argument_name(std::string_view tool, std::size_t n) const {
  const Tool* found = find(tool);
  return found == nullptr || n >= found->arguments.size() ? std::string_view() : found->arguments[n].name;
}

std::string argument_to_json(std::string_view text, ArgumentType type) {
  if (type == ArgumentType::kString) return quoted_json(text);
  const std::string_view inner = trimmed(text);
  // Where anything may stand, quotes belong to the text.
  const bool quoted = inner.starts_with('"') || inner.starts_with('\'');
  if (!inner.empty() && (!quoted || type == ArgumentType::kOther)) {
    if (is_json(inner)) return std::string(inner);
    std::string json;
    LiteralReader literal(inner);
    if (literal.value(json) && literal.at_end()) return json;
  }
  return quoted_json(text);
}

// To the library, a zero byte ends the text.
bool is_json(std::string_view text) { return text.find('\0') == std::string_view::npos && Json::accept(text); }

std::string quoted_json(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

}  // namespace minnow::chat_output
