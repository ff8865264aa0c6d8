// Any bytes as the bodies of /v1/embeddings and /v1/rerank, up to where the model is asked: this one makes neither.
#include "ask_handlers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto handlers = minnow::fuzzing::Handlers::of_null_model();
  handlers.post({"/v1/embeddings", "/v1/rerank"}, data, size);
  return 0;
}
