// An answer to a chat as it is generated, in structure.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "respond/answer_reader.h"
#include "respond/line_guard.h"
#include "text/chat_output/chat_output_parser.h"

namespace minnow {

struct ChatEvent {
  std::vector<ChatOutputEvent> output;  // content, reasoning and tool calls, in order
  // Made since the last event, marks of the family and the token that ended the answer included. The output that they belong to
  // may come later, when it is known what it is.
  std::vector<TokenId> tokens;
  std::vector<TokenLogprob> logprobs;   // of the tokens, as in Event
  bool done = false;                    // the last event; what follows is set only then
  FinishReason reason = FinishReason::kEndOfText;
  std::string stop_string;              // for kStopString: the one that was found, or
  TokenId stop_token = kNoToken;        // the token that was
  std::string error;                    // for kError
  GenerationStats stats;                // as in Event
  int64_t reasoning_tokens = 0;         // of the whole answer, as far as events tell: one with both is counted by lengths of texts
};

struct ToolCall {
  std::string id;         // empty where the family writes none
  std::string name;
  std::string arguments;  // one JSON object, or a part of one where the answer ended within a call that was demanded
};

// A whole answer.
struct ChatReply {
  std::string content, reasoning;
  std::vector<ToolCall> calls;
  std::vector<TokenId> tokens;
  std::vector<TokenLogprob> logprobs;
  FinishReason reason = FinishReason::kEndOfText;
  std::string stop_string;
  TokenId stop_token = kNoToken;
  std::string error;  // for kError
  GenerationStats stats;
  int64_t reasoning_tokens = 0;

  void append(const ChatOutputEvent& event);
  // Everything of an event, the end included.
  void append(const ChatEvent& event);
};

// Destroying it cancels what is still running. Used by one thread at a time, but for cancel().
class ChatAnswer {
 public:
  // Without a parser everything is content.
  ChatAnswer(std::unique_ptr<AnswerSource> source, std::optional<ChatOutputParser> parser);
  ChatAnswer(std::unique_ptr<AnswerSource> source, std::unique_ptr<AnswerReader> reader);

  // The answer is over when its first call is whole: what would follow is not generated, and the reason is kEndOfText.
  void end_after_first_call() { one_call_ = true; }
  // Of a text: what follows the line where it ends is not generated, and the reason is kMaxTokens.
  void limit_lines(LineLimits limits) { lines_.emplace(limits); }

  // The next event; waits for it. After the one with done set there are no more.
  ChatEvent next();
  // The same, but nullopt when none arrives in time.
  std::optional<ChatEvent> next_for(std::chrono::milliseconds timeout);
  // The same without waiting. After on_event was called, take events until there is none.
  std::optional<ChatEvent> try_next();
  // Joins all events. Throws Error for kError.
  ChatReply wait();
  // Any thread; returns at once. The last event follows soon.
  void cancel() { source_->cancel(); }

 private:
  ChatEvent take(Event event);
  void cut(ChatEvent& event);
  void count_reasoning(const ChatEvent& event);
  void end_as_cut(ChatEvent& event) const;

  std::unique_ptr<AnswerSource> source_;
  std::unique_ptr<AnswerReader> reader_;
  std::optional<LineGuard> lines_;
  bool one_call_ = false, is_cut_ = false;
  int64_t n_uncounted_ = 0, n_reasoning_ = 0;  // tokens
};

}  // namespace minnow
