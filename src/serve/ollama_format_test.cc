#include "serve/ollama_format.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "serve/test_events.h"

namespace minnow {
namespace {

using namespace test;
using Kind = ChatOutputEvent::Kind;

constexpr int64_t kStart = 1'700'000'000'000'000'000;
constexpr const char* kTime = "2023-11-14T22:13:20.5Z";

OllamaFormatOptions options(bool is_chat) {
  return {.is_chat = is_chat,
          .model = "tiny:latest",
          .started = kStart,
          .load_nanoseconds = 7,
          .now = [] { return kStart + 500'000'000; },
          .make_id = numbered_ids(),
          .is_end = [](TokenId id) { return id == 0; }};
}

std::string stream(OllamaFormatOptions given, const std::vector<ChatEvent>& events) {
  OllamaFormat format(std::move(given));
  std::string out;
  format.begin(out);
  for (const ChatEvent& event : events) format.event(0, event, out);
  format.end(out);
  return out;
}

std::vector<OrderedJson> objects(std::string_view ndjson) {
  std::vector<OrderedJson> all;
  while (!ndjson.empty()) {
    const std::size_t end = ndjson.find('\n');
    if (end == std::string_view::npos) return {OrderedJson("no line end at the end")};
    all.push_back(parse_ordered_json(ndjson.substr(0, end), "line"));
    ndjson.remove_prefix(end + 1);
  }
  return all;
}

std::vector<std::string> keys(const OrderedJson& object) {
  std::vector<std::string> names;
  for (const auto& [key, value] : object.items()) names.push_back(key);
  return names;
}

ChatEvent event_of(std::vector<ChatOutputEvent> output, std::vector<TokenId> tokens = {1}) {
  ChatEvent event;
  event.output = std::move(output);
  event.tokens = std::move(tokens);
  return event;
}

const std::string kMetrics =
    R"("total_duration":500000000,"load_duration":7,"prompt_eval_count":10,"prompt_eval_duration":500000000,"eval_count":6,"eval_duration":2000000000)";

TEST(OllamaStream, of_a_text_is_these_very_bytes) {
  const std::string head = std::string(R"({"model":"tiny:latest","created_at":")") + kTime + R"(","response":)";
  EXPECT_EQ(stream(options(false), {content("Hi \"you\"\n"), ended()}),
            head + "\"Hi \\\"you\\\"\\n\",\"done\":false}\n" + head + R"("","done":true,"done_reason":"stop",)" + kMetrics + "}\n");
}

TEST(OllamaStream, of_a_chat_is_these_very_bytes) {
  const std::string head = std::string(R"({"model":"tiny:latest","created_at":")") + kTime + R"(","message":{"role":"assistant","content":)";
  EXPECT_EQ(stream(options(true), {said(Kind::kReasoning, "hm"), content("Hi"), ended()}),
            head + "\"\",\"thinking\":\"hm\"},\"done\":false}\n" + head + "\"Hi\"},\"done\":false}\n" + head +
                R"(""},"done":true,"done_reason":"stop",)" + kMetrics + "}\n");
}

TEST(OllamaStream, says_done_exactly_once_and_last) {
  const auto all = objects(stream(options(false), {content("a"), event_of({}), content("b"), ended(FinishReason::kMaxTokens)}));
  ASSERT_EQ(all.size(), 3u) << "an event without anything to say is none";
  EXPECT_EQ(all[0]["done"], false);
  EXPECT_EQ(all[1]["done"], false);
  EXPECT_EQ(all[2]["done"], true);
  EXPECT_EQ(all[2]["done_reason"], "length");
}

TEST(OllamaStream, says_what_the_last_event_has_before_the_last_object) {
  ChatEvent last = ended();
  last.output = {{Kind::kContent, 0, "end", {}}};
  const auto all = objects(stream(options(false), {last}));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["response"], "end");
  EXPECT_EQ(all[1]["response"], "");
}

TEST(OllamaStream, tells_why_it_ended) {
  const auto reason = [](FinishReason why) { return objects(stream(options(true), {ended(why)})).back()["done_reason"]; };
  EXPECT_EQ(reason(FinishReason::kEndOfText), "stop");
  EXPECT_EQ(reason(FinishReason::kStopString), "stop");
  EXPECT_EQ(reason(FinishReason::kMaxTokens), "length");
  EXPECT_EQ(reason(FinishReason::kContextFull), "length");
}

TEST(OllamaStream, gives_calls_whole_with_arguments_in_their_order) {
  const auto all = objects(stream(options(true), {said(Kind::kCallBegin, "weather"), said(Kind::kCallArguments, R"({"z":"Oslo",)"),
                                                  said(Kind::kCallArguments, R"("a":[1]})"), event_of({{Kind::kCallEnd, 0, "", ""}}),
                                                  event_of({{Kind::kCallBegin, 1, "time", "abc"}, {Kind::kCallArguments, 1, "{}", ""}, {Kind::kCallEnd, 1, "", ""}}),
                                                  ended()}));
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0]["message"].dump(), R"({"role":"assistant","content":"","tool_calls":[{"id":"call_1","function":{"index":0,"name":"weather","arguments":)"
                                      R"({"z":"Oslo","a":[1]}}}]})");
  EXPECT_EQ(all[1]["message"]["tool_calls"].dump(), R"([{"id":"abc","function":{"index":1,"name":"time","arguments":{}}}])");
  EXPECT_EQ(all[2]["done_reason"], "stop");
}

TEST(OllamaStream, gives_a_call_that_broke_as_text) {
  const auto all = objects(stream(options(true), {said(Kind::kCallBegin, "weather"), said(Kind::kCallArguments, R"({"z":)"),
                                                  event_of({{Kind::kCallBroken, 0, "", ""}, {Kind::kContent, 0, "<call>{\"z\":", ""}}), ended()}));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["message"]["content"], "<call>{\"z\":");
  EXPECT_FALSE(all[0]["message"].contains("tool_calls"));
}

TEST(OllamaStream, leaves_out_a_call_that_the_room_ended_within) {
  const auto all = objects(stream(options(true), {said(Kind::kCallBegin, "weather"), said(Kind::kCallArguments, R"({"z":)"), ended(FinishReason::kMaxTokens)}));
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0]["done_reason"], "length");
  EXPECT_FALSE(all[0]["message"].contains("tool_calls"));
  ChatReply reply;
  reply.calls = {{.id = "", .name = "weather", .arguments = R"({"z":)"}};
  reply.reason = FinishReason::kMaxTokens;
  const OrderedJson whole = parse_ordered_json(OllamaFormat(options(true)).whole({reply}).body, "body");
  EXPECT_EQ(whole["done_reason"], "length");
  EXPECT_FALSE(whole["message"].contains("tool_calls"));
}

TEST(OllamaStream, returns_the_context_where_it_is_asked_for) {
  OllamaFormatOptions given = options(false);
  given.returns_context = true;
  given.prompt = {5, 6};
  ChatEvent last = ended();
  last.tokens = {0};
  const auto all = objects(stream(given, {event_of({{Kind::kContent, 0, "a", ""}}, {7, 8}), last}));
  EXPECT_EQ(all.back()["context"].dump(), "[5,6,7,8,0]");
  EXPECT_FALSE(all.front().contains("context"));
}

TEST(OllamaStream, gives_logprobs_with_the_text_that_they_are_of) {
  OllamaFormatOptions given = options(true);
  given.logprobs = true;
  ChatEvent held = event_of({});
  held.logprobs = {logprob_of(3, "<", -0.5f)};
  ChatEvent text = content("<a");
  text.logprobs = {logprob_of(4, "a", -0.25f)};
  ChatEvent last = ended();
  last.logprobs = {logprob_of(0, "</s>", -1)};
  const auto all = objects(stream(given, {held, text, last}));
  ASSERT_EQ(all.size(), 2u);
  ASSERT_EQ(all[0]["logprobs"].size(), 2u);
  EXPECT_EQ(all[0]["logprobs"][0].dump(),
            R"({"token":"<","logprob":-0.5,"bytes":[60],"top_logprobs":[{"token":"<","logprob":-0.5,"bytes":[60]},{"token":"other","logprob":-1.5,"bytes":[111,116,104,101,114]}]})");
  EXPECT_FALSE(all[1].contains("logprobs")) << "the token that ends a text is none of it";
}

TEST(OllamaStream, ends_with_a_line_for_an_error) {
  OllamaFormat format(options(true));
  std::string out;
  format.event(0, content("a"), out);
  format.error(Error(ErrorCode::kInternal, "it broke"), out);
  const auto all = objects(out);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].dump(), R"({"error":"it broke"})");
  EXPECT_EQ(format.stream_content_type(), "application/x-ndjson");
  EXPECT_EQ(format.ping(), "") << "a line that is no object would be taken for one";
}

TEST(OllamaStream, replaces_what_is_not_utf8) { EXPECT_EQ(objects(stream(options(false), {content("\xff"), ended()}))[0]["response"], "\xEF\xBF\xBD"); }

TEST(OllamaAnswer, has_the_keys_of_the_last_object_and_the_whole_text) {
  ChatReply reply;
  reply.content = "Hi";
  reply.reasoning = "hm";
  reply.calls = {{"", "f", R"({"b":1,"a":2})"}};
  reply.stats = stats_of(10, 4, 6);
  OllamaFormat format(options(true));
  const HttpResponse response = format.whole({reply});
  EXPECT_EQ(response.content_type, "application/json; charset=utf-8");
  const OrderedJson whole = parse_ordered_json(response.body, "whole");
  const OrderedJson last = objects(stream(options(true), {ended()})).back();
  EXPECT_EQ(keys(whole), keys(last));
  EXPECT_EQ(whole["message"].dump(),
            R"({"role":"assistant","content":"Hi","thinking":"hm","tool_calls":[{"id":"call_1","function":{"index":0,"name":"f","arguments":{"b":1,"a":2}}}]})");
}

TEST(OllamaAnswer, to_a_text_has_the_keys_of_the_last_object) {
  ChatReply reply;
  reply.content = "Hi";
  reply.tokens = {7, 0};
  reply.reason = FinishReason::kMaxTokens;
  reply.stats = stats_of(10, 4, 6);
  OllamaFormatOptions given = options(false);
  given.returns_context = true;
  given.prompt = {5};
  const OrderedJson whole = parse_ordered_json(OllamaFormat(given).whole({reply}).body, "whole");
  EXPECT_EQ(keys(whole), keys(objects(stream(given, {ended()})).back()));
  EXPECT_EQ(whole["response"], "Hi");
  EXPECT_EQ(whole["context"].dump(), "[5,7,0]");
  EXPECT_EQ(whole["done_reason"], "length");
}

TEST(OllamaLoad, is_one_object) {
  EXPECT_EQ(ollama_load_answer(false, "tiny", "load", kStart).body,
            R"({"model":"tiny","created_at":"2023-11-14T22:13:20Z","response":"","done":true,"done_reason":"load"})");
  EXPECT_EQ(ollama_load_answer(true, "tiny", "unload", kStart).body,
            R"({"model":"tiny","created_at":"2023-11-14T22:13:20Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"unload"})");
}

}  // namespace
}  // namespace minnow
