#include "serve/anthropic_format.h"

#include "text/chat_output/json_scanner.h"

namespace minnow {
namespace {

using Kind = ChatOutputEvent::Kind;

void append_event(std::string& out, std::string_view type, const OrderedJson& data) {
  out += "event: ";
  out += type;
  out += "\ndata: ";
  out += json_text(data);
  out += "\n\n";
}

// `delta` is JSON.
void append_delta(std::string& out, int index, std::string_view delta) {
  out += "event: content_block_delta\ndata: ";
  out += fmt::format(R"({{"type":"content_block_delta","index":{},"delta":{}}})", index, delta);
  out += "\n\n";
}

// An answer that ran out of room says so, whatever it called.
std::string_view stop_reason(FinishReason reason, const std::string& stop_string, bool has_calls) {
  switch (reason) {
    case FinishReason::kMaxTokens:
    case FinishReason::kContextFull: return "max_tokens";
    case FinishReason::kStopString:
      if (!stop_string.empty()) return "stop_sequence";
      break;
    default: break;
  }
  return has_calls ? "tool_use" : "end_turn";
}

OrderedJson stop_sequence(FinishReason reason, const std::string& stop_string) {
  if (reason != FinishReason::kStopString || stop_string.empty()) return nullptr;
  return stop_string;
}

// Tokens found in the cache are not among the input tokens.
OrderedJson usage_json(const GenerationStats& stats) {
  return {{"input_tokens", stats.prompt_tokens - stats.reused_tokens},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", stats.reused_tokens},
          {"output_tokens", stats.generated_tokens}};
}

// The values of an object that were whole when its text was cut: what clients make of the pieces of a stream.
OrderedJson whole_values(std::string_view text) {
  using Place = chat_output::JsonScanner::Place;
  chat_output::JsonScanner scanner;
  std::string closers, rest;
  std::size_t end = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int depth = scanner.depth();
    const bool in_text = scanner.place() == Place::kInString || scanner.place() == Place::kInKey;
    if (!scanner.step(text[i])) break;
    if (scanner.depth() > depth) closers.insert(0, 1, text[i] == '{' ? '}' : ']');
    if (scanner.depth() < depth) closers.erase(0, 1);
    const Place place = scanner.place();
    const bool is_comma = text[i] == ',' && !in_text;
    if (!is_comma && place != Place::kAfterValue && place != Place::kFirstKey && place != Place::kFirstElement) continue;
    end = is_comma ? i : i + 1;
    rest = closers;
  }
  return OrderedJson::parse(std::string(text.substr(0, end)) + rest, nullptr, false);
}

OrderedJson input_json(const std::string& arguments) {
  OrderedJson input = OrderedJson::parse(arguments, nullptr, false);
  if (!input.is_object()) input = whole_values(arguments);
  return input.is_object() ? input : OrderedJson::object();
}

}  // namespace

// When the first event is there: how many tokens of the prompt were remembered is not known before.
void AnthropicFormat::begin_message(GenerationStats stats, std::string& out) {
  has_begun_ = true;
  if (stats.prompt_tokens == 0) stats = {.prompt_tokens = options_.prompt_tokens};
  stats.generated_tokens = 0;
  const OrderedJson message = {{"id", options_.id},       {"type", "message"},       {"role", "assistant"},
                               {"model", options_.model}, {"content", OrderedJson::array()}, {"stop_reason", nullptr},
                               {"stop_sequence", nullptr}, {"usage", usage_json(stats)}};
  append_event(out, "message_start", {{"type", "message_start"}, {"message", message}});
  out += ping();
}

void AnthropicFormat::open(Block block, std::string& out) {
  if (block_ == block) return;
  close(out);
  block_ = block;
  const OrderedJson content = block == Block::kText ? OrderedJson{{"type", "text"}, {"text", ""}}
                                                    : OrderedJson{{"type", "thinking"}, {"thinking", ""}, {"signature", ""}};
  append_event(out, "content_block_start", {{"type", "content_block_start"}, {"index", index_}, {"content_block", content}});
}

void AnthropicFormat::close(std::string& out) {
  if (block_ == Block::kNone) return;
  append_event(out, "content_block_stop", {{"type", "content_block_stop"}, {"index", index_}});
  block_ = Block::kNone;
  ++index_;
}

void AnthropicFormat::call(std::string& out) {
  close(out);
  const std::string id = growing_.id.empty() ? options_.make_id("toolu_") : growing_.id;
  const OrderedJson content = {{"type", "tool_use"}, {"id", id}, {"name", growing_.name}, {"input", OrderedJson::object()}};
  append_event(out, "content_block_start", {{"type", "content_block_start"}, {"index", index_}, {"content_block", content}});
  append_delta(out, index_, R"({"type":"input_json_delta","partial_json":)" + json_text(growing_.arguments) + "}");
  append_event(out, "content_block_stop", {{"type", "content_block_stop"}, {"index", index_}});
  ++index_;
  ++n_calls_;
  growing_ = {};
}

// A block of a call begins when the call is whole, or when the answer has ended within it: what has been sent cannot be taken back.
void AnthropicFormat::output(const ChatOutputEvent& e, std::string& out) {
  switch (e.kind) {
    case Kind::kContent:
      open(Block::kText, out);
      append_delta(out, index_, R"({"type":"text_delta","text":)" + json_text(e.text) + "}");
      break;
    case Kind::kReasoning:
      open(Block::kThinking, out);
      append_delta(out, index_, R"({"type":"thinking_delta","thinking":)" + json_text(e.text) + "}");
      break;
    case Kind::kCallBegin: growing_ = {.id = e.id, .name = e.text, .arguments = {}}; break;
    case Kind::kCallArguments: growing_.arguments += e.text; break;
    case Kind::kCallEnd:
      if (!e.id.empty()) growing_.id = e.id;
      call(out);
      break;
    case Kind::kCallBroken: growing_ = {}; break;
  }
}

void AnthropicFormat::event(int, const ChatEvent& event, std::string& out) {
  if (!has_begun_) begin_message(event.stats, out);
  for (const ChatOutputEvent& e : event.output) {
    const bool is_text = e.kind == Kind::kContent || e.kind == Kind::kReasoning;
    if (!is_text || !e.text.empty()) output(e, out);
  }
  if (!event.done) return;
  if (!growing_.name.empty()) call(out);
  close(out);
  const OrderedJson delta = {{"stop_reason", stop_reason(event.reason, event.stop_string, n_calls_ > 0)},
                             {"stop_sequence", stop_sequence(event.reason, event.stop_string)}};
  append_event(out, "message_delta", {{"type", "message_delta"}, {"delta", delta}, {"usage", usage_json(event.stats)}});
}

void AnthropicFormat::end(std::string& out) { append_event(out, "message_stop", {{"type", "message_stop"}}); }

void AnthropicFormat::error(const Error& error, std::string& out) {
  out += "event: error\ndata: " + error_response(Dialect::kAnthropic, error, options_.request_id).body + "\n\n";
}

// Nothing comes before message_start but what clients skip.
std::string_view AnthropicFormat::ping() const {
  return has_begun_ ? "event: ping\ndata: {\"type\":\"ping\"}\n\n" : AnswerFormat::ping();
}

HttpResponse AnthropicFormat::whole(const std::vector<ChatReply>& replies) {
  const ChatReply& reply = replies.front();
  OrderedJson content = OrderedJson::array();
  if (!reply.reasoning.empty()) content.push_back({{"type", "thinking"}, {"thinking", reply.reasoning}, {"signature", ""}});
  if (!reply.content.empty()) content.push_back({{"type", "text"}, {"text", reply.content}});
  for (const ToolCall& call : reply.calls) {
    content.push_back({{"type", "tool_use"},
                       {"id", call.id.empty() ? options_.make_id("toolu_") : call.id},
                       {"name", call.name},
                       {"input", input_json(call.arguments)}});
  }
  const OrderedJson body = {{"id", options_.id},
                            {"type", "message"},
                            {"role", "assistant"},
                            {"model", options_.model},
                            {"content", std::move(content)},
                            {"stop_reason", stop_reason(reply.reason, reply.stop_string, !reply.calls.empty())},
                            {"stop_sequence", stop_sequence(reply.reason, reply.stop_string)},
                            {"usage", usage_json(reply.stats)}};
  return {.body = json_text(body)};
}

}  // namespace minnow
