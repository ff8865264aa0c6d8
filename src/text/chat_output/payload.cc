#include "text/chat_output/payload.h"

#include "base/limits.h"

namespace minnow::chat_output {
namespace {

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == ':' || c == '/' || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

bool is_tool_name(std::string_view name) {
  if (name.empty() || name.size() > limits::kMaxToolNameBytes) return false;
  for (const char c : name) {
    if (!is_name_byte(c)) return false;
  }
  return true;
}

bool may_begin(const CallSyntax& syntax, char c) {
  switch (syntax.payload) {
    case Payload::kJson:
      return c == '{' || (c == '[' && !syntax.open.empty());  // lists need a mark
    case Payload::kKeyedJson:
    case Payload::kPythonList:
      return c == '[';
    case Payload::kNamed:
      return syntax.header == CallHeader::kChannel || is_name_byte(c);
    case Payload::kTagged:
    case Payload::kPythonBlock:
    case Payload::kBraces:
      return is_name_byte(c);
    case Payload::kCode:
      return true;
  }
  return false;
}

std::unique_ptr<PayloadReader> make_payload_reader(const CallSyntax& syntax, const ToolSchemas& tools) {
  switch (syntax.payload) {
    case Payload::kJson:
    case Payload::kKeyedJson:
      return make_json_reader(syntax, tools);
    case Payload::kNamed:
      return make_named_reader(syntax);
    default:
      return make_collected_reader(syntax, tools);
  }
}

}  // namespace minnow::chat_output
