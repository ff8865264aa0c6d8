#include "serve/openai_completion_format.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "serve/test_events.h"

namespace minnow {
namespace {

using namespace test;

CompletionFormatOptions options() {
  return {.id = "cmpl-1", .created = 1700000000, .model = "tiny", .is_end = [](TokenId id) { return id == 0; }};
}

std::string stream(const CompletionFormatOptions& given, const std::vector<std::pair<int, ChatEvent>>& events) {
  CompletionFormat format(given);
  std::string out;
  format.begin(out);
  for (const auto& [index, event] : events) format.event(index, event, out);
  format.end(out);
  return out;
}

OrderedJson whole(const CompletionFormatOptions& given, const std::vector<ChatReply>& replies) {
  return parse_ordered_json(CompletionFormat(given).whole(replies).body, "body");
}

ChatReply reply(const std::string& text, FinishReason reason = FinishReason::kMaxTokens) {
  ChatReply r;
  r.content = text;
  r.reason = reason;
  r.stats = stats_of(10, 4, 6);
  return r;
}

TEST(CompletionChunks, are_these_very_bytes) {
  const std::string head = R"(data: {"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"tiny","system_fingerprint":")" +
                           std::string(system_fingerprint()) + R"(","choices":[)";
  std::string out;
  CompletionFormat format(options());
  format.event(0, content("a"), out);
  EXPECT_EQ(out, head + R"({"text":"a","index":0,"logprobs":null,"finish_reason":null}]})" "\n\n");
}

TEST(CompletionChunks, end_apart_from_the_text) {
  const auto all = chunks(stream(options(), {{0, content("a")}, {0, ended(FinishReason::kMaxTokens)}}));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1]["choices"][0]["text"], "");
  EXPECT_EQ(all[1]["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(all[1]["timings"]["predicted_n"], 6);
  EXPECT_TRUE(all[1]["choices"][0].contains("stop_reason"));
  EXPECT_FALSE(all[0]["choices"][0].contains("stop_reason"));
}

TEST(CompletionChunks, begin_with_the_prompt_when_it_is_to_be_echoed) {
  CompletionFormatOptions two = options();
  two.echo = {"P0", "P1"};
  two.n_choices = 2;
  two.include_usage = true;
  const auto all = chunks(stream(two, {{3, content("d")}, {0, content("a")}, {0, ended()}, {1, ended()}, {2, ended()}, {3, ended()}}));
  EXPECT_EQ(all[0]["choices"][0]["text"], "P1");
  EXPECT_EQ(all[0]["choices"][0]["index"], 3);
  EXPECT_EQ(all[2]["choices"][0]["text"], "P0");
  EXPECT_EQ(all.back()["usage"]["prompt_tokens"], 20);  // two prompts, each once
  EXPECT_EQ(all.back()["usage"]["completion_tokens"], 24);
  EXPECT_TRUE(all[0].at("usage").is_null());
}

TEST(CompletionChunks, name_the_string_that_they_stopped_at) {
  ChatEvent end = ended(FinishReason::kStopString);
  end.stop_string = "zzz";
  EXPECT_EQ(chunks(stream(options(), {{0, end}})).back()["choices"][0]["stop_reason"], "zzz");
}

TEST(CompletionChunks, show_tokens_each_once_and_the_prompts_at_first) {
  CompletionFormatOptions with = options();
  with.token_ids = true;
  with.prompt_ids = {{7, 8}};
  const auto all = chunks(stream(with, {{0, content("a")}, {0, content("")}, {0, content("b")}, {0, ended()}}));
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0]["choices"][0]["token_ids"].dump(), "[1]");
  EXPECT_EQ(all[0]["choices"][0]["prompt_token_ids"].dump(), "[7,8]");
  EXPECT_EQ(all[1]["choices"][0]["token_ids"].dump(), "[1,1]");
  EXPECT_FALSE(all[1]["choices"][0].contains("prompt_token_ids"));
  EXPECT_EQ(all[2]["choices"][0]["token_ids"].dump(), "[]");
}

TEST(CompletionChunks, show_an_error_and_end) {
  CompletionFormat format(options());
  std::string out;
  format.error(Error(ErrorCode::kInternal, "it broke"), out);
  EXPECT_EQ(chunks(out).back()["error"]["message"], "it broke");
}

TEST(Completion, has_what_clients_look_for) {
  OrderedJson body = whole(options(), {reply(" world", FinishReason::kEndOfText)});
  EXPECT_EQ(body["object"], "text_completion");
  EXPECT_EQ(body["choices"].dump(), R"([{"text":" world","index":0,"logprobs":null,"finish_reason":"stop","stop_reason":null}])");
  EXPECT_EQ(body["usage"]["total_tokens"], 16);
  for (const char* key : {"id", "created", "model", "system_fingerprint", "timings"}) EXPECT_TRUE(body.contains(key)) << key;
}

TEST(Completion, has_the_choices_of_each_prompt_in_turn) {
  CompletionFormatOptions four = options();
  four.echo = {"P0", "P1"};
  four.n_choices = 2;
  const OrderedJson body = whole(four, {reply("a"), reply("b"), reply("c"), reply("d")});
  EXPECT_EQ(body["choices"][1]["text"], "P0b");
  EXPECT_EQ(body["choices"][2]["text"], "P1c");
  EXPECT_EQ(body["choices"][3]["index"], 3);
  EXPECT_EQ(body["usage"]["prompt_tokens"], 20);
}

TEST(LegacyLogprobs, list_tokens_with_their_places_in_the_text) {
  CompletionFormatOptions with = options();
  with.logprobs = 1;
  with.echo = {"é"};
  with.echo_logprobs = {{logprob_of(9, "\xc3\xa9", std::numeric_limits<float>::quiet_NaN())}};
  with.echo_logprobs[0][0].top.clear();
  ChatReply r = reply("ab", FinishReason::kEndOfText);
  r.logprobs = {logprob_of(5, "a", -0.5f), logprob_of(6, "\xe2\x82", -1), logprob_of(0, "</s>", -2)};
  r.logprobs[1].top = {{3, -0.25f, "c"}};  // likelier than the one that was drawn
  const OrderedJson logprobs = whole(with, {r})["choices"][0]["logprobs"];
  EXPECT_EQ(logprobs["tokens"].dump(), R"(["é","a","bytes:\\xe2\\x82"])");
  EXPECT_EQ(logprobs["token_logprobs"].dump(), "[null,-0.5,-1.0]");
  EXPECT_EQ(logprobs["top_logprobs"].dump(), R"([null,{"a":-0.5},{"c":-0.25,"bytes:\\xe2\\x82":-1.0}])");
  EXPECT_EQ(logprobs["text_offset"].dump(), "[0,1,2]");
}

TEST(LegacyLogprobs, go_on_from_chunk_to_chunk) {
  CompletionFormatOptions with = options();
  with.logprobs = 0;
  ChatEvent a = content("ab"), b = content("c");
  a.logprobs = {logprob_of(5, "ab", -0.5f)};
  b.logprobs = {logprob_of(6, "c", -1)};
  const auto all = chunks(stream(with, {{0, a}, {0, b}, {0, ended()}}));
  EXPECT_EQ(all[0]["choices"][0]["logprobs"]["text_offset"].dump(), "[0]");
  EXPECT_EQ(all[1]["choices"][0]["logprobs"]["text_offset"].dump(), "[2]");
  EXPECT_EQ(all[1]["choices"][0]["logprobs"]["top_logprobs"].dump(), R"([{"c":-1.0}])");
  EXPECT_TRUE(all[2]["choices"][0]["logprobs"].is_null());
}

TEST(Completion, shows_how_likely_the_prompt_is_in_the_words_of_vllm) {
  CompletionFormatOptions asked = options();
  asked.prompt_logprobs = 1;
  TokenLogprob first = logprob_of(9, "x", std::numeric_limits<float>::quiet_NaN()), second = logprob_of(5, "a", -0.5f);
  second.top = {{3, -0.25f, "c"}, {5, -0.5f, "a"}};
  asked.prompt_token_logprobs = {{first, second}};
  const OrderedJson choice = whole(asked, {reply("b")})["choices"][0];
  EXPECT_EQ(choice["prompt_logprobs"].dump(),
            R"([null,{"5":{"logprob":-0.5,"rank":null,"decoded_token":"a"},"3":{"logprob":-0.25,"rank":1,"decoded_token":"c"}}])");
  asked.prompt_logprobs = 2;
  EXPECT_EQ(whole(asked, {reply("b")})["choices"][0]["prompt_logprobs"][1]["5"]["rank"], 2);
  EXPECT_FALSE(whole(options(), {reply("b")})["choices"][0].contains("prompt_logprobs"));
}

}  // namespace
}  // namespace minnow
