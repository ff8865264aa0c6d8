#include "serve/llama_format.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "serve/test_events.h"

namespace minnow {
namespace {

using namespace test;

LlamaFormatOptions options() {
  LlamaFormatOptions o{.model = "tiny", .settings = {{"top_k", 40}}, .is_end = [](TokenId id) { return id == 0; }};
  o.choices = {{.prompt = "Once", .prompt_tokens = 10}};
  return o;
}

std::vector<OrderedJson> stream(LlamaFormatOptions given, const std::vector<ChatEvent>& events) {
  given.stream = true;
  LlamaFormat format(std::move(given));
  std::string out;
  format.begin(out);
  for (const ChatEvent& event : events) format.event(0, event, out);
  format.end(out);
  std::vector<OrderedJson> all;
  for (const SentEvent& sent : sent_events(out)) all.push_back(parse_ordered_json(sent.data, "event"));
  return all;
}

ChatReply reply_of(const std::string& text, FinishReason reason = FinishReason::kEndOfText) {
  ChatReply reply;
  reply.content = text;
  reply.tokens = {7, 0};
  reply.reason = reason;
  reply.stats = stats_of(10, 4, 6);
  return reply;
}

OrderedJson whole(const LlamaFormatOptions& given, const std::vector<ChatReply>& replies) {
  return parse_ordered_json(LlamaFormat(given).whole(replies).body, "whole");
}

std::vector<std::string> keys(const OrderedJson& object) {
  std::vector<std::string> names;
  for (const auto& [key, value] : object.items()) names.push_back(key);
  return names;
}

TEST(LlamaStream, says_pieces_and_then_how_it_went) {
  const auto all = stream(options(), {content("a"), content("\nb"), ended()});
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].dump(), R"({"index":0,"content":"a","tokens":[1],"stop":false,"id_slot":-1,"tokens_predicted":1,"tokens_evaluated":10})");
  EXPECT_EQ(all[1]["content"], "\nb");
  EXPECT_EQ(all[2]["stop"], true);
  EXPECT_EQ(all[2]["content"], "");
  EXPECT_EQ(all[2]["stop_type"], "eos");
  EXPECT_EQ(all[2]["has_new_line"], true);
  EXPECT_EQ(all[2]["tokens_predicted"], 6);
  EXPECT_EQ(all[2]["timings"]["cache_n"], 4);
}

TEST(LlamaStream, keeps_tokens_and_probabilities_until_their_text_comes) {
  LlamaFormatOptions given = options();
  given.logprobs = true;
  ChatEvent held;
  held.tokens = {5};
  held.logprobs = {logprob_of(5, "\xe2", -0.5f)};
  ChatEvent text = content("\xe2\x82\xac");
  text.tokens = {6};
  text.logprobs = {logprob_of(6, "\x82\xac", -0.25f)};
  ChatEvent last = ended();
  last.tokens = {0};
  last.logprobs = {logprob_of(0, "</s>", -1)};
  const auto all = stream(given, {held, text, last});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["tokens"].dump(), "[5,6]");
  ASSERT_EQ(all[0]["completion_probabilities"].size(), 2u);
  EXPECT_EQ(all[0]["completion_probabilities"][0]["bytes"].dump(), "[226]");
  EXPECT_EQ(all[0]["completion_probabilities"][1]["logprob"], -0.25);
  EXPECT_FALSE(all[1].contains("completion_probabilities")) << "the token that ends a text is none of it";
}

TEST(LlamaStream, has_timings_of_every_piece_when_asked) {
  LlamaFormatOptions given = options();
  given.timings_per_token = true;
  double now = 100;
  given.seconds = [&] { return now += 1; };
  const auto all = stream(given, {content("a"), content("b"), ended()});
  EXPECT_EQ(all[0]["timings"]["predicted_n"], 1);
  EXPECT_EQ(all[1]["timings"]["predicted_n"], 2);
  EXPECT_EQ(all[0]["timings"]["prompt_ms"], 1000);
  EXPECT_GT(all[1]["timings"]["predicted_ms"], all[0]["timings"]["predicted_ms"]);
}

TEST(LlamaStream, ends_with_an_event_for_an_error) {
  LlamaFormat format(options());
  std::string out;
  format.error(Error(ErrorCode::kInternal, "it broke"), out);
  EXPECT_EQ(out, "data: {\"error\":{\"code\":500,\"message\":\"it broke\",\"type\":\"server_error\"}}\n\n");
}

TEST(LlamaAnswer, has_these_fields) {
  const OrderedJson answer = whole(options(), {reply_of("a b")});
  EXPECT_EQ(keys(answer), (std::vector<std::string>{"index", "content", "tokens", "id_slot", "stop", "model", "tokens_predicted", "tokens_evaluated",
                                                    "generation_settings", "prompt", "has_new_line", "truncated", "stop_type", "stopping_word",
                                                    "tokens_cached", "timings"}));
  EXPECT_EQ(answer["content"], "a b");
  EXPECT_EQ(answer["tokens"].dump(), "[]") << "they were not asked for";
  EXPECT_EQ(answer["model"], "tiny");
  EXPECT_EQ(answer["prompt"], "Once");
  EXPECT_EQ(answer["generation_settings"]["top_k"], 40);
  EXPECT_EQ(answer["tokens_evaluated"], 10);
  EXPECT_EQ(answer["tokens_cached"], 16);
  EXPECT_EQ(answer["has_new_line"], false);
}

TEST(LlamaAnswer, tells_why_it_ended) {
  const auto end = [](FinishReason reason) { return whole(options(), {reply_of("a", reason)}); };
  EXPECT_EQ(end(FinishReason::kEndOfText)["stop_type"], "eos");
  EXPECT_EQ(end(FinishReason::kStopString)["stop_type"], "word");
  EXPECT_EQ(end(FinishReason::kMaxTokens)["stop_type"], "limit");
  EXPECT_EQ(end(FinishReason::kMaxTokens)["truncated"], false);
  EXPECT_EQ(end(FinishReason::kContextFull)["stop_type"], "limit");
  EXPECT_EQ(end(FinishReason::kContextFull)["truncated"], true);
  ChatReply reply = reply_of("a", FinishReason::kStopString);
  reply.stop_string = "\n";
  EXPECT_EQ(whole(options(), {reply})["stopping_word"], "\n");
}

TEST(LlamaAnswer, has_tokens_and_probabilities_when_asked) {
  LlamaFormatOptions given = options();
  given.return_tokens = given.logprobs = true;
  ChatReply reply = reply_of("a");
  reply.logprobs = {logprob_of(7, "a", -0.5f), logprob_of(0, "</s>", -1)};
  const OrderedJson answer = whole(given, {reply});
  EXPECT_EQ(answer["tokens"].dump(), "[7,0]");
  EXPECT_EQ(answer["completion_probabilities"].dump(),
            R"([{"id":7,"token":"a","bytes":[97],"logprob":-0.5,"top_logprobs":[{"id":7,"token":"a","bytes":[97],"logprob":-0.5},)"
            R"({"id":8,"token":"other","bytes":[111,116,104,101,114],"logprob":-1.5}]}])");
}

TEST(LlamaAnswer, of_several_prompts_is_an_array) {
  LlamaFormatOptions given = options();
  given.is_array = true;
  given.choices.push_back({.prompt = "Twice", .prompt_tokens = 3});
  const OrderedJson answers = whole(given, {reply_of("a"), reply_of("b")});
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[1]["index"], 1);
  EXPECT_EQ(answers[1]["prompt"], "Twice");
  EXPECT_EQ(answers[1]["content"], "b");
}

TEST(LlamaAnswer, has_the_fields_that_are_asked_for) {
  LlamaFormatOptions given = options();
  given.response_fields = {"content", "generation_settings/top_k", "timings/predicted_n", "content/x", "nothing", ""};
  EXPECT_EQ(whole(given, {reply_of("a")}).dump(), R"({"content":"a","top_k":40,"predicted_n":6})");
}

}  // namespace
}  // namespace minnow
