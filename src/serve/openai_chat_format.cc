#include "serve/openai_chat_format.h"

#include <utility>

#include "serve/custom_tools.h"

namespace minnow {
namespace {

using Kind = ChatOutputEvent::Kind;

// Reasoning has two names in clients: llama-server's and vLLM's.
std::string reasoning_delta(std::string_view text) {
  const std::string json = json_text(text);
  return fmt::format(R"({{"reasoning_content":{0},"reasoning":{0}}})", json);
}

std::string arguments_delta(int call, std::string_view text) {
  return fmt::format(R"({{"tool_calls":[{{"index":{},"function":{{"arguments":{}}}}}]}})", call, json_text(text));
}

std::string input_delta(int call, std::string_view input) {
  return fmt::format(R"({{"tool_calls":[{{"index":{},"custom":{{"input":{}}}}}]}})", call, json_text(input));
}

OrderedJson call_json(std::size_t index, const ToolCall& call, bool is_custom) {
  OrderedJson out = {{"id", call.id}, {"index", index}, {"type", is_custom ? "custom" : "function"}};
  if (is_custom) {
    out["custom"] = {{"name", call.name}, {"input", custom_input(call.arguments)}};
  } else {
    out["function"] = {{"name", call.name}, {"arguments", call.arguments}};
  }
  return out;
}

}  // namespace

ChatFormat::ChatFormat(ChatFormatOptions options) : options_(std::move(options)), choices_(static_cast<std::size_t>(options_.n_choices)) {
  head_ = fmt::format(R"({{"id":{},"object":"chat.completion.chunk","created":{},"model":{},"system_fingerprint":{},"choices":[)",
                      json_text(options_.id), options_.created, json_text(options_.model), json_text(system_fingerprint()));
}

void ChatFormat::write(const Chunk& chunk, std::string& out) {
  Choice& choice = choices_[static_cast<std::size_t>(chunk.index)];
  out += "data: ";
  out += head_;
  out += fmt::format(R"({{"index":{},"delta":{},"logprobs":)", chunk.index, chunk.delta);
  if (options_.logprobs && !choice.logprobs.empty()) {
    out += R"({"content":)" + json_text(logprobs_json(choice.logprobs)) + R"(,"refusal":null})";
    choice.logprobs.clear();
  } else {
    out += "null";
  }
  out += chunk.finish.empty() ? std::string(R"(,"finish_reason":null)") : fmt::format(R"(,"finish_reason":"{}")", chunk.finish);
  out += chunk.more;
  if (options_.token_ids) out += R"(,"token_ids":)" + json_text(std::exchange(choice.tokens, {}));
  out += "}]";
  if (options_.continuous_usage) {
    out += R"(,"usage":)" + json_text(Usage{.prompt = static_cast<int64_t>(options_.prompt_ids.size()), .generated = choice.generated}.chat_json());
  } else if (options_.include_usage) {
    out += R"(,"usage":null)";
  }
  out += chunk.top_level;
  out += "}\n\n";
}

void ChatFormat::text(int index, std::string_view text, std::string& out) {
  write({.index = index, .delta = R"({"content":)" + json_text(text) + "}"}, out);
}

void ChatFormat::call_begin(int index, const ChatOutputEvent& event, std::string& out) {
  const bool is_custom = options_.custom.contains(event.text);
  const char* type = is_custom ? "custom" : "function";
  const OrderedJson call = {{"index", event.call},
                            {"id", event.id.empty() ? options_.make_id("call_") : event.id},
                            {"type", type},
                            {type, {{"name", event.text}, {is_custom ? "input" : "arguments", ""}}}};
  if (is_custom) choices_[static_cast<std::size_t>(index)].inputs[event.call];
  write({.index = index, .delta = R"({"tool_calls":[)" + json_text(call) + "]}"}, out);
}

void ChatFormat::call_arguments(int index, const ChatOutputEvent& event, std::string& out) {
  auto& inputs = choices_[static_cast<std::size_t>(index)].inputs;
  if (const auto input = inputs.find(event.call); input != inputs.end()) {
    input->second += event.text;
  } else {
    write({.index = index, .delta = arguments_delta(event.call, event.text)}, out);
  }
}

// The input of a custom tool is known when its call is over.
void ChatFormat::call_end(int index, int call, std::string& out) {
  auto& inputs = choices_[static_cast<std::size_t>(index)].inputs;
  const auto input = inputs.find(call);
  if (input == inputs.end()) return;
  write({.index = index, .delta = input_delta(call, custom_input(input->second))}, out);
  inputs.erase(input);
}

void ChatFormat::output(int index, const ChatOutputEvent& event, std::string& out) {
  Choice& choice = choices_[static_cast<std::size_t>(index)];
  switch (event.kind) {
    case Kind::kContent: text(index, event.text, out); break;
    case Kind::kReasoning:
      if (options_.include_reasoning) write({.index = index, .delta = reasoning_delta(event.text)}, out);
      break;
    case Kind::kCallBegin:
      ++choice.calls;
      call_begin(index, event, out);
      break;
    case Kind::kCallArguments: call_arguments(index, event, out); break;
    case Kind::kCallEnd: call_end(index, event.call, out); break;
    case Kind::kCallBroken:
      --choice.calls;
      choice.inputs.erase(event.call);
      break;
  }
}

void ChatFormat::finish(int index, const ChatEvent& event, std::string& out) {
  Choice& choice = choices_[static_cast<std::size_t>(index)];
  while (!choice.inputs.empty()) call_end(index, choice.inputs.begin()->first, out);  // the room ended within it
  if (options_.include_stop && !event.stop_string.empty()) text(index, event.stop_string, out);
  if (!choice.logprobs.empty()) text(index, {}, out);  // they would be lost: clients do not look for any in the last chunk
  choice.stats = event.stats;
  choice.generated = event.stats.generated_tokens;
  choice.reasoning = event.reasoning_tokens;
  const std::string more = R"(,"stop_reason":)" + json_text(stop_reason(event.reason, event.stop_string, event.stop_token));
  const std::string timings = options_.n_choices == 1 ? R"(,"timings":)" + json_text(timings_json(event.stats)) : std::string();
  write({.index = index, .delta = "{}", .finish = finish_reason(event.reason, choice.calls > 0), .more = more, .top_level = timings}, out);
}

void ChatFormat::event(int index, const ChatEvent& event, std::string& out) {
  Choice& choice = choices_[static_cast<std::size_t>(index)];
  choice.generated += static_cast<int64_t>(event.tokens.size());
  if (options_.logprobs) choice.logprobs.insert(choice.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
  if (!choice.begun) {
    choice.begun = true;
    std::vector<TokenLogprob> later = std::move(choice.logprobs);
    choice.logprobs.clear();
    const std::string prompt = options_.token_ids ? R"(,"prompt_token_ids":)" + json_text(options_.prompt_ids) : std::string();
    write({.index = index, .delta = R"({"role":"assistant","content":""})", .top_level = prompt}, out);
    choice.logprobs = std::move(later);
  }
  if (options_.token_ids) choice.tokens.insert(choice.tokens.end(), event.tokens.begin(), event.tokens.end());
  if (event.done) drop_end(choice.logprobs, event.reason, event.stop_token, options_.is_end);
  for (const ChatOutputEvent& e : event.output) output(index, e, out);
  if (event.done) finish(index, event, out);
}

Usage ChatFormat::usage() const {
  Usage usage;
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    if (i == 0) usage.add_prompt(choices_[i].stats);
    usage.generated += choices_[i].stats.generated_tokens;
    usage.reasoning += choices_[i].reasoning;
  }
  return usage;
}

void ChatFormat::end(std::string& out) {
  if (options_.include_usage) append_data(out, head_ + R"(],"usage":)" + json_text(usage().chat_json()) + "}");
  append_done(out);
}

void ChatFormat::error(const Error& error, std::string& out) {
  append_data(out, error_response(Dialect::kOpenAi, error).body);
  append_done(out);
}

OrderedJson ChatFormat::message(const ChatReply& reply, std::string_view suffix) const {
  OrderedJson message = {{"role", "assistant"}, {"content", reply.content + std::string(suffix)}, {"refusal", nullptr}};
  if (message["content"] == "" && !reply.calls.empty()) message["content"] = nullptr;
  if (options_.include_reasoning && !reply.reasoning.empty()) {
    message["reasoning_content"] = reply.reasoning;
    message["reasoning"] = reply.reasoning;
  }
  for (std::size_t i = 0; i < reply.calls.size(); ++i) {
    ToolCall call = reply.calls[i];
    if (call.id.empty()) call.id = options_.make_id("call_");
    message["tool_calls"].push_back(call_json(i, call, options_.custom.contains(call.name)));
  }
  return message;
}

OrderedJson ChatFormat::choice(int index, const ChatReply& reply) const {
  OrderedJson choice = {{"index", index},
                        {"message", message(reply, options_.include_stop ? std::string_view(reply.stop_string) : std::string_view())},
                        {"logprobs", nullptr},
                        {"finish_reason", finish_reason(reply.reason, !reply.calls.empty())},
                        {"stop_reason", stop_reason(reply.reason, reply.stop_string, reply.stop_token)}};
  if (options_.logprobs) {
    std::vector<TokenLogprob> logprobs = reply.logprobs;
    drop_end(logprobs, reply.reason, reply.stop_token, options_.is_end);
    choice["logprobs"] = {{"content", logprobs_json(logprobs)}, {"refusal", nullptr}};
  }
  if (options_.token_ids) choice["token_ids"] = reply.tokens;
  return choice;
}

HttpResponse ChatFormat::whole(const std::vector<ChatReply>& replies) {
  OrderedJson choices = OrderedJson::array();
  Usage usage;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (i == 0) usage.add_prompt(replies[i].stats);
    usage.add_choice(replies[i]);
    choices.push_back(choice(static_cast<int>(i), replies[i]));
  }
  OrderedJson body = {{"id", options_.id},
                      {"object", "chat.completion"},
                      {"created", options_.created},
                      {"model", options_.model},
                      {"system_fingerprint", system_fingerprint()},
                      {"choices", std::move(choices)},
                      {"usage", usage.chat_json()}};
  if (options_.token_ids) body["prompt_token_ids"] = options_.prompt_ids;
  if (replies.size() == 1) body["timings"] = timings_json(replies.front().stats);
  return {.body = json_text(body)};
}

}  // namespace minnow
