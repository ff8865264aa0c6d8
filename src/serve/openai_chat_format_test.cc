#include "serve/openai_chat_format.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "serve/test_events.h"

namespace minnow {
namespace {

using namespace test;
using Kind = ChatOutputEvent::Kind;

ChatFormatOptions options() {
  return {.id = "chatcmpl-1", .created = 1700000000, .model = "tiny", .make_id = numbered_ids(), .is_end = [](TokenId id) { return id == 0; }};
}

// The stream of one choice.
std::string stream(ChatFormat& format, const std::vector<ChatEvent>& events) {
  std::string out;
  format.begin(out);
  for (const ChatEvent& event : events) format.event(0, event, out);
  format.end(out);
  return out;
}

std::string stream(ChatFormatOptions given, const std::vector<ChatEvent>& events) {
  ChatFormat format(std::move(given));
  return stream(format, events);
}

OrderedJson choice_of(const OrderedJson& chunk) { return chunk["choices"][0]; }

ChatReply reply(const std::string& text, FinishReason reason = FinishReason::kEndOfText) {
  ChatReply r;
  r.content = text;
  r.reason = reason;
  r.stats = stats_of(10, 4, 6);
  return r;
}

TEST(ChatChunks, are_these_very_bytes) {
  const std::string head = R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"tiny","system_fingerprint":")" +
                           std::string(system_fingerprint()) + R"(","choices":[{"index":0,"delta":)";
  const std::string rest = R"(,"logprobs":null,"finish_reason":null}]})" "\n\n";
  std::string out;
  ChatFormat format(options());
  format.event(0, content("Hi \"you\"\n"), out);
  EXPECT_EQ(out, head + R"({"role":"assistant","content":""})" + rest + head + R"({"content":"Hi \"you\"\n"})" + rest);
}

TEST(ChatChunks, say_the_role_once_and_end_apart_from_the_text) {
  const auto all = chunks(stream(options(), {content("a"), content("b"), ended()}));
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(choice_of(all[0])["delta"].dump(), R"({"role":"assistant","content":""})");
  EXPECT_EQ(choice_of(all[1])["delta"].dump(), R"({"content":"a"})");
  EXPECT_EQ(choice_of(all[2])["delta"].dump(), R"({"content":"b"})");
  EXPECT_EQ(choice_of(all[3])["delta"].dump(), "{}");
  EXPECT_EQ(choice_of(all[3])["finish_reason"], "stop");
  for (const OrderedJson& chunk : all) {
    EXPECT_EQ(chunk["id"], "chatcmpl-1");
    EXPECT_EQ(chunk["created"], 1700000000);
    EXPECT_EQ(chunk["object"], "chat.completion.chunk");
    EXPECT_FALSE(chunk.contains("usage"));
  }
  EXPECT_EQ(all[3]["timings"]["predicted_n"], 6);
  EXPECT_EQ(all[3]["timings"]["prompt_n"], 6);
  EXPECT_EQ(all[3]["timings"]["cache_n"], 4);
}

TEST(ChatChunks, have_the_end_even_when_nothing_was_said) {
  const auto all = chunks(stream(options(), {ended(FinishReason::kMaxTokens)}));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(choice_of(all[1])["finish_reason"], "length");
}

TEST(ChatChunks, tell_usage_last_and_without_choices_when_asked) {
  ChatFormatOptions with = options();
  with.include_usage = true;
  const auto all = chunks(stream(with, {content("a"), ended()}));
  for (std::size_t i = 0; i + 1 < all.size(); ++i) EXPECT_TRUE(all[i].at("usage").is_null());
  EXPECT_TRUE(all.back()["choices"].empty());
  EXPECT_EQ(all.back()["usage"].dump(),
            R"({"prompt_tokens":10,"completion_tokens":6,"total_tokens":16,"prompt_tokens_details":{"cached_tokens":4},)"
            R"("completion_tokens_details":{"reasoning_tokens":0}})");
}

TEST(ChatChunks, tell_usage_all_the_time_when_asked) {
  ChatFormatOptions with = options();
  with.include_usage = with.continuous_usage = true;
  with.prompt_ids.resize(10);
  const auto all = chunks(stream(with, {content("a"), content("b"), ended()}));
  EXPECT_EQ(all[1]["usage"]["total_tokens"], 11);
  EXPECT_EQ(all[2]["usage"]["total_tokens"], 12);
  EXPECT_EQ(all[3]["usage"]["total_tokens"], 16);
}

TEST(ChatChunks, name_a_call_then_send_its_arguments_under_the_same_index) {
  const auto all = chunks(stream(options(), {said(Kind::kCallBegin, "weather", 0), said(Kind::kCallArguments, "{\"city\":", 0),
                                             said(Kind::kCallArguments, "\"Oslo\"}", 0), said(Kind::kCallEnd, "", 0),
                                             said(Kind::kCallBegin, "now", 1, "call_own"), said(Kind::kCallArguments, "{}", 1),
                                             said(Kind::kCallEnd, "", 1), ended()}));
  ASSERT_EQ(all.size(), 7u);
  EXPECT_EQ(choice_of(all[1])["delta"].dump(),
            R"({"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}]})");
  EXPECT_EQ(choice_of(all[2])["delta"].dump(), R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]})");
  EXPECT_EQ(choice_of(all[4])["delta"]["tool_calls"][0]["id"], "call_own");
  EXPECT_EQ(choice_of(all[4])["delta"]["tool_calls"][0]["index"], 1);
  EXPECT_EQ(choice_of(all[6])["finish_reason"], "tool_calls");
}

TEST(ChatChunks, send_the_input_of_a_custom_tool_when_it_is_whole) {
  ChatFormatOptions with = options();
  with.custom = {"patch"};
  const auto all = chunks(stream(with, {said(Kind::kCallBegin, "patch", 0), said(Kind::kCallArguments, "{\"input\":", 0), said(Kind::kCallArguments, "\"a\\nb\"}", 0),
                                        said(Kind::kCallEnd, "", 0), said(Kind::kCallBegin, "patch", 1), said(Kind::kCallArguments, "{\"input\": \"c", 1),
                                        ended(FinishReason::kMaxTokens)}));
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(choice_of(all[1])["delta"].dump(), R"({"tool_calls":[{"index":0,"id":"call_1","type":"custom","custom":{"name":"patch","input":""}}]})");
  EXPECT_EQ(choice_of(all[2])["delta"].dump(), R"({"tool_calls":[{"index":0,"custom":{"input":"a\nb"}}]})");
  EXPECT_EQ(choice_of(all[4])["delta"].dump(), R"({"tool_calls":[{"index":1,"custom":{"input":"c"}}]})");
}

TEST(ChatChunks, count_no_call_that_broke) {
  const auto all = chunks(stream(options(), {said(Kind::kCallBegin, "f"), said(Kind::kCallBroken, ""), content("f("), ended()}));
  EXPECT_EQ(choice_of(all.back())["finish_reason"], "stop");
}

TEST(ChatChunks, show_tokens_each_once_and_the_prompts_at_first) {
  ChatFormatOptions with = options();
  with.token_ids = true;
  with.prompt_ids = {7, 8};
  const auto all = chunks(stream(with, {content("a"), ended()}));
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0]["prompt_token_ids"].dump(), "[7,8]");
  EXPECT_EQ(choice_of(all[0])["token_ids"].dump(), "[]");
  EXPECT_EQ(choice_of(all[1])["token_ids"].dump(), "[1]");
  EXPECT_FALSE(all[1].contains("prompt_token_ids"));
}

TEST(ChatChunks, end_by_length_whatever_was_called) {
  const auto all = chunks(stream(options(), {said(Kind::kCallBegin, "f"), said(Kind::kCallEnd, ""), ended(FinishReason::kContextFull)}));
  EXPECT_EQ(choice_of(all.back())["finish_reason"], "length");
}

TEST(ChatChunks, send_reasoning_under_both_its_names_unless_it_is_not_wanted) {
  const std::vector<ChatEvent> events = {said(Kind::kReasoning, "hm"), content("a"), ended()};
  EXPECT_EQ(choice_of(chunks(stream(options(), events))[1])["delta"].dump(), R"({"reasoning_content":"hm","reasoning":"hm"})");
  ChatFormatOptions without = options();
  without.include_reasoning = false;
  EXPECT_EQ(stream(without, events).find("hm"), std::string::npos);
}

TEST(ChatChunks, carry_each_logprob_once_and_none_of_the_end) {
  ChatFormatOptions with = options();
  with.logprobs = true;
  ChatEvent held = content("");
  held.output.clear();  // nothing can be said of it yet
  held.logprobs = {logprob_of(5, "a", -0.5f)};
  ChatEvent text = content("ab");
  text.logprobs = {logprob_of(6, "b", -1)};
  ChatEvent last = ended();
  last.logprobs = {logprob_of(7, "\xe2\x82", -2), logprob_of(0, "</s>", -3)};
  const auto all = chunks(stream(with, {held, text, last}));
  ASSERT_EQ(all.size(), 4u);
  EXPECT_TRUE(choice_of(all[0])["logprobs"].is_null());
  const OrderedJson first = choice_of(all[1])["logprobs"];
  EXPECT_EQ(first["content"].size(), 2u);
  EXPECT_TRUE(first["refusal"].is_null());
  EXPECT_EQ(first["content"][0].dump(), R"({"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":[97]},)"
                                        R"({"token":"other","logprob":-1.5,"bytes":[111,116,104,101,114]}]})");
  EXPECT_EQ(choice_of(all[2])["logprobs"]["content"].size(), 1u);
  EXPECT_EQ(choice_of(all[2])["logprobs"]["content"][0]["bytes"].dump(), "[226,130]");
  EXPECT_EQ(choice_of(all[2])["delta"].dump(), R"({"content":""})");
  EXPECT_EQ(choice_of(all[3])["finish_reason"], "stop");
}

TEST(ChatChunks, add_the_stop_string_when_asked_and_say_which_it_was) {
  ChatFormatOptions with = options();
  with.include_stop = true;
  ChatEvent last = ended(FinishReason::kStopString);
  last.stop_string = "END";
  const auto all = chunks(stream(with, {content("a"), last}));
  EXPECT_EQ(choice_of(all[2])["delta"]["content"], "END");
  EXPECT_EQ(choice_of(all[3])["stop_reason"], "END");
  EXPECT_EQ(choice_of(all[3])["finish_reason"], "stop");
}

TEST(ChatChunks, keep_choices_apart) {
  ChatFormatOptions two = options();
  two.n_choices = 2;
  two.include_usage = true;
  ChatFormat format(two);
  std::string out;
  format.event(1, content("b"), out);
  format.event(0, content("a"), out);
  format.event(0, ended(), out);
  format.event(1, ended(FinishReason::kMaxTokens), out);
  format.end(out);
  const auto all = chunks(out);
  ASSERT_EQ(all.size(), 7u);
  EXPECT_EQ(choice_of(all[0])["index"], 1);
  EXPECT_EQ(choice_of(all[2])["index"], 0);
  EXPECT_EQ(choice_of(all[5])["finish_reason"], "length");
  EXPECT_EQ(all[6]["usage"]["prompt_tokens"], 10);  // one prompt
  EXPECT_EQ(all[6]["usage"]["completion_tokens"], 12);
}

TEST(ChatChunks, show_an_error_and_end) {
  ChatFormat format(options());
  std::string out;
  format.event(0, content("a"), out);
  format.error(Error(ErrorCode::kInternal, "it broke"), out);
  const auto all = chunks(out);
  EXPECT_EQ(all.back()["error"]["message"], "it broke");
  for (const char* key : {"type", "param", "code"}) EXPECT_TRUE(all.back()["error"].contains(key)) << key;
}

TEST(ChatCompletion, has_what_clients_look_for) {
  const HttpResponse response = ChatFormat(options()).whole({reply("Hello")});
  EXPECT_EQ(response.status, 200);
  OrderedJson body = parse_ordered_json(response.body, "body");
  EXPECT_EQ(body["timings"]["predicted_ms"], 2000);
  EXPECT_EQ(body["timings"]["predicted_per_second"], 3);
  body.erase("timings");
  EXPECT_EQ(body.dump(), R"({"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"tiny","system_fingerprint":")" +
                             std::string(system_fingerprint()) +
                             R"(","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},"logprobs":null,)"
                             R"("finish_reason":"stop","stop_reason":null}],"usage":{"prompt_tokens":10,"completion_tokens":6,"total_tokens":16,)"
                             R"("prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":0}}})");
}

TEST(ChatCompletion, has_null_for_content_when_there_are_calls_alone) {
  ChatReply called = reply("");
  called.reasoning = "hm";
  called.calls = {{"", "f", "{\"a\":1}"}, {"call_own", "g", "{}"}};
  const OrderedJson body = parse_ordered_json(ChatFormat(options()).whole({called}).body, "body");
  EXPECT_EQ(choice_of(body)["message"].dump(),
            R"({"role":"assistant","content":null,"refusal":null,"reasoning_content":"hm","reasoning":"hm","tool_calls":[)"
            R"({"id":"call_1","index":0,"type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},)"
            R"({"id":"call_own","index":1,"type":"function","function":{"name":"g","arguments":"{}"}}]})");
  EXPECT_EQ(choice_of(body)["finish_reason"], "tool_calls");
}

TEST(ChatCompletion, has_the_input_of_custom_tools) {
  ChatFormatOptions with = options();
  with.custom = {"patch"};
  ChatReply called = reply("");
  called.calls = {{"c", "patch", R"({"input": "a"})"}, {"d", "f", "{}"}};
  const OrderedJson calls = choice_of(parse_ordered_json(ChatFormat(with).whole({called}).body, "body"))["message"]["tool_calls"];
  EXPECT_EQ(calls[0].dump(), R"({"id":"c","index":0,"type":"custom","custom":{"name":"patch","input":"a"}})");
  EXPECT_EQ(calls[1]["type"], "function");
}

TEST(ChatCompletion, has_all_choices_and_counts_their_prompt_once) {
  ChatFormatOptions two = options();
  two.n_choices = 2;
  const OrderedJson body = parse_ordered_json(ChatFormat(two).whole({reply("a"), reply("b", FinishReason::kMaxTokens)}).body, "body");
  EXPECT_EQ(body["choices"][1]["index"], 1);
  EXPECT_EQ(body["choices"][1]["message"]["content"], "b");
  EXPECT_EQ(body["choices"][1]["finish_reason"], "length");
  EXPECT_EQ(body["usage"]["prompt_tokens"], 10);
  EXPECT_EQ(body["usage"]["completion_tokens"], 12);
}

TEST(ChatCompletion, has_logprobs_of_the_text_alone) {
  ChatFormatOptions with = options();
  with.logprobs = true;
  ChatReply r = reply("a");
  r.logprobs = {logprob_of(5, "a", -0.5f), logprob_of(0, "</s>", -1)};
  const OrderedJson body = parse_ordered_json(ChatFormat(with).whole({r}).body, "body");
  EXPECT_EQ(choice_of(body)["logprobs"]["content"].size(), 1u);
  EXPECT_TRUE(choice_of(body)["logprobs"]["refusal"].is_null());
}

}  // namespace
}  // namespace minnow
