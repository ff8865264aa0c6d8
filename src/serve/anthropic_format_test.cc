#include "serve/anthropic_format.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "serve/test_events.h"

namespace minnow {
namespace {

using namespace test;
using Kind = ChatOutputEvent::Kind;

AnthropicFormatOptions options() {
  return {.id = "msg_1", .model = "tiny", .request_id = "req_9", .prompt_tokens = 10, .make_id = numbered_ids()};
}

std::string bytes_of(const std::vector<ChatEvent>& events) {
  AnthropicFormat format(options());
  std::string out;
  format.begin(out);
  for (const ChatEvent& event : events) format.event(0, event, out);
  format.end(out);
  return out;
}

// The events' data; each must say its own name.
std::vector<OrderedJson> stream(const std::vector<ChatEvent>& events) {
  std::vector<OrderedJson> all;
  for (const SentEvent& sent : sent_events(bytes_of(events))) {
    all.push_back(parse_ordered_json(sent.data, "event"));
    EXPECT_EQ(all.back()["type"], sent.name);
  }
  return all;
}

std::vector<std::string> types(const std::vector<OrderedJson>& events) {
  std::vector<std::string> names;
  for (const OrderedJson& event : events) names.push_back(event["type"].get<std::string>());
  return names;
}

ChatEvent call(const std::string& name, const std::string& arguments, const std::string& id = {}) {
  ChatEvent event;
  event.output = {{Kind::kCallBegin, 0, name, id}, {Kind::kCallArguments, 0, arguments, {}}, {Kind::kCallEnd, 0, {}, {}}};
  return event;
}

ChatEvent stopped_by(const std::string& text) {
  ChatEvent event = ended(FinishReason::kStopString);
  event.stop_string = text;
  return event;
}

TEST(AnthropicStream, of_a_text_is_these_very_bytes) {
  EXPECT_EQ(bytes_of({content("Hi"), content(" \"you\""), ended()}),
            "event: message_start\n"
            R"(data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"tiny","content":[],"stop_reason":null,)"
            R"("stop_sequence":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}})" "\n\n"
            "event: ping\ndata: {\"type\":\"ping\"}\n\n"
            "event: content_block_start\n"
            R"(data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})" "\n\n"
            "event: content_block_delta\n"
            R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}})" "\n\n"
            "event: content_block_delta\n"
            R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" \"you\""}})" "\n\n"
            "event: content_block_stop\n"
            R"(data: {"type":"content_block_stop","index":0})" "\n\n"
            "event: message_delta\n"
            R"(data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},)"
            R"("usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":6}})" "\n\n"
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

TEST(AnthropicStream, numbers_its_blocks_without_gaps) {
  const auto all = stream({said(Kind::kReasoning, "hm"), said(Kind::kReasoning, "!"), content("a"), call("f", R"({"b":1,"a":2})"), content("b"),
                           call("g", "{}", "id7"), ended()});
  EXPECT_EQ(types(all), (std::vector<std::string>{"message_start", "ping",
                                                  "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",
                                                  "content_block_start", "content_block_delta", "content_block_stop",
                                                  "content_block_start", "content_block_delta", "content_block_stop",
                                                  "content_block_start", "content_block_delta", "content_block_stop",
                                                  "content_block_start", "content_block_delta", "content_block_stop",
                                                  "message_delta", "message_stop"}));
  int next = 0;
  bool is_open = false;
  for (const OrderedJson& event : all) {
    if (event["type"] == "content_block_start") {
      EXPECT_FALSE(is_open);
      EXPECT_EQ(event["index"], next);
      is_open = true;
    } else if (event.contains("index")) {
      EXPECT_TRUE(is_open);
      EXPECT_EQ(event["index"], next);
    }
    if (event["type"] == "content_block_stop") {
      is_open = false;
      ++next;
    }
  }
  EXPECT_EQ(next, 5);
  EXPECT_EQ(all[2]["content_block"].dump(), R"({"type":"thinking","thinking":"","signature":""})");
  EXPECT_EQ(all[3]["delta"].dump(), R"({"type":"thinking_delta","thinking":"hm"})");
  EXPECT_EQ(all[9]["content_block"].dump(), R"({"type":"tool_use","id":"toolu_1","name":"f","input":{}})");
  EXPECT_EQ(all[10]["delta"].dump(), R"({"type":"input_json_delta","partial_json":"{\"b\":1,\"a\":2}"})");
  EXPECT_EQ(all[15]["content_block"]["id"], "id7");
  EXPECT_EQ(all[18]["delta"]["stop_reason"], "tool_use");
}

TEST(AnthropicStream, tells_of_the_prompt_at_its_beginning_what_it_tells_at_its_end) {
  ChatEvent first = content("a");
  first.stats = stats_of(10, 4, 1);
  const auto all = stream({first, ended()});
  const OrderedJson begun = all[0]["message"]["usage"], over = all[all.size() - 2]["usage"];
  EXPECT_EQ(begun.dump(), R"({"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":0})");
  EXPECT_EQ(over["input_tokens"], 6);
  EXPECT_EQ(over["cache_read_input_tokens"], 4);
}

TEST(AnthropicStream, begins_no_block_for_a_call_that_breaks) {
  ChatEvent broken;
  broken.output = {{Kind::kCallBroken, 0, {}, {}}, {Kind::kContent, 0, "<call>", {}}};
  const auto all = stream({said(Kind::kCallBegin, "f"), said(Kind::kCallArguments, R"({"a":)"), broken, ended(FinishReason::kMaxTokens)});
  EXPECT_EQ(types(all), (std::vector<std::string>{"message_start", "ping", "content_block_start", "content_block_delta", "content_block_stop",
                                                  "message_delta", "message_stop"}));
  EXPECT_EQ(all[3]["delta"]["text"], "<call>");
  EXPECT_EQ(all[5]["delta"]["stop_reason"], "max_tokens");
}

TEST(AnthropicStream, gives_a_call_that_the_room_ended_within_as_far_as_it_came) {
  const auto all = stream({said(Kind::kCallBegin, "f"), said(Kind::kCallArguments, R"({"a":)"), ended(FinishReason::kMaxTokens)});
  EXPECT_EQ(types(all), (std::vector<std::string>{"message_start", "ping", "content_block_start", "content_block_delta", "content_block_stop",
                                                  "message_delta", "message_stop"}));
  EXPECT_EQ(all[2]["content_block"]["name"], "f");
  EXPECT_EQ(all[3]["delta"]["partial_json"], R"({"a":)");
  EXPECT_EQ(all[5]["delta"]["stop_reason"], "max_tokens");
}

TEST(AnthropicMessage, has_what_was_whole_of_a_call_that_the_room_ended_within) {
  const auto input = [](const std::string& arguments) {
    ChatReply reply;
    reply.calls = {{.id = "t", .name = "f", .arguments = arguments}};
    reply.reason = FinishReason::kMaxTokens;
    const OrderedJson body = parse_ordered_json(AnthropicFormat(options()).whole({reply}).body, "body");
    EXPECT_EQ(body["stop_reason"], "max_tokens");
    return body["content"].at(0)["input"].dump();
  };
  EXPECT_EQ(input(R"({"a":1,"b":[2,{"c":"x"},"y)"), R"({"a":1,"b":[2,{"c":"x"}]})");
  EXPECT_EQ(input(R"({"a":{"b":tr)"), R"({"a":{}})");
  EXPECT_EQ(input(R"({"a":"}","b)"), R"({"a":"}"})");
  EXPECT_EQ(input(R"({"a":12)"), "{}");
  EXPECT_EQ(input("{"), "{}");
}

TEST(AnthropicStream, without_a_text_has_no_block) {
  EXPECT_EQ(types(stream({content(""), ended()})), (std::vector<std::string>{"message_start", "ping", "message_delta", "message_stop"}));
}

TEST(AnthropicStream, says_the_last_events_text_before_the_end) {
  ChatEvent last = ended();
  last.output = {{Kind::kContent, 0, "end", {}}};
  const auto all = stream({last});
  EXPECT_EQ(types(all), (std::vector<std::string>{"message_start", "ping", "content_block_start", "content_block_delta", "content_block_stop",
                                                  "message_delta", "message_stop"}));
}

TEST(AnthropicStream, tells_why_it_ended) {
  const auto delta = [](const std::vector<ChatEvent>& events) { const auto all = stream(events); return all[all.size() - 2]["delta"].dump(); };
  EXPECT_EQ(delta({stopped_by("\n\nHuman:")}), R"({"stop_reason":"stop_sequence","stop_sequence":"\n\nHuman:"})");
  EXPECT_EQ(delta({stopped_by("")}), R"({"stop_reason":"end_turn","stop_sequence":null})") << "a stop token";
  EXPECT_EQ(delta({ended(FinishReason::kMaxTokens)}), R"({"stop_reason":"max_tokens","stop_sequence":null})");
  EXPECT_EQ(delta({ended(FinishReason::kContextFull)}), R"({"stop_reason":"max_tokens","stop_sequence":null})");
  EXPECT_EQ(delta({call("f", "{}"), ended(FinishReason::kMaxTokens)}), R"({"stop_reason":"max_tokens","stop_sequence":null})");
}

TEST(AnthropicStream, ends_with_an_event_for_an_error) {
  AnthropicFormat format(options());
  std::string out;
  format.begin(out);
  format.event(0, content("a"), out);
  format.error(Error(ErrorCode::kInternal, "it broke"), out);
  const auto events = sent_events(out);
  EXPECT_EQ(events.back().name, "error");
  EXPECT_EQ(events.back().data, R"({"type":"error","error":{"type":"api_error","message":"it broke"},"request_id":"req_9"})");
}

TEST(AnthropicStream, is_kept_awake_by_events) {
  AnthropicFormat format(options());
  EXPECT_EQ(format.ping(), ":\n\n") << "nothing that clients would take for an event comes before message_start";
  std::string out;
  format.event(0, content("Hi"), out);
  const auto events = sent_events(std::string(format.ping()));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].name, "ping");
  EXPECT_EQ(events[0].data, R"({"type":"ping"})");
}

TEST(AnthropicAnswer, is_one_message) {
  ChatReply reply;
  reply.reasoning = "hm";
  reply.content = "Hi";
  reply.calls = {{"", "f", R"({"b":1,"a":2})"}};
  reply.stats = stats_of(10, 4, 6);
  EXPECT_EQ(AnthropicFormat(options()).whole({reply}).body,
            R"({"id":"msg_1","type":"message","role":"assistant","model":"tiny","content":[{"type":"thinking","thinking":"hm","signature":""},)"
            R"({"type":"text","text":"Hi"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"b":1,"a":2}}],"stop_reason":"tool_use","stop_sequence":null,)"
            R"("usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":6}})");
}

TEST(AnthropicAnswer, names_the_stop_sequence) {
  ChatReply reply;
  reply.content = "Hi";
  reply.reason = FinishReason::kStopString;
  reply.stop_string = "END";
  const OrderedJson whole = parse_ordered_json(AnthropicFormat(options()).whole({reply}).body, "whole");
  EXPECT_EQ(whole["stop_reason"], "stop_sequence");
  EXPECT_EQ(whole["stop_sequence"], "END");
}

}  // namespace
}  // namespace minnow
