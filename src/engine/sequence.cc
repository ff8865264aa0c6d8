#include "engine/sequence.h"

#include "base/error.h"

namespace minnow {

void Generation::State::push(Event event) {
  {
    const std::lock_guard lock(mutex);
    // A slow reader costs one growing event, not a queue of them.
    if (!events.empty() && !events.back().done) {
      Event& last = events.back();
      event.text.insert(0, last.text);
      event.tokens.insert(event.tokens.begin(), last.tokens.begin(), last.tokens.end());
      last = std::move(event);
    } else {
      events.push_back(std::move(event));
    }
  }
  arrived.notify_all();
}

bool Generation::State::is_cancelled() {
  const std::lock_guard lock(mutex);
  return cancelled;
}

Sequence::Sequence(GenerateRequest r, std::shared_ptr<Generation::State> s, const Tokenizer* tokenizer)
    : request(std::move(r)),
      state(std::move(s)),
      sampler(request.sampling, tokenizer),
      stops(request.stop),
      tokens(request.prompt),
      n_prompt(static_cast<int64_t>(tokens.size())),
      prefixes{kEmptyPrefix},
      submitted(Clock::now()) {
  if (tokenizer != nullptr) decoder.emplace(*tokenizer, /*at_text_start=*/false, request.show_special);
  for (const TokenId t : tokens) sampler.accept(t);
  stats.prompt_tokens = n_prompt;
  if (request.constraint) constraint.emplace(request.constraint);
}

TokenId Sequence::sample(std::span<const float> logits) {
  if (!constraint) return sampler.sample(logits);
  allowed_.resize((logits.size() + 31) / 32);
  if (!constraint->mask(allowed_)) {
    throw Error(ErrorCode::kInvalidInput, "the vocabulary has no token for what the constraint asks for next");
  }
  const TokenId token = sampler.sample(logits, allowed_);
  if (!constraint->accept(token)) fail(ErrorCode::kInternal, "token {} was drawn, which the constraint forbids", token);
  return token;
}

Generation::Generation(std::shared_ptr<State> state) : state_(std::move(state)) {}

Generation::~Generation() { cancel(); }

void Generation::cancel() {
  const std::lock_guard lock(state_->mutex);
  state_->cancelled = true;
}

std::optional<Event> Generation::next_for(std::chrono::milliseconds timeout) {
  std::unique_lock lock(state_->mutex);
  if (!state_->arrived.wait_for(lock, timeout, [&] { return !state_->events.empty(); })) return std::nullopt;
  Event event = std::move(state_->events.front());
  state_->events.pop_front();
  return event;
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
    event.text.insert(0, all.text);
    event.tokens.insert(event.tokens.begin(), all.tokens.begin(), all.tokens.end());
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
