// Answers of /v1/completions: whole and in chunks, which have the same shape.
#pragma once

#include <string>
#include <vector>

#include "serve/answer_format.h"
#include "serve/openai_objects.h"

namespace minnow {

// The four lists that OpenAI had before chats: token by token.
class LegacyLogprobs {
 public:
  // `n_top` alternatives; the token itself is among them in any case. An entry whose logprob is NaN has none.
  void add(const TokenLogprob& logprob, int n_top);
  bool empty() const { return tokens_.empty(); }
  // Clears the lists; offsets go on from where they are.
  OrderedJson take();

 private:
  OrderedJson tokens_ = OrderedJson::array(), logprobs_ = OrderedJson::array();
  OrderedJson top_ = OrderedJson::array(), offsets_ = OrderedJson::array();
  int64_t offset_ = 0;  // characters of the text so far
};

// vLLM's "prompt_logprobs": for each token an object from ids to how likely they are, null for the first. A rank is null where it is
// beyond the alternatives.
OrderedJson prompt_logprobs_json(const std::vector<TokenLogprob>& logprobs, int n_top);

struct CompletionFormatOptions {
  std::string id;  // "cmpl-…"
  int64_t created = 0;
  std::string model;
  int n_choices = 1;           // of each prompt; choices of the first prompt come first
  std::vector<std::string> echo = {""};  // what stands before the texts, one for each prompt
  int logprobs = -1;           // alternatives; -1: no logprobs at all
  std::vector<std::vector<TokenLogprob>> echo_logprobs = {};  // for each prompt; empty: none
  int prompt_logprobs = -1;    // alternatives of the prompts' tokens, in vLLM's words; -1: none are shown
  std::vector<std::vector<TokenLogprob>> prompt_token_logprobs = {};  // for each prompt
  bool include_stop = false;
  bool include_usage = false, continuous_usage = false;
  bool token_ids = false;                   // the tokens of prompts and answers, as vLLM shows them
  std::vector<std::vector<TokenId>> prompt_ids = {};  // of each prompt, for that and for continuous usage
  std::function<bool(TokenId)> is_end = {};
};

class CompletionFormat final : public AnswerFormat {
 public:
  explicit CompletionFormat(CompletionFormatOptions options);

  void event(int index, const ChatEvent& event, std::string& out) override;
  void end(std::string& out) override;
  void error(const Error& error, std::string& out) override;
  HttpResponse whole(const std::vector<ChatReply>& replies) override;

 private:
  struct Choice {
    bool begun = false;
    LegacyLogprobs logprobs;
    std::vector<TokenId> tokens;  // of what the next chunk says, where they are shown
    bool showed_prompt = false;   // its tokens
    int64_t generated = 0;
    GenerationStats stats;
  };
  std::size_t prompt_of(int index) const { return static_cast<std::size_t>(index / options_.n_choices); }
  void begin_choice(int index, std::string& out);
  void add_logprobs(Choice& choice, std::vector<TokenLogprob> logprobs, const ChatEvent& event) const;
  std::string token_ids(int index);
  void write(int index, std::string_view text, const ChatEvent* last, std::string& out);
  OrderedJson head() const;

  CompletionFormatOptions options_;
  std::string head_;
  std::vector<Choice> choices_;
};

}  // namespace minnow
