// What requests of all dialects have in common: how they are refused, and what holds of those that are not.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "respond/responder.h"
#include "serve/fields.h"
#include "serve/http_types.h"

namespace minnow::fuzzing {

inline void require(bool condition) {
  if (!condition) std::abort();
}

inline bool is_json(std::string_view text) { return OrderedJson::accept(text); }

// A client is told what is wrong with its request, never that the server broke.
inline void check_refusal(Dialect dialect, const Error& error) {
  require(error.code() != ErrorCode::kInternal && error.what()[0] != '\0');
  const HttpResponse document = error_response(dialect, error);
  require((document.status == 400 || document.status == 404) && is_json(document.body));
}

// Runs a reader. All of it that may be thrown is an Error: anything else ends the program.
template <typename Read>
void read_or_refuse(Dialect dialect, Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    check_refusal(dialect, error);
  }
}

// Gives the body as a handler has it to readers, each of them void(const RequestFields&). False: it is refused before.
template <typename... Readers>
bool read_body(Dialect dialect, const uint8_t* data, std::size_t size, const Readers&... readers) {
  HttpRequest http;
  http.body.assign(reinterpret_cast<const char*>(data), size);
  OrderedJson json;
  read_or_refuse(dialect, [&] { json = parse_body(http); });
  if (!json.is_object()) return false;
  const RequestFields body(json);
  (read_or_refuse(dialect, [&] { readers(body); }), ...);
  return true;
}

// Models of the one kind and the other: what is asked of them is given, or refused.
inline constexpr ResponderCapabilities kAble{.chat = true, .tools = true, .thinking = true, .insert = true};
inline constexpr ResponderCapabilities kUnable{};

// Strict: throws for text that is not UTF-8, which ends the program.
inline void check_json(const OrderedJson& value) { require(OrderedJson::parse(value.dump()) == value); }

// The engine must not find anything to refuse, but for ids that its vocabulary lacks.
inline void check_sampling(SamplingParams params) {
  require(params.logit_bias.size() <= limits::kMaxLogitBias);
  for (const auto& [token, bias] : params.logit_bias) require(token >= 0 && (bias == -INFINITY || std::abs(bias) <= 100));
  params.logit_bias.clear();
  try {
    params.validate(1);
  } catch (const Error&) {
    std::abort();
  }
}

inline void check_stop(const std::vector<std::string>& stop) {
  require(stop.size() <= limits::kMaxStopStrings);
  require(std::ranges::none_of(stop, [](const std::string& text) { return text.empty() || text.size() > limits::kMaxStopBytes; }));
}

inline void check_constraint(const ConstraintSpec& spec) {
  require(spec.text.size() <= limits::kMaxGrammarBytes);
  require((spec.kind == ConstraintSpec::Kind::kChoice) == !spec.choices.empty());
}

// Messages as chat templates take them for granted.
inline void check_messages(const OrderedJson& messages) {
  check_json(messages);
  for (const OrderedJson& message : messages) {
    const std::string& role = message.at("role").get_ref<const std::string&>();
    require(role == "system" || role == "user" || role == "assistant" || role == "tool");
    require(message.at("content").is_string());
    if (message.contains("name")) require(message.at("name").is_string());
    if (message.contains("reasoning_content")) require(message.at("reasoning_content").is_string());
    if (!message.contains("tool_calls")) continue;
    require(!message.at("tool_calls").empty());
    for (const OrderedJson& call : message.at("tool_calls")) {
      require(call.at("type") == "function" && call.at("function").at("name").is_string() && call.at("function").at("arguments").is_object());
    }
  }
}

// Tools as chat templates and forced calls take them for granted.
inline void check_tools(const ChatRequest& request) {
  bool has_named = request.tool_choice != ToolChoice::kNamed;
  if (request.tool_choice == ToolChoice::kRequired || request.tool_choice == ToolChoice::kNamed) require(request.tools.is_array());
  if (request.tools.is_null()) return;
  require(request.tool_choice != ToolChoice::kNone && !request.tools.empty() && request.tools.size() <= limits::kMaxTools);
  check_json(request.tools);
  for (const OrderedJson& tool : request.tools) {
    const OrderedJson& function = tool.at("function");
    require(tool.at("type") == "function" && function.at("parameters").is_object());
    has_named = has_named || function.at("name") == request.tool_name;
  }
  require(has_named);
}

inline void check_chat(const ChatRequest& request) {
  check_messages(request.messages);
  check_tools(request);
  check_json(request.template_variables);
  check_sampling(request.sampling);
  check_stop(request.stop);
  check_constraint(request.constraint);
  require(request.stop_tokens.size() <= limits::kMaxStopTokens);
  require(request.n_logprobs >= -1 && request.n_logprobs <= limits::kMaxLogprobs);
  require(!request.continue_last || request.messages.back().at("role") == "assistant");
}

// The same request, but for seeds that nobody gave.
inline bool are_same(const ChatRequest& a, const ChatRequest& b) {
  return a.messages == b.messages && a.tools == b.tools && a.template_variables == b.template_variables && a.constraint == b.constraint &&
         a.tool_choice == b.tool_choice && a.tool_name == b.tool_name && a.thinking == b.thinking && a.max_tokens == b.max_tokens && a.stop == b.stop;
}

}  // namespace minnow::fuzzing
