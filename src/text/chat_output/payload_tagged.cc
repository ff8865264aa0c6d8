// A call with one tag for each argument: Qwen3-Coder, Seed-OSS, GLM, DeepSeek's DSML, MiniMax.
#include "text/chat_output/payload.h"

namespace minnow::chat_output {
namespace {

// Cuts off the text before `word` and the word; false when it is not there.
bool take_until(std::string_view& text, std::string_view word, std::string_view& before) {
  const std::size_t at = text.find(word);
  if (at == std::string_view::npos) return false;
  before = text.substr(0, at);
  text.remove_prefix(at + word.size());
  return true;
}

bool take_name(std::string_view& text, std::string_view separator, std::string& name) {
  std::string_view before;
  if (separator.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n<"), text.size());
    before = text.substr(0, end);
    text.remove_prefix(end);
  } else if (!take_until(text, separator, before)) {
    return false;
  }
  name = trimmed(before);
  return is_tool_name(name);
}

// A line end after the opening tag and one before the closing tag are layout.
std::string_view without_layout(std::string_view value) {
  if (value.starts_with('\n')) value.remove_prefix(1);
  if (value.ends_with('\n')) value.remove_suffix(1);
  return value;
}

ArgumentType type_of(std::string_view attributes, const ArgumentTags& tags, ArgumentType schema) {
  const auto says = [&](std::string_view word) { return !word.empty() && attributes.find(trimmed(word)) != std::string_view::npos; };
  if (says(tags.says_string)) return ArgumentType::kString;
  if (says(tags.says_other)) return ArgumentType::kOther;
  return schema;
}

}  // namespace

bool read_tagged_call(std::string_view text, const CallSyntax& syntax, const ToolSchemas& tools,
                      std::vector<Call>& calls) {
  const ArgumentTags& tags = syntax.tags;
  Call call;
  if (!take_name(text, syntax.separator, call.name)) return false;
  call.arguments += '{';
  while (!(text = trimmed(text)).empty()) {
    std::string_view key, attributes, value;
    if (!text.starts_with(tags.argument_open)) return false;
    text.remove_prefix(tags.argument_open.size());
    if (!take_until(text, tags.key_close, key)) return false;
    if (!tags.value_open.empty() && !take_until(text, tags.value_open, attributes)) return false;
    if (!take_until(text, tags.value_close, value)) return false;
    key = trimmed(key);
    if (call.arguments.size() > 1) call.arguments += ", ";
    const ArgumentType type = type_of(attributes, tags, tools.type(call.name, key));
    call.arguments += quoted_json(key) + ": " + argument_to_json(without_layout(value), type);
  }
  call.arguments += '}';
  calls.push_back(std::move(call));
  return true;
}

}  // namespace minnow::chat_output
