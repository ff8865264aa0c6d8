// A model that says the same words again and again, without computing anything: for tests of what is around models, and for
// measuring what that costs.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "respond/model_pool.h"

namespace minnow {

struct NullModelOptions {
  int64_t n_tokens = 64;           // of an answer, unless max_tokens are fewer
  std::string token_text = "word ";
  // Between a token and the next, of all answers at the same time; 0: all of an answer is there at once, in one event.
  std::chrono::microseconds interval{0};
};

// Its responder answers chats and texts; engine(), embedder() and ranker() throw kUnsupported. A prompt has one token for each of
// its bytes, whose number the token is.
std::shared_ptr<LoadedModel> null_model(const ModelEntry& entry, const NullModelOptions& options);

}  // namespace minnow
