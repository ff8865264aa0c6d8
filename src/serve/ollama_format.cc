#include "serve/ollama_format.h"

#include <chrono>

#include "serve/ollama_fields.h"

namespace minnow {
namespace {

using Kind = ChatOutputEvent::Kind;

constexpr std::string_view kJson = "application/json; charset=utf-8";

int64_t as_nanoseconds(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

std::string_view done_reason(FinishReason reason) {
  switch (reason) {
    case FinishReason::kMaxTokens:
    case FinishReason::kContextFull: return "length";
    case FinishReason::kCancelled: return "cancelled";
    default: return "stop";  // also when tools are called
  }
}

}  // namespace

OrderedJson OllamaFormat::call(const ToolCall& call, std::size_t index) const {
  return {{"id", call.id.empty() ? options_.make_id("call_") : call.id},
          {"function", {{"index", index}, {"name", call.name}, {"arguments", OrderedJson::parse(call.arguments)}}}};
}

// Calls come whole: nothing is said of one before it is.
OllamaFormat::Piece OllamaFormat::take(const std::vector<ChatOutputEvent>& output) {
  Piece piece;
  for (const ChatOutputEvent& e : output) {
    switch (e.kind) {
      case Kind::kContent: piece.content += e.text; break;
      case Kind::kReasoning: piece.thinking += e.text; break;
      case Kind::kCallBegin: growing_ = {.id = e.id, .name = e.text, .arguments = {}}; break;
      case Kind::kCallArguments: growing_.arguments += e.text; break;
      case Kind::kCallEnd:
        if (!e.id.empty()) growing_.id = e.id;
        piece.calls.push_back(call(growing_, n_calls_++));
        break;
      case Kind::kCallBroken: growing_ = {}; break;
    }
  }
  return piece;
}

OrderedJson OllamaFormat::object(const Piece& piece, bool done) const {
  OrderedJson out = {{"model", options_.model}, {"created_at", go_time_text(options_.now())}};
  if (options_.is_chat) {
    OrderedJson message = {{"role", "assistant"}, {"content", piece.content}};
    if (!piece.thinking.empty()) message["thinking"] = piece.thinking;
    if (!piece.calls.empty()) message["tool_calls"] = piece.calls;
    out["message"] = std::move(message);
  } else {
    out["response"] = piece.content;
    if (!piece.thinking.empty()) out["thinking"] = piece.thinking;
    if (!piece.calls.empty()) out["tool_calls"] = piece.calls;
  }
  out["done"] = done;
  return out;
}

void OllamaFormat::add_end(OrderedJson& out, const End& end) const {
  out["done_reason"] = done_reason(end.reason);
  if (options_.returns_context) {
    std::vector<TokenId> context = options_.prompt;
    context.insert(context.end(), end.tokens.begin(), end.tokens.end());
    out["context"] = std::move(context);
  }
  out["total_duration"] = options_.now() - options_.started;
  out["load_duration"] = options_.load_nanoseconds;
  out["prompt_eval_count"] = end.stats.prompt_tokens;
  out["prompt_eval_duration"] = as_nanoseconds(end.stats.prompt_seconds);
  out["eval_count"] = end.stats.generated_tokens;
  out["eval_duration"] = as_nanoseconds(end.stats.generation_seconds);
}

void OllamaFormat::add_logprobs(OrderedJson& out, const std::vector<TokenLogprob>& logprobs) const {
  if (options_.logprobs && !logprobs.empty()) out["logprobs"] = logprobs_json(logprobs);
}

void OllamaFormat::event(int, const ChatEvent& event, std::string& out) {
  const Piece piece = take(event.output);
  logprobs_.insert(logprobs_.end(), event.logprobs.begin(), event.logprobs.end());
  if (options_.returns_context) tokens_.insert(tokens_.end(), event.tokens.begin(), event.tokens.end());
  if (event.done) drop_end(logprobs_, event.reason, event.stop_token, options_.is_end);
  // What is said of tokens whose text is still held back waits for that.
  if (!piece.is_empty()) {
    OrderedJson part = object(piece, false);
    add_logprobs(part, logprobs_);
    logprobs_.clear();
    out += json_text(part) + "\n";
  }
  if (!event.done) return;
  OrderedJson last = object({}, true);
  add_end(last, {event.reason, event.stats, tokens_});
  add_logprobs(last, logprobs_);
  out += json_text(last) + "\n";
}

void OllamaFormat::error(const Error& error, std::string& out) { out += error_response(Dialect::kOllama, error).body + "\n"; }

HttpResponse OllamaFormat::whole(const std::vector<ChatReply>& replies) {
  const ChatReply& reply = replies.front();
  Piece piece{.content = reply.content, .thinking = reply.reasoning};
  for (const ToolCall& made : reply.calls) {
    if (OrderedJson::accept(made.arguments)) piece.calls.push_back(call(made, piece.calls.size()));  // the room may have ended within one
  }
  OrderedJson out = object(piece, true);
  add_end(out, {reply.reason, reply.stats, reply.tokens});
  std::vector<TokenLogprob> logprobs = reply.logprobs;
  drop_end(logprobs, reply.reason, reply.stop_token, options_.is_end);
  add_logprobs(out, logprobs);
  return {.content_type = std::string(kJson), .body = json_text(out)};
}

HttpResponse ollama_load_answer(bool is_chat, const std::string& model, std::string_view done_reason, int64_t unix_nanoseconds) {
  OrderedJson out = {{"model", model}, {"created_at", go_time_text(unix_nanoseconds)}};
  if (is_chat) {
    out["message"] = {{"role", "assistant"}, {"content", ""}};
  } else {
    out["response"] = "";
  }
  out["done"] = true;
  out["done_reason"] = done_reason;
  return {.content_type = std::string(kJson), .body = json_text(out)};
}

int64_t unix_nanoseconds_now() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since_1970).count();
}

}  // namespace minnow
