#include "serve/llama_format.h"

namespace minnow {
namespace {

OrderedJson bytes_json(std::string_view bytes) {
  OrderedJson out = OrderedJson::array();
  for (const char c : bytes) out.push_back(static_cast<unsigned char>(c));
  return out;
}

OrderedJson probability_json(TokenId id, const std::string& bytes, float logprob) {
  return {{"id", id}, {"token", bytes}, {"bytes", bytes_json(bytes)}, {"logprob", logprob}};
}

std::string_view stop_type(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndOfText: return "eos";
    case FinishReason::kStopString: return "word";
    case FinishReason::kMaxTokens:
    case FinishReason::kContextFull: return "limit";
    default: return "none";
  }
}

std::string content_of(const ChatEvent& event) {
  std::string text;
  for (const ChatOutputEvent& e : event.output) {
    if (e.kind == ChatOutputEvent::Kind::kContent) text += e.text;
  }
  return text;
}

}  // namespace

OrderedJson llama_probabilities_json(const std::vector<TokenLogprob>& logprobs) {
  OrderedJson out = OrderedJson::array();
  for (const TokenLogprob& token : logprobs) {
    OrderedJson entry = probability_json(token.token, token.bytes, token.logprob);
    entry["top_logprobs"] = OrderedJson::array();
    for (const TokenLogprob::Choice& choice : token.top) entry["top_logprobs"].push_back(probability_json(choice.token, choice.bytes, choice.logprob));
    out.push_back(std::move(entry));
  }
  return out;
}

OrderedJson selected_fields(const OrderedJson& object, const std::vector<std::string>& paths) {
  OrderedJson out = OrderedJson::object();
  for (const std::string& path : paths) {
    const OrderedJson* at = &object;
    std::string_view rest = path, name;
    while (at != nullptr && !rest.empty()) {
      const std::size_t slash = rest.find('/');
      name = rest.substr(0, slash);
      rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
      const bool is_there = at->is_object() && at->contains(std::string(name));
      at = is_there ? &at->at(std::string(name)) : nullptr;
    }
    if (at != nullptr && at != &object) out[std::string(name)] = *at;
  }
  return out;
}

LlamaFormat::LlamaFormat(LlamaFormatOptions options) : options_(std::move(options)), progress_(options_.choices.size()) {
  if (options_.timings_per_token) started_ = options_.seconds();
}

OrderedJson LlamaFormat::part(int index, const std::string& text, Progress& progress) const {
  const LlamaFormatOptions::Choice& choice = options_.choices[static_cast<std::size_t>(index)];
  OrderedJson out = {{"index", index},
                     {"content", text},
                     {"tokens", std::exchange(progress.tokens, {})},
                     {"stop", false},
                     {"id_slot", -1},
                     {"tokens_predicted", progress.generated},
                     {"tokens_evaluated", choice.prompt_tokens}};
  if (options_.logprobs) out["completion_probabilities"] = llama_probabilities_json(std::exchange(progress.logprobs, {}));
  if (options_.timings_per_token) {
    // The engine tells what was spent on what at the end; until then this is as the clock has it.
    GenerationStats stats{.prompt_tokens = choice.prompt_tokens, .generated_tokens = progress.generated};
    stats.prompt_seconds = progress.first_event - started_;
    stats.generation_seconds = options_.seconds() - progress.first_event;
    out["timings"] = timings_json(stats);
  }
  return out;
}

// `reply` has the text and tokens that the object is to repeat.
OrderedJson LlamaFormat::last(int index, const ChatReply& reply, bool has_new_line) const {
  OrderedJson out = {{"index", index},
                     {"content", reply.content},
                     {"tokens", options_.return_tokens && !options_.stream ? reply.tokens : std::vector<TokenId>()},
                     {"id_slot", -1},
                     {"stop", true},
                     {"model", options_.model},
                     {"tokens_predicted", reply.stats.generated_tokens},
                     {"tokens_evaluated", reply.stats.prompt_tokens},
                     {"generation_settings", options_.settings},
                     {"prompt", options_.choices[static_cast<std::size_t>(index)].prompt},
                     {"has_new_line", has_new_line},
                     {"truncated", reply.reason == FinishReason::kContextFull},
                     {"stop_type", stop_type(reply.reason)},
                     {"stopping_word", reply.stop_string},
                     {"tokens_cached", reply.stats.prompt_tokens + reply.stats.generated_tokens},
                     {"timings", timings_json(reply.stats)}};
  if (options_.logprobs && !reply.logprobs.empty()) out["completion_probabilities"] = llama_probabilities_json(reply.logprobs);
  return options_.response_fields.empty() ? out : selected_fields(out, options_.response_fields);
}

void LlamaFormat::event(int index, const ChatEvent& event, std::string& out) {
  Progress& progress = progress_[static_cast<std::size_t>(index)];
  if (progress.generated == 0 && options_.timings_per_token) progress.first_event = options_.seconds();
  progress.generated += static_cast<int64_t>(event.tokens.size());
  progress.tokens.insert(progress.tokens.end(), event.tokens.begin(), event.tokens.end());
  progress.logprobs.insert(progress.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
  if (event.done) drop_end(progress.logprobs, event.reason, event.stop_token, options_.is_end);
  const std::string text = content_of(event);
  progress.has_new_line = progress.has_new_line || text.find('\n') != std::string::npos;
  if (!text.empty()) append_data(out, json_text(part(index, text, progress)));
  if (!event.done) return;
  ChatReply end;
  end.reason = event.reason;
  end.stop_string = event.stop_string;
  end.stats = event.stats;
  end.logprobs = std::move(progress.logprobs);
  append_data(out, json_text(last(index, end, progress.has_new_line)));
}

void LlamaFormat::error(const Error& error, std::string& out) { append_data(out, error_response(Dialect::kLlamaServer, error).body); }

HttpResponse LlamaFormat::whole(const std::vector<ChatReply>& replies) {
  OrderedJson all = OrderedJson::array();
  for (std::size_t i = 0; i < replies.size(); ++i) {
    ChatReply reply = replies[i];
    drop_end(reply.logprobs, reply.reason, reply.stop_token, options_.is_end);
    all.push_back(last(static_cast<int>(i), reply, reply.content.find('\n') != std::string::npos));
  }
  return {.body = json_text(options_.is_array ? all : all.front())};
}

}  // namespace minnow
