// Answers of llama-server's /completion and /infill.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "serve/answer_format.h"
#include "serve/openai_objects.h"

namespace minnow {

struct LlamaFormatOptions {
  std::string model;
  OrderedJson settings;               // "generation_settings"
  bool stream = false;                // then the last object repeats nothing of those before it
  bool is_array = false;              // several prompts, or choices: whole answers are an array
  bool logprobs = false;
  bool return_tokens = false;
  bool timings_per_token = false;
  std::vector<std::string> response_fields;  // of the last object; empty: all
  std::function<bool(TokenId)> is_end = {};  // tokens that end a text: they have no place in probabilities
  std::function<double()> seconds;           // a clock, for timings_per_token
  struct Choice {
    std::string prompt;
    int64_t prompt_tokens = 0;
  };
  std::vector<Choice> choices;
};

class LlamaFormat final : public AnswerFormat {
 public:
  explicit LlamaFormat(LlamaFormatOptions options);

  void event(int index, const ChatEvent& event, std::string& out) override;
  void end(std::string&) override {}  // the object with "stop": true ends an answer
  void error(const Error& error, std::string& out) override;
  HttpResponse whole(const std::vector<ChatReply>& replies) override;

 private:
  struct Progress {
    int64_t generated = 0;
    double first_event = 0;  // when
    bool has_new_line = false;
    std::vector<TokenLogprob> logprobs;  // of what the next object says
    std::vector<TokenId> tokens;         // likewise
  };
  OrderedJson part(int index, const std::string& text, Progress& progress) const;
  OrderedJson last(int index, const ChatReply& reply, bool has_new_line) const;

  LlamaFormatOptions options_;
  std::vector<Progress> progress_;
  double started_ = 0;
};

// "completion_probabilities".
OrderedJson llama_probabilities_json(const std::vector<TokenLogprob>& logprobs);
// The named fields of an object: "timings/predicted_ms" is one within another, and is named by its last part.
OrderedJson selected_fields(const OrderedJson& object, const std::vector<std::string>& paths);

}  // namespace minnow
