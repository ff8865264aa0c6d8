// The one place where tokens are made. Any number of sequences share the model: each step takes one token of every
// answering sequence and chunks of waiting prompts, runs the graph once, samples, and sends events.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cpu/isa.h"
#include "cpu/kv_cache.h"
#include "cpu/packed_cache.h"
#include "engine/mark_scanner.h"
#include "engine/sampler.h"
#include "models/adapter.h"
#include "models/model.h"
#include "text/grammar/token_constraint.h"

namespace minnow {

class Tokenizer;

struct EngineOptions {
  int64_t n_ctx = 0;         // positions per sequence; 0: what the model was trained on, at most kDefaultContext
  int n_sequences = 16;      // answered at the same time; more wait their turn
  int64_t n_batch = 512;     // tokens per step
  KvType kv_type = KvType::kF16;  // kF32 and kF16 ask for f32 arithmetic (ExecutorOptions::exact), see best_kv_type
  int64_t kv_tokens = 0;     // positions of all sequences together; 0: n_sequences * n_ctx or what memory allows
  int n_threads = 0;         // 0: the cores of this machine
  bool reuse_prefixes = true;  // keep what was computed for prompts that begin alike
  GraphOutput output = GraphOutput::kLogits;  // anything else: requests read their prompt only (max_tokens 0)
  std::shared_ptr<const Adapter> adapter = {};  // beside the weights, which stay as they are
  std::function<void(uint64_t bytes)> load_progress;  // weights made ready so far
  PackedCacheSettings packed_cache = {};  // none unless it names a folder

  static constexpr int kMostSequences = 1024, kMostThreads = 1024;
  static constexpr int64_t kMostBatch = 16384;
};
inline constexpr int64_t kDefaultContext = 8192;

// The one that an answer is made fastest with: bf16 where the chosen instruction set multiplies it, else f16.
KvType best_kv_type();

enum class FinishReason : uint8_t {
  kEndOfText,    // the model ended its answer; one that is held to a constraint is whole then, and only then
  kStopString,   // a stop string or a stop token appeared (it is not part of the text)
  kMaxTokens,    // max_tokens were made
  kContextFull,  // no room for another token
  kCancelled,
  kError,
};
std::string_view name(FinishReason reason);

// How likely a token was. Natural logarithms of the softmax of the model's logits, before a constraint, penalties, temperature
// and all other steps of sampling, as OpenAI and vLLM give them; never below kMinLogprob.
struct TokenLogprob {
  struct Choice {
    TokenId token = kNoToken;
    float logprob = 0;
    std::string bytes;  // of the token alone, control tokens shown: may be part of a UTF-8 character
  };
  TokenId token = kNoToken;
  float logprob = 0;
  std::string bytes;
  std::vector<Choice> top;  // the likeliest tokens, best first; the one drawn need not be among them
};
inline constexpr float kMinLogprob = -9999.0f;

// What an answer's calls of tools are held to.
struct HeldCalls {
  struct Opening {
    std::string mark;  // behind which a call begins; empty: it begins where nothing was said yet but white space, words, asides and calls
    std::shared_ptr<const TokenConstraint> call;  // what stands behind the mark; nothing can follow where it is whole
    // Not empty: a call follows only where the next byte that is no white space is one of these; else the mark is text. Without a mark
    // it cannot be empty.
    std::string begins = {};
  };
  std::vector<Opening> openings;
  std::vector<MarkScanner::Aside> asides = {};  // in which no call is looked for: from "<think>" to "</think>"
  std::vector<std::string> words = {};          // around calls
  std::optional<std::size_t> in_aside = {};     // the answer begins in this aside
  std::optional<std::size_t> open = {};         // the answer begins behind the mark of this opening
};

struct GenerateRequest {
  std::vector<TokenId> prompt;  // not empty
  SamplingParams sampling;
  int64_t max_tokens = -1;      // -1: until the context is full; 0: only read the prompt
  std::vector<std::string> stop;
  // What the answer is held to, for this model's tokenizer; null: nothing. The answer ends where nothing can follow.
  std::shared_ptr<const TokenConstraint> constraint;
  // Not empty: the answer is free until it has this text in it ("</think>"), however tokens cut it, control tokens included; it
  // is held from there on. White space may come between. Until then the model cannot end its answer, so that one that ends with
  // kEndOfText is always whole; it can still run out of tokens or meet a stop string.
  std::string constraint_after;
  // With constraint_after: only an answer that begins with this token ("<think>") is free at first; any other is held from its
  // first token on. kNoToken: every answer is free at first.
  TokenId constraint_waits_for = kNoToken;
  // With a constraint: another that the answer may fit instead.
  std::shared_ptr<const TokenConstraint> constraint_or = {};
  // Without a constraint: the answer is free but for its calls, each of which is held from its mark on.
  std::shared_ptr<const HeldCalls> calls = {};
  bool ignore_end = false;      // go on after an end-of-text token, whose probability counts as any other's
  bool show_special = false;    // control tokens appear in the text
  bool show_end = true;         // so does an end-of-text token that the answer goes on after; false: that has no text
  // Before so many tokens were made the model cannot end its answer nor say a stop token, and stop strings are not looked for.
  // An answer that is whole by its constraint ends all the same.
  int64_t min_tokens = 0;
  std::vector<TokenId> stop_tokens;  // each ends the answer as a stop string does, and is not part of the text
  int n_logprobs = -1;          // log probabilities of every token, and of so many alternatives (0 to kMaxLogprobs); -1: none
  std::string cache_salt;       // what is remembered of a prompt is found again by requests with the same salt only
  // Bytes of events that may wait to be taken: texts, tokens, log probabilities. An answer with more of them is set aside, and makes
  // room for others, until they were taken; no token depends on it. 0: any number.
  std::size_t max_unread_bytes = 0;

  // Called on the engine's thread after an event was added; it must not block, throw or destroy the Generation. It is not called any
  // more once the destructor of the Generation has returned.
  std::function<void()> on_event;

  // Called on the engine's thread with the logits (or what else the engine's graph gives) of each prompt position from
  // first_logits on, in order. The span is valid during the call only; the call must not block.
  std::function<void(int64_t position, std::span<const float> logits)> on_prompt_logits;
  int64_t first_logits = 0;
  int64_t second_segment = -1;  // where the second of two texts begins, for models that tell them apart; -1: nowhere
};

struct GenerationStats {
  int64_t prompt_tokens = 0;
  int64_t reused_tokens = 0;     // of the prompt, found in the cache
  int64_t generated_tokens = 0;
  double queue_seconds = 0;      // until its first step began
  double prompt_seconds = 0;     // from then until the first token
  double generation_seconds = 0; // from the first token to the last
};

struct Event {
  std::string text;              // whole UTF-8; may be empty
  std::vector<TokenId> tokens;   // whose text this is; those whose text is still held back come with it in a later event
  // Of the tokens, when the request asked for them: one for each but for one that ended the answer and is not part of its text.
  std::vector<TokenLogprob> logprobs;
  bool done = false;             // the last event; what follows is set only then
  FinishReason reason = FinishReason::kEndOfText;
  std::string stop_string;       // for kStopString: the one that was found, or
  TokenId stop_token = kNoToken; // the token that was
  std::string error;             // for kError
  GenerationStats stats;         // before the end: as far as they are, the prompt's tokens whole
};

// Where the events of an answer come from: an engine, or whatever stands for one.
class AnswerSource {
 public:
  virtual ~AnswerSource() = default;
  // The next event; waits for it. After the one with done set there are no more.
  virtual Event next() = 0;
  // The same, but nullopt when none arrives in time.
  virtual std::optional<Event> next_for(std::chrono::milliseconds timeout) = 0;
  // The same without waiting.
  virtual std::optional<Event> try_next() = 0;
  // Any thread; returns at once. The last event follows soon.
  virtual void cancel() = 0;
};

class Engine;

// One submitted request. Destroying it cancels what is still running.
class Generation final : public AnswerSource {
 public:
  ~Generation() override;
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  Event next() override;
  std::optional<Event> next_for(std::chrono::milliseconds timeout) override;
  std::optional<Event> try_next() override;
  // Joins all events: the whole text and tokens, and the end. Throws Error for kError.
  Event wait();
  // The engine stops within two steps.
  void cancel() override;

  struct State;  // shared with the engine's thread

 private:
  friend class Engine;
  explicit Generation(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// What an engine does at present, and has done since it was made.
struct EngineStatus {
  struct Running {
    int64_t number = 0;                                 // of the request in the engine's life, from 0
    int64_t prompt_tokens = 0, generated_tokens = 0;
    int64_t max_tokens = -1;                            // as in GenerateRequest
  };
  std::vector<Running> sequences;      // those that run, in order of arrival
  int running = 0, waiting = 0;        // sequences
  int64_t kv_pages = 0;                // of kv_page_tokens positions each
  int64_t kv_pages_used = 0;           // that running sequences own; others may remember prompts and are free
  int64_t kv_page_tokens = 0;
  int64_t prefix_queries = 0, prefix_hits = 0;  // prompt tokens looked for in the cache, and found
  int64_t preemptions = 0;
  int64_t prompt_tokens = 0, generated_tokens = 0;  // the former without those found
  int64_t steps = 0;
  int64_t step_tokens = 0;               // that all steps together worked on, of prompts and answers
  // Steps by how many tokens they worked on: at most kStepBounds[0], more than that but at most kStepBounds[1], ..., more than all.
  static constexpr std::array<int64_t, 13> kStepBounds = {1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};
  std::array<int64_t, kStepBounds.size() + 1> steps_by_tokens{};
};

class Engine {
 public:
  // Throws what build_graph and Executor throw; kInvalidInput or kLimit for options that do not fit; kIo when the model's file became
  // shorter meanwhile. When it does so later, all answers end with that error.
  Engine(std::shared_ptr<const Model> model, EngineOptions options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Any thread. Throws kInvalidInput for bad parameters or token ids and for a constraint of another vocabulary, kLimit when the
  // prompt does not fit the context, kCancelled when the engine is being destroyed.
  std::unique_ptr<Generation> submit(GenerateRequest request);
  // Any thread; cheap. As of the last step; a sequence whose last event has been sent is not counted any more.
  EngineStatus status() const;

  const Model& model() const;
  const EngineOptions& options() const;  // with the defaults filled in
  // Throws kNotFound when the model came without one.
  const Tokenizer& tokenizer() const;
  bool has_tokenizer() const;
  int64_t n_ctx() const;
  // The longest prompt: n_ctx, or less where attention to both sides wants the whole prompt in one batch.
  int64_t max_prompt() const;
  int n_threads() const;
  Isa isa() const;
  bool exact() const;             // F16 and BF16 weights are multiplied in f32 at any price
  uint64_t kv_bytes() const;      // reserved for the cache; resident only where used
  uint64_t packed_bytes() const;  // weights in the kernels' own form
  bool found_packed() const;      // whether these came from the cache

 private:
  void check_request(const GenerateRequest& request) const;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minnow
