// Parts that several objects of the OpenAI API are made of.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "respond/chat_answer.h"

namespace minnow {

// What `system_fingerprint` says: the program and its version.
std::string_view system_fingerprint();

// `prefix` and 24 random letters and digits, such as "chatcmpl-…".
std::string random_id(std::string_view prefix);
// Made-up names for tests are another function.
using MakeId = std::function<std::string(std::string_view prefix)>;

// One line of JSON. Broken UTF-8, as parts of characters in tokens are, becomes U+FFFD.
std::string json_text(const OrderedJson& value);
// "data: …", and a line between events.
void append_data(std::string& out, std::string_view json);
void append_done(std::string& out);

struct Usage {
  int64_t prompt = 0, cached = 0, generated = 0, reasoning = 0;  // tokens

  // Of another choice for the same prompt, or of one for another prompt.
  void add_choice(const ChatReply& reply);
  void add_prompt(const GenerationStats& stats);
  OrderedJson chat_json() const;      // prompt_tokens, completion_tokens, total_tokens, and their details
  OrderedJson response_json() const;  // input_tokens, output_tokens, total_tokens, and their details
};

// llama-server's, of one answer.
OrderedJson timings_json(const GenerationStats& stats);

// {"token", "logprob", "bytes", "top_logprobs"}.
OrderedJson logprob_json(const TokenLogprob& logprob);
OrderedJson logprobs_json(const std::vector<TokenLogprob>& logprobs);
// Those of the text: the token that ended the answer is none of it.
void drop_end(std::vector<TokenLogprob>& logprobs, FinishReason reason, TokenId stop_token, const std::function<bool(TokenId)>& is_end);

// "stop", "length" or "tool_calls"; an answer that ran out of room says so, whatever it called.
std::string_view finish_reason(FinishReason reason, bool has_calls);
// The stop string or token that ended an answer, else null: vLLM's stop_reason.
OrderedJson stop_reason(FinishReason reason, const std::string& stop_string, TokenId stop_token);

}  // namespace minnow
