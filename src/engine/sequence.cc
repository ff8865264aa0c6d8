#include "engine/sequence.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"

namespace minnow {

namespace {

// Puts what came before an event in front of it.
void join(Event before, Event& event) {
  const auto prepend = [](auto& first, auto& second) {
    first.insert(first.end(), std::make_move_iterator(second.begin()), std::make_move_iterator(second.end()));
    second = std::move(first);
  };
  prepend(before.text, event.text);
  prepend(before.tokens, event.tokens);
  prepend(before.logprobs, event.logprobs);
}

// What an event holds for the reader. Of joined events it is the sum.
std::size_t bytes_of(const Event& event) {
  std::size_t bytes = event.text.size() + event.tokens.size() * sizeof(TokenId);
  for (const TokenLogprob& token : event.logprobs) {
    bytes += sizeof(TokenLogprob) + token.bytes.size() + token.top.size() * sizeof(TokenLogprob::Choice);
    for (const TokenLogprob::Choice& choice : token.top) bytes += choice.bytes.size();
  }
  return bytes;
}

// What ends this answer, for a step of sampling that asks.
std::vector<TokenId> ends_of(const GenerateRequest& request, const SequenceContext& context) {
  if (!request.sampling.infill) return {};
  std::vector<TokenId> ends = request.stop_tokens;
  if (!request.ignore_end) ends.insert(ends.end(), context.ends->begin(), context.ends->end());
  return ends;
}

}  // namespace

void Generation::State::push(Event event) {
  {
    const std::lock_guard lock(mutex);
    unread += bytes_of(event);
    // A slow reader costs one growing event, not a queue of them.
    if (!events.empty() && !events.back().done) {
      join(std::move(events.back()), event);
      events.back() = std::move(event);
    } else {
      events.push_back(std::move(event));
    }
  }
  arrived.notify_all();
  const std::lock_guard lock(callback);
  try {
    if (on_event) on_event();
  } catch (const std::exception&) {  // of one request; the events are there all the same
  }
}

std::optional<Event> Generation::State::take() {
  if (events.empty()) return std::nullopt;
  Event event = std::move(events.front());
  events.pop_front();
  const bool was_behind = is_behind();
  unread -= bytes_of(event);
  if (was_behind && !is_behind()) bell->ring();
  return event;
}

Sequence::Sequence(GenerateRequest r, std::shared_ptr<Generation::State> s, const SequenceContext& context)
    : request(std::move(r)),
      state(std::move(s)),
      sampler(request.sampling, context.tokenizer, ends_of(request, context)),
      text(request, context.tokenizer),
      logprobs(context.tokenizer),
      tokens(std::move(request.prompt)),
      n_prompt(static_cast<int64_t>(tokens.size())),
      prefixes{context.root},
      submitted(Clock::now()),
      ends_(context.ends) {
  for (const TokenId t : tokens) sampler.accept(t);
  stats.prompt_tokens = n_prompt;
  if (request.constraint || request.calls) gate.emplace(request, *context.tokenizer);
}

bool Sequence::is_stop_token(TokenId token) const {
  return std::find(request.stop_tokens.begin(), request.stop_tokens.end(), token) != request.stop_tokens.end();
}

void Sequence::rest() {
  sampler.rest();
  logprobs.rest();
  allowed_ = std::vector<uint32_t>();
}

// Fills allowed_. False: no token is.
bool Sequence::mask() {
  const bool is_free = !gate || gate->is_free();
  if (is_free) std::fill(allowed_.begin(), allowed_.end(), ~0u);
  else if (!gate->mask(allowed_)) return false;
  const auto forbid = [&](const std::vector<TokenId>& some) {
    for (const TokenId t : some) {
      const auto i = static_cast<std::size_t>(t);
      if (i < allowed_.size() * 32) allowed_[i / 32] &= ~(1u << (i % 32));
    }
  };
  if ((gate && is_free && !gate->may_end()) || (must_go_on() && !request.ignore_end)) forbid(*ends_);
  if (must_go_on()) forbid(request.stop_tokens);
  const auto any = [&] { return std::any_of(allowed_.begin(), allowed_.end(), [](uint32_t word) { return word != 0; }); };
  if (!any() && !is_free && !gate->mask(allowed_)) return false;  // whole by its constraint
  if (request.sampling.allowed_tokens.empty()) return any();
  std::vector<uint32_t> wanted(allowed_.size());
  for (const TokenId t : request.sampling.allowed_tokens) {
    const auto i = static_cast<std::size_t>(t);
    if (i < allowed_.size() * 32) wanted[i / 32] |= 1u << (i % 32);
  }
  for (std::size_t i = 0; i < allowed_.size(); ++i) allowed_[i] &= wanted[i];
  return any();
}

TokenId Sequence::sample(std::span<const float> logits) {
  if (!gate && !must_go_on()) return sampler.sample(logits);
  allowed_.resize((logits.size() + 31) / 32);
  bool any = mask();
  while (any) {
    const TokenId token = sampler.sample(logits, allowed_);
    if (!gate || gate->accept(token)) return token;
    if (!gate->is_free()) fail(ErrorCode::kInternal, "token {} was drawn, which the constraint forbids", token);
    // It would end the mark within other text: not this one.
    const auto i = static_cast<std::size_t>(token);
    allowed_[i / 32] &= ~(1u << (i % 32));
    any = std::any_of(allowed_.begin(), allowed_.end(), [](uint32_t word) { return word != 0; });
  }
  const bool is_narrowed = !request.sampling.allowed_tokens.empty();
  throw Error(ErrorCode::kInvalidInput,
              fmt::format("{} no token for what has to come next", is_narrowed ? "allowed_token_ids has" : "the vocabulary has"));
}

Generation::Generation(std::shared_ptr<State> state) : state_(std::move(state)) {}

Generation::~Generation() {
  cancel();
  std::function<void()> gone;  // destroyed without the lock: what it holds may be anything
  const std::lock_guard lock(state_->callback);
  gone.swap(state_->on_event);
}

void Generation::cancel() {
  if (!state_->cancelled.exchange(true)) state_->bell->ring();
}

std::optional<Event> Generation::next_for(std::chrono::milliseconds timeout) {
  std::unique_lock lock(state_->mutex);
  state_->arrived.wait_for(lock, timeout, [&] { return !state_->events.empty(); });
  return state_->take();
}

std::optional<Event> Generation::try_next() {
  const std::lock_guard lock(state_->mutex);
  return state_->take();
}

Event Generation::next() {
  while (true) {
    if (auto event = next_for(std::chrono::hours(1))) return std::move(*event);
  }
}

Event Generation::wait() {
  Event all;
  while (!all.done) {
    Event event = next();
    join(std::move(all), event);
    all = std::move(event);
  }
  if (all.reason == FinishReason::kError) throw Error(ErrorCode::kInternal, all.error);
  return all;
}

std::string_view name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndOfText: return "stop";
    case FinishReason::kStopString: return "stop_string";
    case FinishReason::kMaxTokens: return "length";
    case FinishReason::kContextFull: return "context_full";
    case FinishReason::kCancelled: return "cancelled";
    case FinishReason::kError: return "error";
  }
  return "?";
}

}  // namespace minnow
