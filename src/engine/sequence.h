// A request on its way through the engine. Touched by the engine's thread only, but for the State it reports to.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/answer_gate.h"
#include "engine/answer_text.h"
#include "engine/engine.h"
#include "engine/page_table.h"
#include "engine/sampler.h"
#include "engine/token_logprobs.h"
#include "text/tokenizer.h"

namespace minnow {

// Where the holders of Generations tell the engine that one was given up, or was read again.
class Doorbell {
 public:
  void ring() {
    {
      const std::lock_guard lock(mutex);
      rings_.fetch_add(1, std::memory_order_release);
    }
    wake.notify_all();
  }
  // What was written before a ring is seen by whoever sees the ring.
  uint64_t rings() const { return rings_.load(std::memory_order_acquire); }

  std::mutex mutex;  // of the engine's submissions as well; taken behind State::mutex, never before it
  std::condition_variable wake;

 private:
  std::atomic<uint64_t> rings_{0};
};

// What a Generation and the engine share.
struct Generation::State {
  explicit State(std::shared_ptr<Doorbell> b) : bell(std::move(b)) {}

  const std::shared_ptr<Doorbell> bell;
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<Event> events;
  std::atomic<bool> cancelled{false};
  std::atomic<std::size_t> unread{0};  // bytes of the events, written under mutex
  std::size_t max_unread = 0;  // as in GenerateRequest

  // Called while `callback` is locked and never with `mutex`, so that it may take events; cleared when the Generation goes.
  std::mutex callback;
  std::function<void()> on_event;  // under callback

  void push(Event event);
  bool is_cancelled() const { return cancelled.load(std::memory_order_relaxed); }
  bool is_behind() const { return max_unread > 0 && unread.load(std::memory_order_relaxed) > max_unread; }  // more waits to be taken than may
  std::optional<Event> take();  // under mutex; rings when that ends being behind
};

// What all sequences of an engine share.
struct SequenceContext {
  const Tokenizer* tokenizer = nullptr;          // null: none
  const std::vector<TokenId>* ends = nullptr;    // the tokens that end an answer
  PrefixKey root = kEmptyPrefix;                 // where the keys of this sequence's prefixes begin
};

struct Sequence {
  using Clock = std::chrono::steady_clock;

  Sequence(GenerateRequest r, std::shared_ptr<Generation::State> s, const SequenceContext& context);

  // Tokens whose keys and values are not in the cache yet.
  int64_t pending() const { return static_cast<int64_t>(tokens.size()) - n_cached; }
  // The next token of the answer, as the sampler, the constraint and min_tokens have it. Throws kInvalidInput when the
  // vocabulary has no token that the constraint allows.
  TokenId sample(std::span<const float> logits);
  // Whether min_tokens have not been made yet.
  bool must_go_on() const { return stats.generated_tokens < request.min_tokens; }
  bool is_stop_token(TokenId token) const;
  // What waits holds no memory in proportion to the vocabulary.
  void rest();
  bool in_prompt() const { return n_cached < n_prompt; }
  bool wants_logits(int64_t position) const {
    return request.on_prompt_logits && position < n_prompt && position >= request.first_logits;
  }

  int64_t number = 0;  // as in EngineStatus
  GenerateRequest request;
  std::shared_ptr<Generation::State> state;
  Sampler sampler;
  std::optional<AnswerGate> gate;  // absent where nothing is held
  AnswerText text;
  TokenLogprobs logprobs;

  std::vector<TokenId> tokens;  // prompt and answer
  int64_t n_prompt = 0;
  int64_t n_cached = 0;
  std::vector<int32_t> pages;
  std::vector<PrefixKey> prefixes;  // [i]: key of the tokens before page i, as far as known
  GenerationStats stats;
  TokenId stop_token = kNoToken;    // the one that ended the answer
  Clock::time_point submitted, started, first_token;
  bool has_started = false;

 private:
  bool mask();

  const std::vector<TokenId>* ends_;
  std::vector<uint32_t> allowed_;  // a bit for each token
};

}  // namespace minnow
