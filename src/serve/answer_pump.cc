#include "serve/answer_pump.h"

#include <algorithm>

namespace minnow {

AnswerPump::AnswerPump(PreparedAnswer& answer)
    : answer_(answer), replies_(answer.answers.size()), done_(answer.answers.size(), false), generated_(answer.answers.size(), 0) {}

AnswerPump::Taken AnswerPump::take(std::string& out, std::size_t max_bytes) {
  Taken taken;
  bool found = true;
  while (found && !error_) {
    found = false;
    for (std::size_t choice = 0; choice < answer_.answers.size() && !error_; ++choice) {
      if (done_[choice]) continue;
      if (out.size() >= max_bytes) {
        taken.more = true;
        return taken;
      }
      const std::optional<ChatEvent> event = answer_.answers[choice]->try_next();
      if (!event) continue;
      found = true;
      ++taken.events;
      taken.tokens += static_cast<int64_t>(event->tokens.size());
      take_event(choice, *event, out);
    }
  }
  return taken;
}

void AnswerPump::take_event(std::size_t choice, const ChatEvent& event, std::string& out) {
  ChatReply& reply = replies_[choice];
  note(choice, event);
  if (event.done) {
    if (event.reason == FinishReason::kError) {
      error_.emplace(ErrorCode::kInternal, event.error.empty() ? "the answer could not be made" : event.error);
      return;
    }
    if (event.reason == FinishReason::kCancelled) {
      error_.emplace(ErrorCode::kCancelled, "the answer was stopped by the server");
      return;
    }
  }
  if (answer_.stream) {
    answer_.format->event(static_cast<int>(choice), event, out);
  } else {
    reply.append(event);
  }
}

void AnswerPump::note(std::size_t choice, const ChatEvent& event) {
  generated_[choice] += static_cast<int64_t>(event.tokens.size());
  if (!event.done) return;
  done_[choice] = true;
  ++n_done_;
  replies_[choice].reason = event.reason;
  replies_[choice].stats = event.stats;
}

bool AnswerPump::settle() {
  for (std::size_t choice = 0; choice < answer_.answers.size(); ++choice) {
    while (!done_[choice]) {
      const std::optional<ChatEvent> event = answer_.answers[choice]->try_next();
      if (!event) break;
      note(choice, *event);
    }
  }
  return n_done_ == answer_.answers.size();
}

void AnswerPump::cancel() {
  for (const auto& answer : answer_.answers) answer->cancel();
}

void AnswerPump::add_facts(RequestFacts& facts) const {
  for (std::size_t choice = 0; choice < replies_.size(); ++choice) {
    const GenerationStats& stats = replies_[choice].stats;  // zeros before the end
    facts.prompt_tokens += stats.prompt_tokens;
    facts.reused_tokens += stats.reused_tokens;
    const int64_t generated = done_[choice] ? stats.generated_tokens : generated_[choice];
    facts.generated_tokens += generated;
    facts.longest_tokens = std::max(facts.longest_tokens, generated);
    facts.queue_seconds = std::max(facts.queue_seconds, stats.queue_seconds);
    facts.prompt_seconds = std::max(facts.prompt_seconds, stats.prompt_seconds);
    facts.generation_seconds = std::max(facts.generation_seconds, stats.generation_seconds);
    if (choice == 0 && done_[0]) facts.reason = replies_[0].reason;
  }
}

}  // namespace minnow
