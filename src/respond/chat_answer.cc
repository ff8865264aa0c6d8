#include "respond/chat_answer.h"

#include <algorithm>

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

ChatAnswer::ChatAnswer(std::unique_ptr<Generation> generation, std::optional<ChatOutputParser> parser)
    : generation_(std::move(generation)), parser_(std::move(parser)) {}

ChatEvent ChatAnswer::take(Event event) {
  tokens_.insert(tokens_.end(), event.tokens.begin(), event.tokens.end());
  ChatEvent out{.done = event.done, .reason = event.reason, .error = std::move(event.error), .stats = event.stats};
  if (!parser_) {
    if (!event.text.empty()) out.output.push_back({ChatOutputEvent::Kind::kContent, 0, std::move(event.text), {}});
    return out;
  }
  out.output = parser_->feed(event.text);
  if (event.done) {
    auto rest = parser_->finish();
    std::move(rest.begin(), rest.end(), std::back_inserter(out.output));
  }
  return out;
}

std::optional<ChatEvent> ChatAnswer::next_for(std::chrono::milliseconds timeout) {
  auto event = generation_->next_for(timeout);
  if (!event) return std::nullopt;
  return take(std::move(*event));
}

ChatReply ChatAnswer::wait() {
  ChatReply message;
  ChatEvent event;
  do {
    event = next();
    for (const ChatOutputEvent& e : event.output) message.append(e);
  } while (!event.done);
  if (event.reason == FinishReason::kError) throw Error(ErrorCode::kInternal, event.error);
  message.tokens = tokens_;
  message.reason = event.reason;
  message.stats = event.stats;
  return message;
}

}  // namespace minnow
