// Answers of /v1/chat/completions: the whole object, and the chunks of a stream.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "serve/answer_format.h"
#include "serve/openai_objects.h"

namespace minnow {

struct ChatFormatOptions {
  std::string id;           // "chatcmpl-…"
  int64_t created = 0;      // seconds since 1970
  std::string model;
  int n_choices = 1;
  bool logprobs = false;
  bool include_reasoning = true;
  bool include_stop = false;  // the stop string is part of the text
  // Streams: usage in a chunk of its own at the end; and how far it is in every chunk, which needs the tokens of the prompt.
  bool include_usage = false, continuous_usage = false;
  bool token_ids = false;                      // the tokens of prompt and answer, as vLLM shows them
  std::vector<TokenId> prompt_ids = {};        // for both
  std::set<std::string> custom = {};           // tools that take text: calls of them have an input, which streams send whole
  MakeId make_id = random_id;                  // of calls that the model gives none
  std::function<bool(TokenId)> is_end = {};    // tokens that end a text: they have no place in logprobs
};

class ChatFormat final : public AnswerFormat {
 public:
  explicit ChatFormat(ChatFormatOptions options);

  void event(int index, const ChatEvent& event, std::string& out) override;
  void end(std::string& out) override;
  void error(const Error& error, std::string& out) override;
  HttpResponse whole(const std::vector<ChatReply>& replies) override;

 private:
  struct Choice {
    bool begun = false;
    int calls = 0;  // that are whole, or still growing
    std::map<int, std::string> inputs;   // arguments of calls of custom tools, as far as they are there
    std::vector<TokenLogprob> logprobs;  // of what the next chunk says
    std::vector<TokenId> tokens;         // likewise, where they are shown
    int64_t generated = 0;
    GenerationStats stats;
    int64_t reasoning = 0;
  };
  struct Chunk {
    int index = 0;
    std::string_view delta;          // JSON
    std::string_view finish = {};    // empty: not yet
    std::string_view more = {};      // further keys of the choice, each behind a comma
    std::string_view top_level = {}; // further keys of the chunk, likewise
  };
  void write(const Chunk& chunk, std::string& out);
  void output(int index, const ChatOutputEvent& event, std::string& out);
  void text(int index, std::string_view text, std::string& out);
  void call_begin(int index, const ChatOutputEvent& event, std::string& out);
  void call_arguments(int index, const ChatOutputEvent& event, std::string& out);
  void call_end(int index, int call, std::string& out);
  void finish(int index, const ChatEvent& event, std::string& out);
  OrderedJson message(const ChatReply& reply, std::string_view suffix) const;
  OrderedJson choice(int index, const ChatReply& reply) const;
  Usage usage() const;

  ChatFormatOptions options_;
  std::string head_;  // of every chunk, up to the index of the choice
  std::vector<Choice> choices_;
};

}  // namespace minnow
