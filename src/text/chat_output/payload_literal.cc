// Calls written as in a program: Python's f(x=1), Gemma's f{x:1}, and whole programs.
#include <fmt/format.h>

#include "text/chat_output/literal_json.h"
#include "text/chat_output/payload.h"

namespace minnow::chat_output {
namespace {

// "f(x=1, y=2)", where arguments without a name have that of the schema.
bool read_python_call(LiteralReader& reader, const ToolSchemas& tools, std::vector<Call>& calls) {
  Call call;
  if (!reader.identifier(call.name) || !reader.take("(")) return false;
  // Llama's built-in tools are methods: brave_search.call(…)
  constexpr std::string_view kMethod = ".call";
  if (call.name.ends_with(kMethod)) call.name.resize(call.name.size() - kMethod.size());
  if (!is_tool_name(call.name)) return false;
  call.arguments += '{';
  for (std::size_t n = 0; !reader.take(")"); ++n) {
    if (n > 0) {
      if (!reader.take(",")) return false;
      if (reader.take(")")) break;
      call.arguments += ", ";
    }
    LiteralReader as_keyword = reader;
    std::string key;
    if (as_keyword.identifier(key) && as_keyword.take("=")) {
      reader = as_keyword;
    } else {
      key = tools.argument_name(call.name, n);
      if (key.empty()) return false;
    }
    call.arguments += quoted_json(key) + ": ";
    if (!reader.value(call.arguments)) return false;
  }
  call.arguments += '}';
  calls.push_back(std::move(call));
  return true;
}

}  // namespace

bool read_python_calls(std::string_view text, const ToolSchemas& tools, std::vector<Call>& calls) {
  LiteralReader reader(text);
  const bool list = reader.take("[");
  while (!reader.at_end() && !(list && reader.next_is("]"))) {
    if (!read_python_call(reader, tools, calls)) return false;
    if (list ? !reader.take(",") && !reader.next_is("]") : reader.take(";") && reader.at_end()) return !list;
  }
  return (!list || reader.take("]")) && reader.at_end();
}

bool read_braces_call(std::string_view text, std::vector<Call>& calls) {
  LiteralReader reader(text);
  Call call;
  if (!reader.identifier(call.name) || !is_tool_name(call.name) || !reader.next_is("{")) return false;
  if (!reader.value(call.arguments) || !reader.at_end()) return false;
  calls.push_back(std::move(call));
  return true;
}

bool read_code_call(std::string_view text, std::vector<Call>& calls) {
  text = trimmed(text);
  if (text.empty()) return false;
  const bool object = text.starts_with('{') && is_json(text);
  calls.push_back(
      {"python", object ? std::string(text) : fmt::format("{{\"code\": {}}}", quoted_json(text))});
  return true;
}

}  // namespace minnow::chat_output
