// Any template on any chat: a text or an error, within the limits. The input is the template; after a zero byte may
// follow the variables as JSON.
#include <string_view>

#include "base/error.h"
#include "text/chat_template.h"

namespace {

constexpr std::string_view kContext = R"({
  "messages": [{"role": "system", "content": "Be brief"},
               {"role": "user", "content": "Größe 日本\n<b>"},
               {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"a": [1, 2.5]}}}]},
               {"role": "tool", "content": [{"type": "text", "text": "x"}]}],
  "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "array"}}}}}],
  "l": [3, 1, 2], "d": {"k": "v", "n": null}, "s": "a,b c", "f": 2.5, "t": true})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = input.find('\0');
  try {
    const minnow::ChatTemplate chat{std::string(input.substr(0, zero))};
    minnow::ChatTemplateInput variables;
    variables.now = 0;
    const std::string_view context = zero == std::string_view::npos ? kContext : input.substr(zero + 1);
    variables.extra = minnow::parse_ordered_json(context, "context");
    if (!variables.extra.is_object()) return 0;
    chat.render(variables);
  } catch (const minnow::Error&) {
  }
  return 0;
}
