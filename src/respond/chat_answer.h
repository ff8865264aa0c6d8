// An answer to a chat as it is generated, in structure.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "text/chat_output/chat_output_parser.h"

namespace minnow {

struct ChatEvent {
  std::vector<ChatOutputEvent> output;  // content, reasoning and tool calls, in order
  bool done = false;                    // the last event; what follows is set only then
  FinishReason reason = FinishReason::kEndOfText;
  std::string error;                    // for kError
  GenerationStats stats;
};

struct ToolCall {
  std::string id;         // empty where the family writes none
  std::string name;
  std::string arguments;  // one JSON object
};

// A whole answer.
struct ChatReply {
  std::string content, reasoning;
  std::vector<ToolCall> calls;
  std::vector<TokenId> tokens;
  FinishReason reason = FinishReason::kEndOfText;
  GenerationStats stats;

  void append(const ChatOutputEvent& event);
};

// Destroying it cancels what is still running.
class ChatAnswer {
 public:
  // Without a parser everything is content.
  ChatAnswer(std::unique_ptr<Generation> generation, std::optional<ChatOutputParser> parser);

  // The next event; waits for it. After the one with done set there are no more.
  ChatEvent next() { return take(generation_->next()); }
  // The same, but nullopt when none arrives in time.
  std::optional<ChatEvent> next_for(std::chrono::milliseconds timeout);
  // Joins all events. Throws Error for kError.
  ChatReply wait();
  void cancel() { generation_->cancel(); }

 private:
  ChatEvent take(Event event);
  std::unique_ptr<Generation> generation_;
  std::optional<ChatOutputParser> parser_;
  std::vector<TokenId> tokens_;
};

}  // namespace minnow
