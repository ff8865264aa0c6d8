// Answers of /v1/messages: the whole message, and the events of a stream.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "serve/answer_format.h"
#include "serve/openai_objects.h"

namespace minnow {

struct AnthropicFormatOptions {
  std::string id;                  // "msg_…"
  std::string model;
  std::string request_id;
  int64_t prompt_tokens = 0;       // for the beginning of a stream whose first event does not tell
  MakeId make_id = random_id;      // of calls that the model gives none
};

class AnthropicFormat final : public AnswerFormat {
 public:
  explicit AnthropicFormat(AnthropicFormatOptions options) : options_(std::move(options)) {}

  void event(int index, const ChatEvent& event, std::string& out) override;
  void end(std::string& out) override;
  void error(const Error& error, std::string& out) override;
  std::string_view ping() const override;
  HttpResponse whole(const std::vector<ChatReply>& replies) override;

 private:
  enum class Block : uint8_t { kNone, kText, kThinking };
  void begin_message(GenerationStats stats, std::string& out);
  void open(Block block, std::string& out);
  void close(std::string& out);
  void output(const ChatOutputEvent& event, std::string& out);
  void call(std::string& out);

  AnthropicFormatOptions options_;
  bool has_begun_ = false;
  Block block_ = Block::kNone;  // the one that is open
  int index_ = 0;               // of that block, or of the next one
  int n_calls_ = 0;
  ToolCall growing_;            // the call that is being made
};

}  // namespace minnow
