#include "engine/engine.h"

#include <algorithm>
#include <future>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/page_memory.h"
#include "base/thread_pool.h"
#include "cpu/executor.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

bool sees_both_sides(const Graph& graph) {
  const auto& nodes = graph.nodes();
  return std::any_of(nodes.begin(), nodes.end(),
                     [](const Node& n) { return n.op == Op::kAttention && !n.get<AttentionAttrs>().causal; });
}

constexpr uint64_t kNotHeard = UINT64_MAX;  // no count of rings

// Memory for the logits of one step. Each row is as wide as the vocabulary.
constexpr int64_t kLogitsBytes = 64 << 20;

int64_t output_rows(const EngineOptions& o, const Graph& graph) {
  if (sees_both_sides(graph)) return o.n_batch;
  const int64_t affordable = kLogitsBytes / (4 * graph.node(graph.output()).shape.last());
  return std::max<int64_t>(o.n_sequences, std::min(affordable, o.n_batch));
}

double seconds(Sequence::Clock::duration d) { return std::chrono::duration<double>(d).count(); }

void check_options(const EngineOptions& o) {
  const auto check = [](const char* what, int64_t value, int64_t most) {
    if (value < 1 || value > most) fail(ErrorCode::kInvalidInput, "{} is {}, it must be 1 to {}", what, value, most);
  };
  check("the context", o.n_ctx, static_cast<int64_t>(limits::kMaxContext));
  check("the number of sequences", o.n_sequences, EngineOptions::kMostSequences);
  check("the batch size", o.n_batch, EngineOptions::kMostBatch);
  check("the number of threads", o.n_threads, EngineOptions::kMostThreads);
}

EngineOptions with_defaults(EngineOptions o, const Model& model) {
  if (o.n_ctx == 0) o.n_ctx = std::min(model.config.n_ctx_train, kDefaultContext);
  if (o.n_threads == 0) o.n_threads = available_cores();
  check_options(o);
  return o;
}

// What is computed with the tokens after it cannot be kept for another prompt, nor be cut into chunks.
EngineOptions fitted(EngineOptions o, const Graph& graph) {
  if (!sees_both_sides(graph)) return o;
  o.reuse_prefixes = false;
  o.n_batch = std::clamp<int64_t>(o.n_ctx, o.n_batch, EngineOptions::kMostBatch);
  return o;
}

// Pages for all sequences: as many as asked for, or a full context each within half of the free memory, but always
// enough for one.
int32_t page_count(const EngineOptions& o, const std::vector<KvLayer>& layers) {
  const auto pages_for = [](int64_t tokens) { return (tokens + kKvPage - 1) / kKvPage; };
  const int64_t one = pages_for(o.n_ctx);
  if (o.kv_tokens > 0) return static_cast<int32_t>(std::max(one, pages_for(o.kv_tokens)));
  const uint64_t page_bytes = std::max<uint64_t>(1, KvCache::bytes_for(layers, o.kv_type, kKvPage));
  const auto affordable = static_cast<int64_t>(available_memory() / 2 / page_bytes);
  return static_cast<int32_t>(std::min<int64_t>(INT32_MAX, std::max(one, std::min(one * o.n_sequences, affordable))));
}

Graph graph_of(const Model& model, const EngineOptions& o) {
  const Graph graph = build_graph(model, o.n_ctx, o.output);
  return o.adapter ? with_adapter(graph, model, *o.adapter, AdapterUse::kAnswer) : graph;
}

std::shared_ptr<const Tokenizer> build_tokenizer(const std::shared_ptr<const Model>& model) {
  if (!model->tokenizer) return nullptr;
  return Tokenizer::build(SharedSpec(model, &*model->tokenizer));
}

std::vector<TokenId> end_tokens(const Tokenizer* tokenizer) {
  std::vector<TokenId> ends;
  if (tokenizer == nullptr) return ends;
  for (TokenId id = 0; id < tokenizer->n_vocab(); ++id) {
    if (tokenizer->is_end_of_generation(id)) ends.push_back(id);
  }
  return ends;
}

}  // namespace

struct Engine::Impl {
  Impl(std::shared_ptr<const Model> m, EngineOptions o)
      : model(std::move(m)),
        files(model->weights.files()),
        options(with_defaults(std::move(o), *model)),
        graph(graph_of(*model, options)),
        tokenizer_made(std::async(std::launch::async, build_tokenizer, model)),
        n_outputs(output_rows(options = fitted(options, graph), graph)),
        width(graph.node(graph.output()).shape.last()),
        executor(graph, {.n_threads = options.n_threads,
                                                      .isa = chosen_isa(),
                                                      .max_tokens = options.n_batch,
                                                      .max_outputs = n_outputs,
                                                      .exact = computes_in_f32(options.kv_type),
                                                      .progress = options.load_progress,
                                                      .cache = options.packed_cache}),
        kv(kv_layers(executor.graph()), options.kv_type, page_count(options, kv_layers(executor.graph()))),
        scheduler({options.n_sequences, options.n_batch, n_outputs, options.reuse_prefixes, sees_both_sides(graph)},
                  static_cast<int32_t>(kv.n_pages())) {
    check_files();
    tokenizer = tokenizer_made.get();
    ends = end_tokens(tokenizer.get());
    publish();
    worker = std::thread([this] { loop(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(bell->mutex);
      stopping = true;
    }
    bell->wake.notify_all();
    worker.join();
  }

  void loop();
  bool take_submissions();
  void step();
  void listen();
  void wait_for_readers();
  void check_files() const;
  void run_step(const Batch& batch, const std::vector<ScheduledSlice>& slices);
  void deliver(const ScheduledSlice& slice, std::span<const float> logits);
  void count_step(int64_t n_tokens);
  void count_token(Sequence& s, TokenId token);
  std::optional<FinishReason> add_token(Sequence& s, TokenId token, std::optional<TokenLogprob> logprob);
  void finish(Sequence& s, FinishReason reason, Event event = {});
  void fail_sequence(Sequence& s, std::string error);
  void publish();

  std::shared_ptr<const Model> model;
  std::vector<std::shared_ptr<const MappedFile>> files;  // of the weights
  EngineOptions options;
  Graph graph;
  std::future<std::shared_ptr<const Tokenizer>> tokenizer_made;  // beside the weights
  std::shared_ptr<const Tokenizer> tokenizer;
  std::vector<TokenId> ends;  // tokens that end an answer
  PrefixRoots roots;
  int64_t n_outputs;
  int64_t width;  // of an output row
  Executor executor;
  KvCache kv;
  Scheduler scheduler;

  const std::shared_ptr<Doorbell> bell = std::make_shared<Doorbell>();
  std::vector<std::unique_ptr<Sequence>> submitted;  // under bell->mutex, as are the next two
  int64_t n_submitted = 0;                           // of all time
  bool stopping = false;
  uint64_t rings_heard = 0;                          // of the worker
  EngineStatus counted;    // of the worker
  std::mutex status_mutex;
  EngineStatus published;  // under status_mutex
  std::thread worker;
};

// Moves new requests to the scheduler; waits for one when there is nothing else to do. False: stop.
bool Engine::Impl::take_submissions() {
  std::unique_lock lock(bell->mutex);
  if (scheduler.idle()) bell->wake.wait(lock, [&] { return stopping || !submitted.empty(); });
  for (auto& s : submitted) {
    scheduler.add(std::move(s));
    rings_heard = kNotHeard;  // it may have rung before it was here
  }
  submitted.clear();
  return !stopping;
}

void Engine::Impl::loop() {
  while (take_submissions()) {
    step();
    publish();
  }
  for (Sequence* s : scheduler.all()) finish(*s, FinishReason::kCancelled);
}

void Engine::Impl::publish() {
  const SchedulerCounts& counts = scheduler.counts();
  counted.running = scheduler.n_running();
  counted.sequences.clear();
  for (const auto& s : scheduler.running()) {
    counted.sequences.push_back({s->number, s->n_prompt, s->stats.generated_tokens, s->request.max_tokens});
  }
  counted.waiting = scheduler.n_waiting();
  counted.kv_pages = scheduler.pages().n_pages();
  counted.kv_pages_used = scheduler.pages().n_owned();
  counted.kv_page_tokens = kKvPage;
  counted.prefix_queries = counts.prefix_queries;
  counted.prefix_hits = counts.prefix_hits;
  counted.preemptions = counts.preemptions;
  const std::lock_guard lock(status_mutex);
  published = counted;
}

void Engine::Impl::step() {
  listen();
  if (scheduler.idle()) return;
  Batch batch;
  const std::vector<ScheduledSlice> slices = scheduler.schedule(batch);
  if (scheduler.n_running() == 0) return wait_for_readers();
  try {
    if (slices.empty()) fail(ErrorCode::kInternal, "no pages left for the only sequence");
    run_step(batch, slices);
  } catch (const std::exception& e) {
    // What fails here is the step, not one request: all of its kind end, the loop goes on with new ones.
    for (Sequence* s : scheduler.all()) fail_sequence(*s, e.what());
  }
}

// Ends what was given up or is too long, and takes back what is read again. Looks at those that only wait when there was a ring.
void Engine::Impl::listen() {
  const uint64_t rings = bell->rings();
  if (std::exchange(rings_heard, rings) != rings) {
    for (Sequence* s : scheduler.all()) {
      if (s->state->is_cancelled()) finish(*s, FinishReason::kCancelled);
    }
    scheduler.take_back();
  }
  for (std::size_t i = scheduler.running().size(); i-- > 0;) {  // from the end: finish() removes it
    Sequence& s = *scheduler.running()[i];
    if (static_cast<int64_t>(s.tokens.size()) > options.n_ctx) finish(s, FinishReason::kContextFull);
  }
}

// All answers are set aside.
void Engine::Impl::wait_for_readers() {
  std::unique_lock lock(bell->mutex);
  bell->wake.wait(lock, [&] { return stopping || !submitted.empty() || bell->rings() != rings_heard; });
}

// What was computed with weights that their file has lost is nobody's answer.
void Engine::Impl::check_files() const {
  for (const auto& file : files) file->check_whole();
}

void Engine::Impl::run_step(const Batch& batch, const std::vector<ScheduledSlice>& slices) {
  const auto now = Sequence::Clock::now();
  for (const ScheduledSlice& slice : slices) {
    Sequence& s = *slice.sequence;
    if (s.has_started) continue;
    s.has_started = true;
    s.started = now;
    s.stats.queue_seconds = seconds(now - s.submitted);
  }
  const std::span<const float> logits = executor.run(batch, &kv);
  check_files();
  count_step(static_cast<int64_t>(batch.tokens.size()));
  const auto n = static_cast<std::size_t>(width);
  for (const ScheduledSlice& slice : slices) {
    deliver(slice, logits.subspan(static_cast<std::size_t>(slice.first_output) * n,
                                  static_cast<std::size_t>(slice.n_outputs) * n));
  }
}

void Engine::Impl::deliver(const ScheduledSlice& slice, std::span<const float> logits) {
  Sequence& s = *slice.sequence;
  const auto n = static_cast<std::size_t>(width);
  const int64_t first = s.n_cached;
  scheduler.advance(slice);
  counted.prompt_tokens += std::max<int64_t>(0, std::min(s.n_cached, s.n_prompt) - first);
  std::size_t row = 0;
  for (int64_t p = first; p < s.n_cached; ++p) {
    if (s.wants_logits(p)) s.request.on_prompt_logits(p, logits.subspan(row * n, n));
    if (s.wants_logits(p) || p == static_cast<int64_t>(s.tokens.size()) - 1) ++row;
  }
  s.request.first_logits = std::max(s.request.first_logits, s.n_cached);  // not again after a preemption
  if (s.pending() > 0) return;
  if (s.request.max_tokens == 0) {
    s.first_token = Sequence::Clock::now();
    s.stats.prompt_seconds = seconds(s.first_token - s.started);
    return finish(s, FinishReason::kMaxTokens);
  }
  std::optional<FinishReason> end;
  try {
    const TokenId token = s.sample(logits.last(n));
    std::optional<TokenLogprob> logprob;
    if (s.request.n_logprobs >= 0) logprob = s.logprobs.of(logits.last(n), token, s.request.n_logprobs);
    count_token(s, token);
    end = add_token(s, token, std::move(logprob));
  } catch (const std::exception& e) {  // a constraint that cannot be kept ends its own answer, not its neighbours'
    return fail_sequence(s, e.what());
  }
  if (end) return finish(s, *end);
  Event event;
  if (!s.text.release(event)) return;
  event.stats = s.stats;
  s.state->push(std::move(event));
}

void Engine::Impl::count_step(int64_t n_tokens) {
  ++counted.steps;
  counted.step_tokens += n_tokens;
  const auto& bounds = EngineStatus::kStepBounds;
  ++counted.steps_by_tokens[static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), n_tokens) - bounds.begin())];
}

void Engine::Impl::count_token(Sequence& s, TokenId token) {
  const auto now = Sequence::Clock::now();
  if (s.stats.generated_tokens == 0) {
    s.first_token = now;
    s.stats.prompt_seconds = seconds(now - s.started);
  }
  s.stats.generation_seconds = seconds(now - s.first_token);
  ++s.stats.generated_tokens;
  ++counted.generated_tokens;
  s.sampler.accept(token);
  s.tokens.push_back(token);
}

// Adds a token to the answer's text. How the answer ends with it, if it does.
std::optional<FinishReason> Engine::Impl::add_token(Sequence& s, TokenId token, std::optional<TokenLogprob> logprob) {
  const bool may_be_end = tokenizer != nullptr && tokenizer->is_end_of_generation(token);
  const bool is_end = may_be_end && !s.request.ignore_end;
  const bool is_hidden = may_be_end && !s.request.show_end;
  const bool is_stop = !is_end && s.is_stop_token(token);
  s.text.push({.id = token,
               .logprob = std::move(logprob),
               .is_text = !is_end && !is_stop,
               .dropped = is_hidden ? std::string::npos : s.gate ? s.gate->dropped() : 0,
               .looks_for_stops = s.stats.generated_tokens > s.request.min_tokens});
  if (is_end) return FinishReason::kEndOfText;
  if (is_stop) s.stop_token = token;
  if (is_stop || s.text.stopped()) return FinishReason::kStopString;
  if (s.gate && s.gate->is_finished()) return FinishReason::kEndOfText;
  if (s.request.max_tokens > 0 && s.stats.generated_tokens >= s.request.max_tokens) return FinishReason::kMaxTokens;
  return std::nullopt;
}

void Engine::Impl::finish(Sequence& s, FinishReason reason, Event event) {
  s.text.finish(event);
  event.done = true;
  event.reason = reason;
  if (reason == FinishReason::kStopString) {
    event.stop_string = s.text.stop_string();
    event.stop_token = s.stop_token;
  }
  event.stats = s.stats;
  const std::shared_ptr<Generation::State> state = s.state;
  scheduler.remove(&s);
  publish();  // who sees the end does not see its pages in use
  state->push(std::move(event));
}

void Engine::Impl::fail_sequence(Sequence& s, std::string error) {
  Event event;
  event.error = std::move(error);
  finish(s, FinishReason::kError, std::move(event));
}

void Engine::check_request(const GenerateRequest& request) const {
  const int64_t n_vocab = impl_->model->config.n_vocab;
  const auto check_token = [&](TokenId t) {
    if (t < 0 || t >= n_vocab) fail(ErrorCode::kInvalidInput, "token id {} is not in the vocabulary of {}", t, n_vocab);
  };
  if (request.prompt.empty()) fail(ErrorCode::kInvalidInput, "the prompt has no tokens");
  if (impl_->options.output != GraphOutput::kLogits && request.max_tokens != 0) {
    fail(ErrorCode::kInvalidInput, "this engine makes embeddings or scores, not tokens");
  }
  if (static_cast<int64_t>(request.prompt.size()) > max_prompt()) {
    throw Error(ErrorCode::kLimit,
                fmt::format("the prompt has {} tokens but the context holds {}", request.prompt.size(), max_prompt()),
                "shorten it or ask for a larger context");
  }
  for (const TokenId t : request.prompt) check_token(t);
  for (const TokenId t : request.stop_tokens) check_token(t);
  request.sampling.validate(static_cast<int32_t>(n_vocab));
  if (request.n_logprobs < -1 || request.n_logprobs > limits::kMaxLogprobs) {
    fail(ErrorCode::kInvalidInput, "log probabilities of {} tokens, at most {} are given", request.n_logprobs, limits::kMaxLogprobs);
  }
  if (request.min_tokens < 0) fail(ErrorCode::kInvalidInput, "min_tokens is {}, it must not be negative", request.min_tokens);
  if (request.calls) {
    const auto fits = [&](const HeldCalls::Opening& opening) {
      return opening.call && opening.call->n_vocab() <= n_vocab && !(opening.mark.empty() && opening.begins.empty());
    };
    const auto& openings = request.calls->openings;
    const bool begins_well = (!request.calls->open || *request.calls->open < openings.size()) &&
                             (!request.calls->in_aside || *request.calls->in_aside < request.calls->asides.size());
    if (!has_tokenizer() || !begins_well || !std::all_of(openings.begin(), openings.end(), fits)) {
      fail(ErrorCode::kInvalidInput, "calls that are held need marks and constraints of this model's vocabulary");
    }
  }
  if (!request.constraint) {
    if (!request.constraint_after.empty()) fail(ErrorCode::kInvalidInput, "there is a mark to hold the answer after, but no constraint");
    if (request.constraint_or) fail(ErrorCode::kInvalidInput, "there is a second constraint, but no first one");
    return;
  }
  if (request.calls) fail(ErrorCode::kInvalidInput, "an answer that is held to a constraint has no text in which calls could be held");
  if (request.constraint_or && request.constraint_or->n_vocab() > n_vocab) {
    fail(ErrorCode::kInvalidInput, "the second constraint is of a vocabulary of {} tokens, the model's has {}", request.constraint_or->n_vocab(), n_vocab);
  }
  if (request.constraint->n_vocab() > n_vocab || !has_tokenizer()) {
    fail(ErrorCode::kInvalidInput, "the constraint is of a vocabulary of {} tokens, the model's has {}", request.constraint->n_vocab(), n_vocab);
  }
  if (request.ignore_end) fail(ErrorCode::kInvalidInput, "a constrained answer cannot go on after its end");
  if (request.constraint_waits_for != kNoToken) check_token(request.constraint_waits_for);
}

Engine::Engine(std::shared_ptr<const Model> model, EngineOptions options)
    : impl_(std::make_unique<Impl>(std::move(model), std::move(options))) {}
Engine::~Engine() = default;

std::unique_ptr<Generation> Engine::submit(GenerateRequest request) {
  check_request(request);
  auto state = std::make_shared<Generation::State>(impl_->bell);
  state->on_event = std::exchange(request.on_event, {});
  state->max_unread = request.max_unread_bytes;
  const SequenceContext context{impl_->tokenizer.get(), &impl_->ends, impl_->roots.root(request.cache_salt)};
  auto sequence = std::make_unique<Sequence>(std::move(request), state, context);
  {
    const std::lock_guard lock(impl_->bell->mutex);
    if (impl_->stopping) fail(ErrorCode::kCancelled, "the engine stops");
    sequence->number = impl_->n_submitted++;
    impl_->submitted.push_back(std::move(sequence));
  }
  impl_->bell->wake.notify_all();
  return std::unique_ptr<Generation>(new Generation(std::move(state)));
}

EngineStatus Engine::status() const {
  EngineStatus status;
  {
    const std::lock_guard lock(impl_->status_mutex);
    status = impl_->published;
  }
  const std::lock_guard lock(impl_->bell->mutex);
  status.waiting += static_cast<int>(impl_->submitted.size());
  return status;
}

const Model& Engine::model() const { return *impl_->model; }
const EngineOptions& Engine::options() const { return impl_->options; }
bool Engine::has_tokenizer() const { return impl_->tokenizer != nullptr; }

const Tokenizer& Engine::tokenizer() const {
  if (impl_->tokenizer == nullptr) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no tokenizer came with this model", impl_->model->path.filename().string()),
                "name one with --tokenizer");
  }
  return *impl_->tokenizer;
}

int64_t Engine::n_ctx() const { return impl_->options.n_ctx; }
int64_t Engine::max_prompt() const {
  return sees_both_sides(impl_->graph) ? std::min(n_ctx(), impl_->options.n_batch) : n_ctx();
}
int Engine::n_threads() const { return impl_->options.n_threads; }
Isa Engine::isa() const { return chosen_isa(); }
bool Engine::exact() const { return computes_in_f32(impl_->options.kv_type); }

KvType best_kv_type() { return kernels_for(chosen_isa()).bf16_products() ? KvType::kBf16 : KvType::kF16; }
uint64_t Engine::kv_bytes() const {
  return KvCache::bytes_for(kv_layers(impl_->executor.graph()), impl_->options.kv_type, impl_->kv.n_pages() * kKvPage);
}
uint64_t Engine::packed_bytes() const { return impl_->executor.packed_bytes(); }
bool Engine::found_packed() const { return impl_->executor.found_packed(); }

}  // namespace minnow
