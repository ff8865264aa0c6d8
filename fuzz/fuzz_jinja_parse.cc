// Any text as a chat template: parsed or refused.
#include <string>

#include "base/error.h"
#include "text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const minnow::ChatTemplate chat(std::string(reinterpret_cast<const char*>(data), size));
  } catch (const minnow::Error&) {
  }
  return 0;
}
