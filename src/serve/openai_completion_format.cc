#include "serve/openai_completion_format.h"

#include <cmath>
#include <utility>

#include "base/utf8.h"

namespace minnow {
namespace {

// OpenAI's way to write tokens that are parts of characters.
std::string token_text(const std::string& bytes) {
  if (is_valid_utf8(bytes)) return bytes;
  std::string text = "bytes:";
  for (const char c : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return text;
}

int64_t characters(std::string_view bytes) {
  int64_t count = 0;
  for (const char c : bytes) count += (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
  return count;
}

std::string all_content(const ChatEvent& event) {
  std::string text;
  for (const ChatOutputEvent& e : event.output) text += e.text;
  return text;
}

}  // namespace

void LegacyLogprobs::add(const TokenLogprob& logprob, int n_top) {
  tokens_.push_back(token_text(logprob.bytes));
  offsets_.push_back(offset_);
  offset_ += characters(logprob.bytes);
  if (std::isnan(logprob.logprob)) {
    logprobs_.push_back(nullptr);
    top_.push_back(nullptr);
    return;
  }
  logprobs_.push_back(logprob.logprob);
  OrderedJson top = OrderedJson::object();
  for (std::size_t i = 0; i < logprob.top.size() && i < static_cast<std::size_t>(n_top); ++i) {
    top[token_text(logprob.top[i].bytes)] = logprob.top[i].logprob;
  }
  top[token_text(logprob.bytes)] = logprob.logprob;
  top_.push_back(std::move(top));
}

OrderedJson LegacyLogprobs::take() {
  OrderedJson out = {{"tokens", std::move(tokens_)},
                     {"token_logprobs", std::move(logprobs_)},
                     {"top_logprobs", std::move(top_)},
                     {"text_offset", std::move(offsets_)}};
  tokens_ = logprobs_ = top_ = offsets_ = OrderedJson::array();
  return out;
}

OrderedJson prompt_logprobs_json(const std::vector<TokenLogprob>& logprobs, int n_top) {
  OrderedJson out = OrderedJson::array();
  for (const TokenLogprob& logprob : logprobs) {
    if (std::isnan(logprob.logprob)) {
      out.push_back(nullptr);
      continue;
    }
    OrderedJson entry = OrderedJson::object();
    entry[std::to_string(logprob.token)] = {{"logprob", logprob.logprob}, {"rank", nullptr}, {"decoded_token", logprob.bytes}};
    for (std::size_t i = 0; i < logprob.top.size() && i < static_cast<std::size_t>(n_top); ++i) {
      const TokenLogprob::Choice& choice = logprob.top[i];
      entry[std::to_string(choice.token)] = {{"logprob", choice.logprob}, {"rank", i + 1}, {"decoded_token", choice.bytes}};
    }
    out.push_back(std::move(entry));
  }
  return out;
}

CompletionFormat::CompletionFormat(CompletionFormatOptions options)
    : options_(std::move(options)), choices_(options_.echo.size() * static_cast<std::size_t>(options_.n_choices)) {
  head_ = json_text(head());
  head_.back() = ',';  // in place of the brace
  head_ += R"("choices":[)";
}

OrderedJson CompletionFormat::head() const {
  return {{"id", options_.id},
          {"object", "text_completion"},
          {"created", options_.created},
          {"model", options_.model},
          {"system_fingerprint", system_fingerprint()}};
}

// Further keys of a chunk's choice, each behind a comma.
std::string CompletionFormat::token_ids(int index) {
  if (!options_.token_ids) return {};
  Choice& choice = choices_[static_cast<std::size_t>(index)];
  std::string keys = R"(,"token_ids":)" + json_text(std::exchange(choice.tokens, {}));
  if (!std::exchange(choice.showed_prompt, true)) keys += R"(,"prompt_token_ids":)" + json_text(options_.prompt_ids.at(prompt_of(index)));
  return keys;
}

void CompletionFormat::write(int index, std::string_view text, const ChatEvent* last, std::string& out) {
  Choice& choice = choices_[static_cast<std::size_t>(index)];
  const std::string logprobs = choice.logprobs.empty() ? "null" : json_text(choice.logprobs.take());
  out += "data: " + head_;
  out += fmt::format(R"({{"text":{},"index":{},"logprobs":{},"finish_reason":)", json_text(text), index, logprobs);
  if (last == nullptr) {
    out += "null";
  } else {
    out += fmt::format(R"("{}","stop_reason":)", finish_reason(last->reason, false));
    out += json_text(stop_reason(last->reason, last->stop_string, last->stop_token));
  }
  out += token_ids(index) + "}]";
  if (options_.continuous_usage) {
    const std::size_t place = prompt_of(index);
    const int64_t prompt = place < options_.prompt_ids.size() ? static_cast<int64_t>(options_.prompt_ids[place].size()) : 0;
    out += R"(,"usage":)" + json_text(Usage{.prompt = prompt, .generated = choice.generated}.chat_json());
  } else if (options_.include_usage) {
    out += R"(,"usage":null)";
  }
  if (last != nullptr && choices_.size() == 1) out += R"(,"timings":)" + json_text(timings_json(choice.stats));
  out += "}\n\n";
}

void CompletionFormat::add_logprobs(Choice& choice, std::vector<TokenLogprob> logprobs, const ChatEvent& event) const {
  if (options_.logprobs < 0) return;
  if (event.done) drop_end(logprobs, event.reason, event.stop_token, options_.is_end);
  for (const TokenLogprob& logprob : logprobs) choice.logprobs.add(logprob, options_.logprobs);
}

void CompletionFormat::begin_choice(int index, std::string& out) {
  Choice& choice = choices_[static_cast<std::size_t>(index)];
  choice.begun = true;
  if (prompt_of(index) < options_.echo_logprobs.size()) {
    for (const TokenLogprob& logprob : options_.echo_logprobs[prompt_of(index)]) choice.logprobs.add(logprob, options_.logprobs);
  }
  const std::string& echo = options_.echo[prompt_of(index)];
  if (!echo.empty() || !choice.logprobs.empty()) write(index, echo, nullptr, out);
}

void CompletionFormat::event(int index, const ChatEvent& event, std::string& out) {
  Choice& choice = choices_[static_cast<std::size_t>(index)];
  if (!choice.begun) begin_choice(index, out);
  choice.generated += static_cast<int64_t>(event.tokens.size());
  if (options_.token_ids) choice.tokens.insert(choice.tokens.end(), event.tokens.begin(), event.tokens.end());
  add_logprobs(choice, event.logprobs, event);
  std::string text = all_content(event);
  if (event.done && options_.include_stop) text += event.stop_string;
  if (!text.empty() || (event.done && !choice.logprobs.empty())) write(index, text, nullptr, out);
  if (!event.done) return;
  choice.stats = event.stats;
  choice.generated = event.stats.generated_tokens;
  write(index, {}, &event, out);
}

void CompletionFormat::end(std::string& out) {
  if (options_.include_usage) {
    Usage usage;
    for (std::size_t i = 0; i < choices_.size(); ++i) {
      if (i % static_cast<std::size_t>(options_.n_choices) == 0) usage.add_prompt(choices_[i].stats);
      usage.generated += choices_[i].stats.generated_tokens;
    }
    append_data(out, head_ + R"(],"usage":)" + json_text(usage.chat_json()) + "}");
  }
  append_done(out);
}

void CompletionFormat::error(const Error& error, std::string& out) {
  append_data(out, error_response(Dialect::kOpenAi, error).body);
  append_done(out);
}

HttpResponse CompletionFormat::whole(const std::vector<ChatReply>& replies) {
  OrderedJson choices = OrderedJson::array();
  Usage usage;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const ChatReply& reply = replies[i];
    const std::size_t prompt = prompt_of(static_cast<int>(i));
    if (i % static_cast<std::size_t>(options_.n_choices) == 0) usage.add_prompt(reply.stats);
    usage.add_choice(reply);
    LegacyLogprobs logprobs;
    if (options_.logprobs >= 0) {
      if (prompt < options_.echo_logprobs.size()) {
        for (const TokenLogprob& logprob : options_.echo_logprobs[prompt]) logprobs.add(logprob, options_.logprobs);
      }
      std::vector<TokenLogprob> own = reply.logprobs;
      drop_end(own, reply.reason, reply.stop_token, options_.is_end);
      for (const TokenLogprob& logprob : own) logprobs.add(logprob, options_.logprobs);
    }
    choices.push_back({{"text", options_.echo[prompt] + reply.content + (options_.include_stop ? reply.stop_string : std::string())},
                       {"index", i},
                       {"logprobs", options_.logprobs >= 0 ? logprobs.take() : OrderedJson()},
                       {"finish_reason", finish_reason(reply.reason, false)},
                       {"stop_reason", stop_reason(reply.reason, reply.stop_string, reply.stop_token)}});
    if (options_.token_ids) {
      choices.back()["token_ids"] = reply.tokens;
      choices.back()["prompt_token_ids"] = options_.prompt_ids.at(prompt);
    }
    if (prompt < options_.prompt_token_logprobs.size()) {
      choices.back()["prompt_logprobs"] = prompt_logprobs_json(options_.prompt_token_logprobs[prompt], options_.prompt_logprobs);
    }
  }
  OrderedJson body = head();
  body["choices"] = std::move(choices);
  body["usage"] = usage.chat_json();
  if (replies.size() == 1) body["timings"] = timings_json(replies.front().stats);
  return {.body = json_text(body)};
}

}  // namespace minnow
