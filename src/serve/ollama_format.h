// Answers of /api/generate and /api/chat: one object, or one for each piece and a last one that says how it went.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "serve/answer_format.h"
#include "serve/openai_objects.h"

namespace minnow {

struct OllamaFormatOptions {
  bool is_chat = false;
  std::string model;               // as the request names it
  bool logprobs = false;
  bool returns_context = false;    // the last object holds the tokens of `prompt` and of the answer
  std::vector<TokenId> prompt = {};
  int64_t started = 0;             // when the request came: nanoseconds since 1970
  int64_t load_nanoseconds = 0;    // until the model was at hand
  std::function<int64_t()> now;    // nanoseconds since 1970
  MakeId make_id = random_id;      // of calls that the model gives none
  std::function<bool(TokenId)> is_end = {};  // tokens that end a text: they have no place in logprobs
};

class OllamaFormat final : public AnswerFormat {
 public:
  explicit OllamaFormat(OllamaFormatOptions options) : options_(std::move(options)) {}

  void event(int index, const ChatEvent& event, std::string& out) override;
  void end(std::string&) override {}
  void error(const Error& error, std::string& out) override;
  std::string_view stream_content_type() const override { return "application/x-ndjson"; }
  std::string_view ping() const override { return {}; }  // NDJSON has no comments
  HttpResponse whole(const std::vector<ChatReply>& replies) override;

 private:
  struct Piece {
    std::string content, thinking;
    OrderedJson calls = OrderedJson::array();
    bool is_empty() const { return content.empty() && thinking.empty() && calls.empty(); }
  };
  struct End {
    FinishReason reason;
    const GenerationStats& stats;
    const std::vector<TokenId>& tokens;
  };
  Piece take(const std::vector<ChatOutputEvent>& output);
  OrderedJson call(const ToolCall& call, std::size_t index) const;
  OrderedJson object(const Piece& piece, bool done) const;
  void add_end(OrderedJson& object, const End& end) const;
  void add_logprobs(OrderedJson& object, const std::vector<TokenLogprob>& logprobs) const;

  OllamaFormatOptions options_;
  ToolCall growing_;                    // the call that is being made
  std::size_t n_calls_ = 0;
  std::vector<TokenLogprob> logprobs_;  // of what the next object says
  std::vector<TokenId> tokens_;         // of the answer, for its context
};

// The one object of a request that only loads or unloads a model.
HttpResponse ollama_load_answer(bool is_chat, const std::string& model, std::string_view done_reason, int64_t unix_nanoseconds);

// Nanoseconds since 1970, now.
int64_t unix_nanoseconds_now();

}  // namespace minnow
