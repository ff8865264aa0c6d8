#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/test_events.h"
#include "serve/test_handlers.h"

namespace minnow {
namespace {

using test::Handlers;

const Routes& routes() {
  static const Routes kRoutes = [] {
    Routes all;
    add_anthropic_routes(all);
    return all;
  }();
  return kRoutes;
}

Handlers::Answer post(Handlers& server, const std::string& fields, const std::string& path = "/v1/messages") {
  return server.ask(routes(), "POST", path, R"({"model": "tiny", "temperature": 0, )" + fields + "}");
}

const std::string kHello = R"("messages": [{"role": "user", "content": "x"}])";

TEST(AnthropicServer, answers_with_a_message) {
  Handlers server({"One", " two"});
  const auto answer = post(server, kHello + R"(, "max_tokens": 9)");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const OrderedJson message = parse_ordered_json(answer.body, "answer");
  EXPECT_EQ(message["content"].dump(), R"([{"type":"text","text":"One two"}])");
  EXPECT_EQ(message["stop_reason"], "end_turn");
  EXPECT_TRUE(message["id"].get<std::string>().starts_with("msg_"));
  ASSERT_EQ(answer.headers.size(), 1u);
  EXPECT_EQ(answer.headers[0].first, "request-id");
}

TEST(AnthropicServer, counts_the_tokens_that_it_reads) {
  Handlers server({"One"});
  const OrderedJson count = parse_ordered_json(post(server, kHello, "/v1/messages/count_tokens").body, "count");
  const OrderedJson usage = parse_ordered_json(post(server, kHello + R"(, "max_tokens": 9)").body, "answer")["usage"];
  EXPECT_EQ(count["input_tokens"], usage["input_tokens"].get<int>() + usage["cache_read_input_tokens"].get<int>());
  const auto events = test::sent_events(post(server, kHello + R"(, "max_tokens": 9, "stream": true)").body);
  const OrderedJson begun = parse_ordered_json(events.at(0).data, "event")["message"]["usage"];
  EXPECT_EQ(count["input_tokens"], begun["input_tokens"].get<int>() + begun["cache_read_input_tokens"].get<int>());
}

TEST(AnthropicServer, stops_at_a_stop_sequence_and_names_it) {
  Handlers server({"One", " two", " three"});
  const OrderedJson message = parse_ordered_json(post(server, kHello + R"(, "max_tokens": 9, "stop_sequences": ["zzz", " two"])").body, "answer");
  EXPECT_EQ(message["content"][0]["text"], "One");
  EXPECT_EQ(message["stop_reason"], "stop_sequence");
  EXPECT_EQ(message["stop_sequence"], " two");
}

TEST(AnthropicServer, streams_a_call) {
  Handlers server({"<tool_call>", R"({"name": "f", "arguments": {"z": 1, "a": 2}})", "</tool_call>"});
  const auto events = test::sent_events(
      post(server, kHello + R"(, "max_tokens": 9, "stream": true, "tools": [{"name": "f", "input_schema": {"type": "object"}}])").body);
  ASSERT_EQ(events.size(), 7u);
  EXPECT_EQ(events[2].name, "content_block_start");
  EXPECT_EQ(parse_ordered_json(events[3].data, "event")["delta"]["partial_json"], R"({"z": 1, "a": 2})");
  EXPECT_EQ(parse_ordered_json(events[5].data, "event")["delta"]["stop_reason"], "tool_use");
  EXPECT_EQ(events[6].name, "message_stop");
}

TEST(AnthropicServer, goes_on_from_the_beginning_of_an_answer) {
  Handlers server({"One"});
  const auto answer = post(server, R"("max_tokens": 9, "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "I say"}])");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(parse_ordered_json(answer.body, "answer")["content"][0]["text"], "One");
}

TEST(AnthropicServer, says_what_is_wrong_in_its_own_words) {
  Handlers server({"One"});
  const auto answer = post(server, kHello);
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body,
            R"({"type":"error","error":{"type":"invalid_request_error","message":"max_tokens is required and must be positive"},"request_id":"req_9"})");
  EXPECT_EQ(server.ask(routes(), "POST", "/v1/messages", R"({"max_tokens": 9, "messages": []})").status, 400);
  EXPECT_EQ(server.ask(routes(), "POST", "/v1/messages", R"({"model": "huge", "max_tokens": 9, "messages": []})").status, 404);
}

}  // namespace
}  // namespace minnow
