#include "serve/custom_tools.h"

#include <algorithm>
#include <optional>

#include "serve/openai_messages.h"

namespace minnow {
namespace {

constexpr const char* kInput = "input";

// The text under "input", or the only text.
std::optional<std::string> input_in(const OrderedJson& arguments) {
  if (!arguments.is_object()) return std::nullopt;
  if (arguments.contains(kInput) && arguments.at(kInput).is_string()) return arguments.at(kInput).get<std::string>();
  if (arguments.size() == 1 && arguments.front().is_string()) return arguments.front().get<std::string>();
  return std::nullopt;
}

// Null when it is no JSON.
OrderedJson parsed(const std::string& text) {
  try {
    return parse_ordered_json(text, "arguments");
  } catch (const Error&) {
    return nullptr;
  }
}

// The longest escape, two of \uXXXX, which may have been cut anywhere.
constexpr std::size_t kMaxEscape = 12;

}  // namespace

CustomTool read_custom_tool(const RequestFields& tool) {
  OrderedJson named = {{"name", tool.required_text("name")}};
  std::string description = tool.text("description");
  CustomTool out;
  if (tool.has("format")) {
    const RequestFields format = tool.object("format");
    out.has_grammar = format.choice("type", "text", {"text", "grammar"}) == "grammar";
    if (out.has_grammar) {
      const RequestFields grammar = format.has("grammar") ? format.object("grammar") : format;
      grammar.required("syntax");
      const std::string syntax = grammar.choice("syntax", "", {"lark", "regex"});
      description += fmt::format("{}The input must match this {}:\n{}", description.empty() ? "" : "\n\n",
                                 syntax == "lark" ? "grammar in the syntax of Lark" : "regular expression", grammar.required_text("definition"));
    }
  }
  if (!description.empty()) named["description"] = description;
  OrderedJson& parameters = named["parameters"];
  parameters["type"] = "object";
  parameters["properties"][kInput]["type"] = "string";
  parameters["required"] = OrderedJson::array({kInput});
  parameters["additionalProperties"] = false;
  out.function = read_function(RequestFields(named, tool.path()));
  return out;
}

OrderedJson custom_arguments(std::string_view input) { return {{kInput, input}}; }

std::string custom_input(std::string_view arguments) {
  const std::string text(arguments);
  if (const OrderedJson whole = parsed(text); !whole.is_null()) return input_in(whole).value_or(text);
  for (std::size_t cut = 0; cut < std::min(kMaxEscape, text.size()); ++cut) {
    if (const auto input = input_in(parsed(text.substr(0, text.size() - cut) + "\"}"))) return *input;
  }
  return text.starts_with('{') ? std::string() : text;
}

}  // namespace minnow
