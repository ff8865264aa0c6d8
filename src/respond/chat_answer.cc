#include "respond/chat_answer.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"

namespace minnow {

void ChatReply::append(const ChatOutputEvent& e) {
  using Kind = ChatOutputEvent::Kind;
  switch (e.kind) {
    case Kind::kContent: content += e.text; break;
    case Kind::kReasoning: reasoning += e.text; break;
    case Kind::kCallBegin: calls.push_back({e.id, e.text, {}}); break;
    case Kind::kCallArguments: calls.back().arguments += e.text; break;
    case Kind::kCallEnd:
      if (!e.id.empty()) calls.back().id = e.id;
      break;
    case Kind::kCallBroken: calls.pop_back(); break;
  }
}

void ChatReply::append(const ChatEvent& event) {
  for (const ChatOutputEvent& e : event.output) append(e);
  tokens.insert(tokens.end(), event.tokens.begin(), event.tokens.end());
  logprobs.insert(logprobs.end(), event.logprobs.begin(), event.logprobs.end());
  if (!event.done) return;
  reason = event.reason;
  stop_string = event.stop_string;
  stop_token = event.stop_token;
  error = event.error;
  stats = event.stats;
  reasoning_tokens = event.reasoning_tokens;
}

ChatAnswer::ChatAnswer(std::unique_ptr<AnswerSource> source, std::optional<ChatOutputParser> parser)
    : ChatAnswer(std::move(source), parser ? family_reader(std::move(*parser)) : plain_reader()) {}

ChatAnswer::ChatAnswer(std::unique_ptr<AnswerSource> source, std::unique_ptr<AnswerReader> reader)
    : source_(std::move(source)), reader_(std::move(reader)) {}

ChatEvent ChatAnswer::take(Event event) {
  ChatEvent out{.output = {},
                .tokens = std::move(event.tokens),
                .logprobs = std::move(event.logprobs),
                .done = event.done,
                .reason = event.reason,
                .stop_string = std::move(event.stop_string),
                .stop_token = event.stop_token,
                .error = std::move(event.error),
                .stats = event.stats,
                .reasoning_tokens = n_reasoning_};
  if (is_cut_) {  // what follows was never asked for
    out.tokens.clear();
    out.logprobs.clear();
    end_as_cut(out);
    return out;
  }
  if (lines_) {
    event.text = lines_->push(event.text, LineGuard::Clock::now());
    if (out.done) event.text += lines_->finish();
  }
  out.output = reader_->feed(event.text);
  if (out.done) {
    auto rest = reader_->finish();
    std::move(rest.begin(), rest.end(), std::back_inserter(out.output));
  }
  count_reasoning(out);
  out.reasoning_tokens = n_reasoning_;
  if (one_call_) cut(out);
  if (lines_ && lines_->is_over()) {
    is_cut_ = true;
    if (out.done) end_as_cut(out);
    else source_->cancel();
  }
  return out;
}

// Tokens without output belong to what comes next.
void ChatAnswer::count_reasoning(const ChatEvent& event) {
  n_uncounted_ += static_cast<int64_t>(event.tokens.size());
  std::size_t all = 0, reasoning = 0;
  for (const ChatOutputEvent& e : event.output) {
    all += e.text.size();
    if (e.kind == ChatOutputEvent::Kind::kReasoning) reasoning += e.text.size();
  }
  if (all == 0) return;
  n_reasoning_ += static_cast<int64_t>(static_cast<double>(n_uncounted_) * static_cast<double>(reasoning) / static_cast<double>(all) + 0.5);
  n_uncounted_ = 0;
}

void ChatAnswer::cut(ChatEvent& event) {
  const auto is_end = [](const ChatOutputEvent& e) { return e.kind == ChatOutputEvent::Kind::kCallEnd; };
  const auto end = std::find_if(event.output.begin(), event.output.end(), is_end);
  if (end == event.output.end()) return;
  event.output.erase(std::next(end), event.output.end());
  is_cut_ = true;
  if (event.done) end_as_cut(event);
  else source_->cancel();
}

void ChatAnswer::end_as_cut(ChatEvent& event) const {
  event.reason = lines_ ? FinishReason::kMaxTokens : FinishReason::kEndOfText;
  event.stop_string.clear();
  event.stop_token = kNoToken;
  event.error.clear();
}

ChatEvent ChatAnswer::next() {
  while (true) {
    const bool was_cut = is_cut_;
    ChatEvent event = take(source_->next());
    if (!was_cut || event.done) return event;
  }
}

std::optional<ChatEvent> ChatAnswer::next_for(std::chrono::milliseconds timeout) {
  const bool was_cut = is_cut_;
  auto event = source_->next_for(timeout);
  if (!event || (was_cut && !event->done)) return std::nullopt;
  return take(std::move(*event));
}

std::optional<ChatEvent> ChatAnswer::try_next() {
  while (auto event = source_->try_next()) {
    if (!is_cut_ || event->done) return take(std::move(*event));
  }
  return std::nullopt;
}

ChatReply ChatAnswer::wait() {
  ChatReply reply;
  ChatEvent event;
  do {
    event = next();
    reply.append(event);
  } while (!event.done);
  if (event.reason == FinishReason::kError) throw Error(ErrorCode::kInternal, event.error);
  return reply;
}

}  // namespace minnow
