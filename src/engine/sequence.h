// A request on its way through the engine. Touched by the engine's thread only, but for the State it reports to.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/engine.h"
#include "engine/page_table.h"
#include "engine/sampler.h"
#include "engine/stop_matcher.h"
#include "text/tokenizer.h"

namespace minnow {

// What a Generation and the engine share.
struct Generation::State {
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<Event> events;
  bool cancelled = false;  // under mutex
  bool finished = false;   // the last event has been taken

  void push(Event event);
  bool is_cancelled();
};

struct Sequence {
  using Clock = std::chrono::steady_clock;

  Sequence(GenerateRequest r, std::shared_ptr<Generation::State> s, const Tokenizer* tokenizer);

  // Tokens whose keys and values are not in the cache yet.
  int64_t pending() const { return static_cast<int64_t>(tokens.size()) - n_cached; }
  // The next token of the answer, as the sampler and the constraint have it. Throws kInvalidInput when the vocabulary has
  // no token that the constraint allows.
  TokenId sample(std::span<const float> logits);
  bool in_prompt() const { return n_cached < n_prompt; }
  bool wants_logits(int64_t position) const {
    return request.on_prompt_logits && position < n_prompt && position >= request.first_logits;
  }

  GenerateRequest request;
  std::shared_ptr<Generation::State> state;
  Sampler sampler;
  std::optional<ConstraintState> constraint;
  StopMatcher stops;
  std::optional<StreamDecoder> decoder;  // absent without a tokenizer

  std::vector<TokenId> tokens;  // prompt and answer
  int64_t n_prompt = 0;
  int64_t n_cached = 0;
  std::vector<int32_t> pages;
  std::vector<PrefixKey> prefixes;  // [i]: key of the tokens before page i, as far as known
  GenerationStats stats;
  Clock::time_point submitted, started, first_token;
  bool has_started = false;

 private:
  std::vector<uint32_t> allowed_;
};

}  // namespace minnow
