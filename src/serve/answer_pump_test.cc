#include "serve/answer_pump.h"

#include <gtest/gtest.h>

#include "serve/test_answers.h"

namespace minnow {
namespace {

using testing_answers::answer_of;
using testing_answers::Script;

constexpr std::size_t kMuch = 1 << 20;

struct Scene {
  explicit Scene(int choices, bool stream) {
    for (int i = 0; i < choices; ++i) scripts.push_back(std::make_shared<Script>());
    answer = answer_of(scripts, stream);
    answer->start([this] { ++told; });
    pump.emplace(*answer);
  }
  std::string take(std::size_t max = kMuch) {
    std::string out;
    last = pump->take(out, max);
    return out;
  }

  std::vector<std::shared_ptr<Script>> scripts;
  std::unique_ptr<PreparedAnswer> answer;
  std::optional<AnswerPump> pump;
  AnswerPump::Taken last;
  int told = 0;
};

TEST(AnswerPump, StreamsWhatIsReady) {
  Scene s(1, true);
  EXPECT_EQ(s.take(), "");
  s.scripts[0]->say("a");
  s.scripts[0]->say("b");
  EXPECT_EQ(s.told, 2);
  EXPECT_EQ(s.take(), "0:a;0:b;");
  EXPECT_EQ(s.last.tokens, 2);
  EXPECT_FALSE(s.pump->is_done());
  s.scripts[0]->end();
  EXPECT_EQ(s.take(), "0.;");
  EXPECT_TRUE(s.pump->is_done());
}

TEST(AnswerPump, ChoicesTakeTurns) {
  Scene s(2, true);
  s.scripts[0]->say("a");
  s.scripts[0]->say("b");
  s.scripts[1]->say("c");
  EXPECT_EQ(s.take(), "0:a;1:c;0:b;");
  s.scripts[1]->end();
  s.take();
  EXPECT_FALSE(s.pump->is_done());
  s.scripts[0]->end();
  s.take();
  EXPECT_TRUE(s.pump->is_done());
}

TEST(AnswerPump, StopsWhenThereIsEnough) {
  Scene s(1, true);
  for (int i = 0; i < 10; ++i) s.scripts[0]->say("xxxx");
  EXPECT_EQ(s.take(10), "0:xxxx;0:xxxx;");
  EXPECT_TRUE(s.last.more);
  EXPECT_EQ(s.take(), "0:xxxx;0:xxxx;0:xxxx;0:xxxx;0:xxxx;0:xxxx;0:xxxx;0:xxxx;");
  EXPECT_FALSE(s.last.more);
}

TEST(AnswerPump, JoinsWholeAnswers) {
  Scene s(2, false);
  for (const char* text : {"a", "b"}) s.scripts[0]->say(text);
  s.scripts[1]->say("c");
  for (const auto& script : s.scripts) script->end();
  EXPECT_EQ(s.take(), "");
  ASSERT_TRUE(s.pump->is_done());
  EXPECT_EQ(s.pump->whole().body, "ab|c|");
}

TEST(AnswerPump, ErrorsAreNotEvents) {
  Scene s(2, true);
  s.scripts[0]->say("a");
  s.scripts[0]->end(FinishReason::kError, "no pages left");
  EXPECT_EQ(s.take(), "0:a;");
  ASSERT_TRUE(s.pump->error());
  EXPECT_STREQ(s.pump->error()->what(), "no pages left");
  EXPECT_FALSE(s.pump->is_done());
  s.scripts[1]->say("b");
  EXPECT_EQ(s.take(), "");
}

TEST(AnswerPump, WhatTheServerCancelsIsAnError) {
  Scene s(1, true);
  s.scripts[0]->end(FinishReason::kCancelled);
  s.take();
  ASSERT_TRUE(s.pump->error());
  EXPECT_EQ(s.pump->error()->code(), ErrorCode::kCancelled);
}

TEST(AnswerPump, KnowsWhatCancelledAnswersCost) {
  Scene s(2, true);
  s.scripts[0]->say("a");
  s.take();
  s.pump->cancel();
  EXPECT_TRUE(s.scripts[0]->cancelled);
  EXPECT_TRUE(s.pump->settle());
  RequestFacts facts;
  s.pump->add_facts(facts);
  EXPECT_EQ(facts.prompt_tokens, 6);
  EXPECT_EQ(facts.generated_tokens, 4);
  EXPECT_EQ(facts.longest_tokens, 2);
  EXPECT_EQ(facts.reason, FinishReason::kCancelled);
}

TEST(AnswerPump, CountsTokensOfAnswersThatDoNotEnd) {
  Scene s(1, true);
  s.scripts[0]->say("a");
  s.scripts[0]->say("b");
  s.scripts[0]->say("c");
  s.take();
  RequestFacts facts;
  s.pump->add_facts(facts);
  EXPECT_EQ(facts.generated_tokens, 3);
  EXPECT_FALSE(facts.reason);
}

}  // namespace
}  // namespace minnow
