#include "respond/chat_answer.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/error.h"
#include "respond/responder.h"
#include "respond/test_said.h"

namespace minnow {
namespace {

using test::engine_that_says;

// Qwen's marks, in a template that knows tools.
constexpr const char* kTemplate =
    "{% if tools %}<tool_call>{{ tools | tojson }}</tool_call><|im_start|>{% endif %}"
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:";

ChatRequest request_with(const OrderedJson& tools) {
  ChatRequest request;
  request.messages.push_back({{"role", "user"}, {"content", "how many fish?"}});
  request.tools = tools;
  request.sampling.temperature = 0;
  request.max_tokens = 50;
  return request;
}

const OrderedJson kTools = {{{"type", "function"},
                             {"function", {{"name", "count"}, {"parameters", {{"type", "object"}, {"properties", {{"of", {{"type", "string"}}}}}}}}}}};

const std::vector<std::string> kSays = {"<think>", "They must be counted.", "</think>", "I will count. ", "<tool_call>",
                                        R"({"name": "count", "arguments": {"of": )", R"("fish"}})", "</tool_call>"};

TEST(ChatAnswer, ComesApartIntoThinkingContentAndCalls) {
  const auto engine = engine_that_says(kSays, kTemplate);
  LocalResponder responder(*engine);
  const ChatReply reply = responder.respond(request_with(kTools))->wait();
  EXPECT_EQ(reply.reason, FinishReason::kEndOfText);
  EXPECT_EQ(reply.reasoning, "They must be counted.");
  EXPECT_EQ(reply.content, "I will count.");
  ASSERT_EQ(reply.calls.size(), 1u);
  EXPECT_EQ(reply.calls[0].name, "count");
  EXPECT_EQ(Json::parse(reply.calls[0].arguments), (Json{{"of", "fish"}}));
  EXPECT_EQ(reply.tokens.size(), kSays.size() + 1);
}

TEST(ChatAnswer, WithoutToolsACallIsText) {
  const auto engine = engine_that_says(kSays, kTemplate);
  LocalResponder responder(*engine);
  const ChatReply reply = responder.respond(request_with(nullptr))->wait();
  EXPECT_TRUE(reply.calls.empty());
  EXPECT_NE(reply.content.find("\"arguments\""), std::string::npos) << reply.content;
}

TEST(ChatAnswer, StreamsPiecesThatMakeTheWhole) {
  const auto engine = engine_that_says(kSays, kTemplate);
  LocalResponder responder(*engine);
  const auto answer = responder.respond(request_with(kTools));
  ChatReply reply;
  int events = 0;
  ChatEvent event;
  do {
    event = answer->next();
    for (const ChatOutputEvent& e : event.output) reply.append(e);
    ++events;
  } while (!event.done);
  EXPECT_EQ(reply.reasoning, "They must be counted.");
  EXPECT_EQ(reply.calls.size(), 1u);
  EXPECT_EQ(event.stats.generated_tokens, static_cast<int64_t>(kSays.size()) + 1);
}

TEST(ChatAnswer, ACallThatIsNoCallIsGivenBackAsText) {
  const auto engine = engine_that_says({"<tool_call>", R"({"name": "count", "arguments": )", "nothing", "</tool_call>"}, kTemplate);
  LocalResponder responder(*engine);
  const ChatReply reply = responder.respond(request_with(kTools))->wait();
  EXPECT_TRUE(reply.calls.empty());
  EXPECT_NE(reply.content.find("nothing"), std::string::npos) << reply.content;
}

TEST(ChatAnswer, WithoutParallelCallsItEndsWithTheFirst) {
  std::vector<std::string> says = kSays;
  says.insert(says.end(), {"<tool_call> ", R"({"name": "count", "arguments": {}})", "</tool_call> "});
  const auto engine = engine_that_says(says, kTemplate);
  LocalResponder responder(*engine);
  ChatRequest request = request_with(kTools);
  EXPECT_EQ(responder.respond(request)->wait().calls.size(), 2u);
  request.parallel_tool_calls = false;
  const ChatReply reply = responder.respond(request)->wait();
  ASSERT_EQ(reply.calls.size(), 1u);
  EXPECT_EQ(Json::parse(reply.calls[0].arguments), (Json{{"of", "fish"}}));
  EXPECT_EQ(reply.reason, FinishReason::kEndOfText);
  EXPECT_EQ(reply.content, "I will count.");
}

// Events from anywhere.
class Script final : public AnswerSource {
 public:
  explicit Script(std::deque<Event> events) : events_(std::move(events)) {}
  Event next() override {
    auto event = try_next();
    if (!event) throw Error(ErrorCode::kInternal, "there are no more events");
    return std::move(*event);
  }
  std::optional<Event> next_for(std::chrono::milliseconds) override { return try_next(); }
  std::optional<Event> try_next() override {
    if (events_.empty()) return std::nullopt;
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  void cancel() override { cancelled = true; }
  bool cancelled = false;

 private:
  std::deque<Event> events_;
};

Event piece(const std::string& text, std::vector<TokenId> tokens) {
  Event event{.text = text, .tokens = std::move(tokens)};
  for (const TokenId t : event.tokens) event.logprobs.push_back({.token = t, .logprob = -1, .bytes = {}, .top = {}});
  return event;
}

Event last(const std::string& text, std::vector<TokenId> tokens, FinishReason reason) {
  Event event = piece(text, std::move(tokens));
  event.done = true;
  event.reason = reason;
  event.stats.generated_tokens = 9;
  return event;
}

ChatOutputParser hermes(bool calls) { return ChatOutputParser(*find_output_format("hermes"), {.calls = calls}); }

TEST(ChatAnswer, AnySourceWillDoAndAllThatItSaysArrives) {
  Event end = last("", {3}, FinishReason::kStopString);
  end.stop_string = "END";
  ChatAnswer answer(std::make_unique<Script>(std::deque<Event>{piece("<think>so", {1}), piece(" it is</think>yes", {2, 4}), end}), hermes(false));
  ChatReply reply;
  while (auto event = answer.try_next()) reply.append(*event);
  EXPECT_EQ(reply.reasoning, "so it is");
  EXPECT_EQ(reply.content, "yes");
  EXPECT_EQ(reply.tokens, (std::vector<TokenId>{1, 2, 4, 3}));
  EXPECT_EQ(reply.logprobs.size(), 4u);
  EXPECT_EQ(reply.reason, FinishReason::kStopString);
  EXPECT_EQ(reply.stop_string, "END");
  EXPECT_EQ(reply.stats.generated_tokens, 9);
}

TEST(ChatAnswer, CountsTheTokensOfReasoning) {
  const auto count = [](std::deque<Event> events) {
    ChatAnswer answer(std::make_unique<Script>(std::move(events)), hermes(false));
    return answer.wait().reasoning_tokens;
  };
  EXPECT_EQ(count({piece("<think>", {1}), piece("a", {2}), piece("b", {3}), piece("</think>", {4}), last("yes", {5}, FinishReason::kEndOfText)}), 3);
  EXPECT_EQ(count({piece("a", {2}), last("b", {3}, FinishReason::kEndOfText)}), 0);
  EXPECT_EQ(count({last("<think>abc</think>d", {1, 2, 3, 4}, FinishReason::kEndOfText)}), 3) << "by length where one event holds both";
}

TEST(ChatAnswer, WhatComesAfterTheOnlyCallIsNobodys) {
  const std::string call = R"(<tool_call>{"name": "f", "arguments": {}}</tool_call>)";
  auto script = std::make_unique<Script>(std::deque<Event>{piece("a" + call + call, {1, 2}), piece(call, {3}), last("more", {4}, FinishReason::kCancelled)});
  const Script& source = *script;
  ChatAnswer answer(std::move(script), hermes(true));
  answer.end_after_first_call();
  const auto first = answer.try_next();
  ASSERT_TRUE(first);
  EXPECT_TRUE(source.cancelled);
  EXPECT_EQ(first->output.back().kind, ChatOutputEvent::Kind::kCallEnd);
  EXPECT_EQ(first->output.back().call, 0);
  const auto end = answer.try_next();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->done);
  EXPECT_TRUE(end->output.empty());
  EXPECT_EQ(end->reason, FinishReason::kEndOfText);
  EXPECT_EQ(end->stats.generated_tokens, 9);
  EXPECT_FALSE(answer.try_next());
}

TEST(ChatAnswer, AnErrorIsOneHoweverItIsTaken) {
  Event end = last("", {}, FinishReason::kError);
  end.error = "broken";
  ChatAnswer waits(std::make_unique<Script>(std::deque<Event>{end}), std::nullopt);
  EXPECT_THROW(waits.wait(), Error);
  ChatAnswer polls(std::make_unique<Script>(std::deque<Event>{end}), std::nullopt);
  const auto event = polls.try_next();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->error, "broken");
}

}  // namespace
}  // namespace minnow
