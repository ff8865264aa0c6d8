#include "serve/openai_objects.h"

#include <random>

#include "base/random.h"

namespace minnow {
namespace {

OrderedJson bytes_json(std::string_view bytes) {
  OrderedJson out = OrderedJson::array();
  for (const char c : bytes) out.push_back(static_cast<unsigned char>(c));
  return out;
}

double per_second(int64_t count, double seconds) { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }

double milliseconds_each(int64_t count, double seconds) { return count > 0 ? 1000 * seconds / static_cast<double>(count) : 0; }

}  // namespace

std::string_view system_fingerprint() { return "minnow-" MINNOW_VERSION; }

std::string random_id(std::string_view prefix) {
  static constexpr std::string_view kLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr int kLength = 24;
  std::random_device device;
  Random random(uint64_t{device()} << 32 | device());
  std::string id(prefix);
  for (int i = 0; i < kLength; ++i) id += kLetters[random.below(kLetters.size())];
  return id;
}

std::string json_text(const OrderedJson& value) { return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

void append_data(std::string& out, std::string_view json) {
  out += "data: ";
  out += json;
  out += "\n\n";
}

void append_done(std::string& out) { append_data(out, "[DONE]"); }

void Usage::add_choice(const ChatReply& reply) {
  generated += reply.stats.generated_tokens;
  reasoning += reply.reasoning_tokens;
}

void Usage::add_prompt(const GenerationStats& stats) {
  prompt += stats.prompt_tokens;
  cached += stats.reused_tokens;
}

OrderedJson Usage::chat_json() const {
  return {{"prompt_tokens", prompt},
          {"completion_tokens", generated},
          {"total_tokens", prompt + generated},
          {"prompt_tokens_details", {{"cached_tokens", cached}}},
          {"completion_tokens_details", {{"reasoning_tokens", reasoning}}}};
}

OrderedJson Usage::response_json() const {
  return {{"input_tokens", prompt},
          {"input_tokens_details", {{"cached_tokens", cached}, {"cache_write_tokens", prompt - cached}}},
          {"output_tokens", generated},
          {"output_tokens_details", {{"reasoning_tokens", reasoning}}},
          {"total_tokens", prompt + generated}};
}

OrderedJson timings_json(const GenerationStats& stats) {
  const int64_t read = stats.prompt_tokens - stats.reused_tokens;
  return {{"cache_n", stats.reused_tokens},
          {"prompt_n", read},
          {"prompt_ms", 1000 * stats.prompt_seconds},
          {"prompt_per_token_ms", milliseconds_each(read, stats.prompt_seconds)},
          {"prompt_per_second", per_second(read, stats.prompt_seconds)},
          {"predicted_n", stats.generated_tokens},
          {"predicted_ms", 1000 * stats.generation_seconds},
          {"predicted_per_token_ms", milliseconds_each(stats.generated_tokens, stats.generation_seconds)},
          {"predicted_per_second", per_second(stats.generated_tokens, stats.generation_seconds)}};
}

OrderedJson logprob_json(const TokenLogprob& logprob) {
  OrderedJson top = OrderedJson::array();
  for (const TokenLogprob::Choice& choice : logprob.top) {
    top.push_back({{"token", choice.bytes}, {"logprob", choice.logprob}, {"bytes", bytes_json(choice.bytes)}});
  }
  return {{"token", logprob.bytes}, {"logprob", logprob.logprob}, {"bytes", bytes_json(logprob.bytes)}, {"top_logprobs", std::move(top)}};
}

OrderedJson logprobs_json(const std::vector<TokenLogprob>& logprobs) {
  OrderedJson out = OrderedJson::array();
  for (const TokenLogprob& logprob : logprobs) out.push_back(logprob_json(logprob));
  return out;
}

void drop_end(std::vector<TokenLogprob>& logprobs, FinishReason reason, TokenId stop_token, const std::function<bool(TokenId)>& is_end) {
  if (logprobs.empty()) return;
  const TokenId last = logprobs.back().token;
  if (reason == FinishReason::kEndOfText && is_end && is_end(last)) logprobs.pop_back();
  if (reason == FinishReason::kStopString && last == stop_token) logprobs.pop_back();
}

std::string_view finish_reason(FinishReason reason, bool has_calls) {
  switch (reason) {
    case FinishReason::kEndOfText:
    case FinishReason::kStopString: return has_calls ? "tool_calls" : "stop";
    default: return "length";
  }
}

OrderedJson stop_reason(FinishReason reason, const std::string& stop_string, TokenId stop_token) {
  if (reason != FinishReason::kStopString) return nullptr;
  if (!stop_string.empty()) return stop_string;
  if (stop_token != kNoToken) return stop_token;
  return nullptr;
}

}  // namespace minnow
