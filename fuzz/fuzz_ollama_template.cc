// Any text as "template" of /api/generate: refused, or given back as the Jinja that it is, or turned into Jinja that renders. The first byte
// says whether there is a system message.
#include "base/utf8.h"
#include "check_request.h"
#include "serve/ollama_template.h"
#include "text/chat_template.h"

namespace {

using namespace minnow;

void check(const std::string& text, bool has_system) {
  const std::string jinja = jinja_of_ollama_template(text, {.has_system = has_system});
  if (jinja == text) return;  // fuzz_jinja_render has those
  ChatTemplateInput chat;
  if (has_system) chat.messages.push_back({{"role", "system"}, {"content", "Be brief"}});
  chat.messages.push_back({{"role", "user"}, {"content", "{{ hi }}"}});
  try {
    ChatTemplate(jinja).render(chat);
  } catch (const Error& error) {
    fuzzing::require(error.code() == ErrorCode::kLimit);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (!is_valid_utf8(text)) return 0;  // no JSON holds it
  fuzzing::read_or_refuse(Dialect::kOllama, [&] { check(text, (data[0] & 1) != 0); });
  return 0;
}
