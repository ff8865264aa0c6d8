// Any bytes as the body of /v1/completions: refused, or answered in JSON.
#include "ask_handlers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto handlers = minnow::fuzzing::Handlers::of_null_model();
  handlers.post({"/v1/completions"}, data, size);
  return 0;
}
