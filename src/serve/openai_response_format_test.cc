#include "serve/openai_response_format.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "serve/test_events.h"

namespace minnow {
namespace {

using namespace test;
using Kind = ChatOutputEvent::Kind;

ResponseFormatOptions options() {
  return {.response = {{"id", "resp_1"}, {"status", "in_progress"}, {"completed_at", nullptr}, {"error", nullptr},
                       {"incomplete_details", nullptr}, {"output", OrderedJson::array()}},
          .make_id = numbered_ids(),
          .now = [] { return int64_t{1700000009}; },
          .is_end = [](TokenId id) { return id == 0; }};
}

std::string stream(ResponseFormatOptions given, const std::vector<ChatEvent>& events) {
  ResponseFormat format(std::move(given));
  std::string out;
  format.begin(out);
  for (const ChatEvent& event : events) format.event(0, event, out);
  format.end(out);
  return out;
}

// All events, whose names are their types and whose numbers rise from 0.
std::vector<OrderedJson> parsed(const std::string& text) {
  std::vector<OrderedJson> all;
  for (const SentEvent& sent : sent_events(text)) {
    all.push_back(parse_ordered_json(sent.data, "event"));
    EXPECT_EQ(all.back()["type"], sent.name);
    EXPECT_EQ(all.back()["sequence_number"], all.size() - 1);
  }
  return all;
}

std::vector<std::string> types(const std::vector<OrderedJson>& events) {
  std::vector<std::string> names;
  for (const OrderedJson& event : events) names.push_back(event["type"].get<std::string>());
  return names;
}

// The keys that OpenAI's document requires of each event, beside type and sequence_number.
const std::map<std::string, std::vector<std::string>>& required_keys() {
  static const std::map<std::string, std::vector<std::string>> kKeys = {
      {"response.created", {"response"}},
      {"response.in_progress", {"response"}},
      {"response.completed", {"response"}},
      {"response.incomplete", {"response"}},
      {"response.failed", {"response"}},
      {"response.output_item.added", {"output_index", "item"}},
      {"response.output_item.done", {"output_index", "item"}},
      {"response.content_part.added", {"item_id", "output_index", "content_index", "part"}},
      {"response.content_part.done", {"item_id", "output_index", "content_index", "part"}},
      {"response.output_text.delta", {"item_id", "output_index", "content_index", "delta", "logprobs"}},
      {"response.output_text.done", {"item_id", "output_index", "content_index", "text", "logprobs"}},
      {"response.function_call_arguments.delta", {"item_id", "output_index", "delta"}},
      {"response.function_call_arguments.done", {"item_id", "output_index", "name", "arguments"}},
      {"response.custom_tool_call_input.delta", {"item_id", "output_index", "delta"}},
      {"response.custom_tool_call_input.done", {"item_id", "output_index", "input"}},
      {"response.reasoning_summary_part.added", {"item_id", "output_index", "summary_index", "part"}},
      {"response.reasoning_summary_part.done", {"item_id", "output_index", "summary_index", "part"}},
      {"response.reasoning_summary_text.delta", {"item_id", "output_index", "summary_index", "delta"}},
      {"response.reasoning_summary_text.done", {"item_id", "output_index", "summary_index", "text"}},
  };
  return kKeys;
}

TEST(ResponseEvents, are_these_very_bytes) {
  std::string out;
  ResponseFormat format(options());
  format.event(0, content("a"), out);
  EXPECT_EQ(out,
            "event: response.output_item.added\n"
            R"(data: {"type":"response.output_item.added","sequence_number":0,"output_index":0,"item":{"id":"msg_1","type":"message",)"
            R"("status":"in_progress","role":"assistant","content":[]}})"
            "\n\nevent: response.content_part.added\n"
            R"(data: {"type":"response.content_part.added","sequence_number":1,"item_id":"msg_1","output_index":0,"content_index":0,)"
            R"("part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}})"
            "\n\nevent: response.output_text.delta\n"
            R"(data: {"type":"response.output_text.delta","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,)"
            R"("delta":"a","logprobs":[]})"
            "\n\n");
}

TEST(ResponseEvents, come_in_the_order_of_the_api_for_reasoning_and_text) {
  const auto events = parsed(stream(options(), {said(Kind::kReasoning, "hm"), content("a"), content("b"), ended()}));
  EXPECT_EQ(types(events),
            (std::vector<std::string>{"response.created", "response.in_progress", "response.output_item.added", "response.reasoning_summary_part.added",
                                      "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done",
                                      "response.reasoning_summary_part.done", "response.output_item.done", "response.output_item.added",
                                      "response.content_part.added", "response.output_text.delta", "response.output_text.delta",
                                      "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"}));
  for (const OrderedJson& event : events) {
    for (const std::string& key : required_keys().at(event["type"])) EXPECT_TRUE(event.contains(key)) << event["type"] << " " << key;
  }
  EXPECT_EQ(events[12]["text"], "ab");
  const OrderedJson response = events.back()["response"];
  EXPECT_EQ(response["status"], "completed");
  EXPECT_EQ(response["completed_at"], 1700000009);
  EXPECT_EQ(response["output"].dump(),
            R"([{"id":"rs_1","type":"reasoning","status":"completed","summary":[{"type":"summary_text","text":"hm"}]},)"
            R"({"id":"msg_2","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"ab",)"
            R"("annotations":[],"logprobs":[]}]}])");
  EXPECT_EQ(response["usage"].dump(), R"({"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":6},"output_tokens":6,)"
                                      R"("output_tokens_details":{"reasoning_tokens":0},"total_tokens":16})");
}

TEST(ResponseEvents, open_and_close_every_call) {
  const auto events = parsed(stream(options(), {said(Kind::kCallBegin, "f"), said(Kind::kCallArguments, "{\"a\""), said(Kind::kCallArguments, ":1}"),
                                                said(Kind::kCallEnd, ""), said(Kind::kCallBegin, "g", 1, "call_own"),
                                                said(Kind::kCallArguments, "{}", 1), said(Kind::kCallEnd, "", 1), ended()}));
  EXPECT_EQ(types({events.begin() + 2, events.begin() + 7}),
            (std::vector<std::string>{"response.output_item.added", "response.function_call_arguments.delta", "response.function_call_arguments.delta",
                                      "response.function_call_arguments.done", "response.output_item.done"}));
  EXPECT_EQ(events[5]["name"], "f");
  EXPECT_EQ(events[5]["arguments"], "{\"a\":1}");
  for (const OrderedJson& event : events) {
    for (const std::string& key : required_keys().at(event["type"])) EXPECT_TRUE(event.contains(key)) << event["type"] << " " << key;
  }
  const OrderedJson output = events.back()["response"]["output"];
  EXPECT_EQ(output[0].dump(), R"({"id":"fc_1","type":"function_call","status":"completed","call_id":"call_2","name":"f","arguments":"{\"a\":1}"})");
  EXPECT_EQ(output[1]["call_id"], "call_own");
}

TEST(ResponseEvents, give_the_input_of_a_custom_tool_when_it_is_whole) {
  ResponseFormatOptions with = options();
  with.custom = {"patch", "n__say"};
  with.grouped["n__say"] = {"n", "say"};
  const auto events = parsed(stream(with, {said(Kind::kCallBegin, "patch"), said(Kind::kCallArguments, "{\"input\": "), said(Kind::kCallArguments, "\"a\\nb\"}"),
                                           said(Kind::kCallEnd, ""), said(Kind::kCallBegin, "n__say", 1), said(Kind::kCallArguments, "{\"input\": \"c", 1),
                                           ended(FinishReason::kMaxTokens)}));
  EXPECT_EQ(types({events.begin() + 2, events.begin() + 6}),
            (std::vector<std::string>{"response.output_item.added", "response.custom_tool_call_input.delta", "response.custom_tool_call_input.done",
                                      "response.output_item.done"}));
  EXPECT_EQ(events[2]["item"]["input"], "");
  EXPECT_EQ(events[3]["delta"], "a\nb");
  for (const OrderedJson& event : events) {
    for (const std::string& key : required_keys().at(event["type"])) EXPECT_TRUE(event.contains(key)) << event["type"] << " " << key;
  }
  const OrderedJson output = events.back()["response"]["output"];
  EXPECT_EQ(output[0].dump(), R"({"id":"ctc_1","type":"custom_tool_call","status":"completed","call_id":"call_2","name":"patch","input":"a\nb"})");
  EXPECT_EQ(output[1].dump(),
            R"({"id":"ctc_3","type":"custom_tool_call","status":"incomplete","call_id":"call_4","name":"say","input":"c","namespace":"n"})");
}

// Whatever happens, an item that begins ends, under its index and id.
TEST(ResponseEvents, close_what_they_open) {
  const std::vector<std::vector<ChatEvent>> answers = {
      {ended()},
      {ended(FinishReason::kMaxTokens)},
      {said(Kind::kReasoning, "hm"), ended(FinishReason::kMaxTokens)},
      {content("a"), said(Kind::kCallBegin, "f"), said(Kind::kCallBroken, ""), content("f("), ended()},
      {said(Kind::kCallBegin, "f"), said(Kind::kCallArguments, "{"), ended(FinishReason::kContextFull)},
  };
  for (const auto& answer : answers) {
    std::vector<std::string> open, closed;
    const auto events = parsed(stream(options(), answer));
    for (const OrderedJson& event : events) {
      if (event["type"] == "response.output_item.added") open.push_back(event["output_index"].dump() + event["item"]["id"].dump());
      if (event["type"] == "response.output_item.done") closed.push_back(event["output_index"].dump() + event["item"]["id"].dump());
    }
    EXPECT_EQ(open, closed);
    EXPECT_FALSE(open.empty());
    EXPECT_EQ(events.back()["response"]["output"].size(), open.size());
  }
}

TEST(ResponseEvents, have_no_whole_call_where_a_stop_string_ended_the_answer_within_it) {
  const auto events = parsed(stream(options(), {said(Kind::kCallBegin, "f"), said(Kind::kCallArguments, "{"), ended(FinishReason::kStopString)}));
  EXPECT_EQ(events.back()["response"]["output"][0]["status"], "incomplete");
}

TEST(ResponseEvents, say_that_an_answer_is_incomplete_when_its_room_ended) {
  const auto events = parsed(stream(options(), {content("a"), ended(FinishReason::kMaxTokens)}));
  EXPECT_EQ(events.back()["type"], "response.incomplete");
  const OrderedJson response = events.back()["response"];
  EXPECT_EQ(response["status"], "incomplete");
  EXPECT_EQ(response["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_TRUE(response["completed_at"].is_null());
  EXPECT_EQ(response["output"][0]["status"], "incomplete");
}

TEST(ResponseEvents, end_with_failed_after_an_error) {
  ResponseFormat format(options());
  std::string out;
  format.begin(out);
  format.event(0, content("a"), out);
  format.error(Error(ErrorCode::kInternal, "it broke"), out);
  const auto events = parsed(out);
  EXPECT_EQ(events.back()["type"], "response.failed");
  EXPECT_EQ(events.back()["response"]["status"], "failed");
  EXPECT_EQ(events.back()["response"]["error"].dump(), R"({"code":"server_error","message":"it broke"})");
  EXPECT_EQ(out.find("[DONE]"), std::string::npos);
}

TEST(ResponseEvents, carry_logprobs_with_the_text) {
  ResponseFormatOptions with = options();
  with.logprobs = true;
  ChatEvent a = content("a"), last = ended();
  a.logprobs = {logprob_of(5, "a", -0.5f)};
  last.logprobs = {logprob_of(6, "b", -1), logprob_of(0, "</s>", -1)};
  last.output = {{Kind::kContent, 0, "b", {}}};
  const auto events = parsed(stream(with, {a, last}));
  EXPECT_EQ(events[4]["logprobs"][0]["token"], "a");
  EXPECT_EQ(events[5]["logprobs"][0]["token"], "b");
  const OrderedJson all = events.back()["response"]["output"][0]["content"][0]["logprobs"];
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1]["bytes"].dump(), "[98]");
}

TEST(ResponseEvents, leave_reasoning_out_when_it_is_not_wanted_and_encode_it_when_it_is) {
  const std::vector<ChatEvent> events = {said(Kind::kReasoning, "hm"), content("a"), ended()};
  ResponseFormatOptions without = options();
  without.include_reasoning = false;
  EXPECT_EQ(stream(without, events).find("hm"), std::string::npos);
  ResponseFormatOptions encoded = options();
  encoded.encode_reasoning = true;
  EXPECT_EQ(parsed(stream(encoded, events)).back()["response"]["output"][0]["encrypted_content"], "aG0=");
}

TEST(ResponseObject, is_the_same_whole_as_at_the_end_of_a_stream) {
  ChatReply reply;
  reply.reasoning = "hm";
  reply.content = "ab";
  reply.stats = stats_of(10, 4, 6);
  const OrderedJson whole = parse_ordered_json(ResponseFormat(options()).whole({reply}).body, "body");
  EXPECT_EQ(whole.dump(), parsed(stream(options(), {said(Kind::kReasoning, "hm"), content("ab"), ended()})).back()["response"].dump());
}

TEST(ResponseObject, is_stored_when_it_ended_but_not_when_it_failed) {
  int stored = 0;
  ResponseFormatOptions with = options();
  with.ended = [&](const OrderedJson& response) {
    ++stored;
    EXPECT_EQ(response["status"], "completed");
  };
  stream(with, {content("a"), ended()});
  EXPECT_EQ(stored, 1);
  ResponseFormat failing(with);
  std::string out;
  failing.error(Error(ErrorCode::kInternal, "it broke"), out);
  EXPECT_EQ(stored, 1);
}

TEST(ResponseObject, marks_the_call_that_is_not_whole) {
  ChatReply reply;
  reply.calls = {{"c1", "f", "{}"}, {"c2", "g", "{\"a\":"}};
  reply.reason = FinishReason::kMaxTokens;
  const OrderedJson whole = parse_ordered_json(ResponseFormat(options()).whole({reply}).body, "body");
  EXPECT_EQ(whole["output"][0]["status"], "completed");
  EXPECT_EQ(whole["output"][1]["status"], "incomplete");
  EXPECT_EQ(whole["status"], "incomplete");
}

TEST(ResponseEvents, name_tools_of_groups_as_the_client_does) {
  ResponseFormatOptions grouped = options();
  grouped.grouped["n__f"] = {"n", "f"};
  const auto events = parsed(stream(grouped, {said(Kind::kCallBegin, "n__f"), said(Kind::kCallArguments, "{}"), said(Kind::kCallEnd, ""), ended()}));
  int n = 0;
  for (const OrderedJson& event : events) {
    if (event["type"] == "response.function_call_arguments.done") {
      EXPECT_EQ(event["name"], "f");
    }
    if (!event.contains("item")) continue;
    EXPECT_EQ(event["item"]["name"], "f");
    EXPECT_EQ(event["item"]["namespace"], "n");
    ++n;
  }
  EXPECT_EQ(n, 2);
  ChatReply reply;
  reply.calls = {{.id = "c", .name = "n__f", .arguments = "{}"}, {.id = "d", .name = "g", .arguments = "{"}};
  const OrderedJson output = parse_ordered_json(ResponseFormat(grouped).whole({reply}).body, "body")["output"];
  EXPECT_EQ(output[0]["namespace"], "n");
  EXPECT_FALSE(output[1].contains("namespace"));
  EXPECT_EQ(output[1]["status"], "incomplete");
}

}  // namespace
}  // namespace minnow
