#include "engine/answer_text.h"

#include <gtest/gtest.h>

#include "models/family.h"
#include "models/random_model.h"

namespace minnow {
namespace {

class AnswerTextOf : public testing::Test {
 protected:
  TokenId id(std::string_view piece) const { return tokenizer_->find(piece); }
  AnswerText text(std::vector<std::string> stop, bool show_special = false) const {
    return AnswerText({.prompt = {1}, .stop = std::move(stop), .show_special = show_special}, tokenizer_.get());
  }
  static AnswerText::Token with_logprob(TokenId token) { return {.id = token, .logprob = TokenLogprob{.token = token, .bytes = {}, .top = {}}}; }

  std::shared_ptr<const Tokenizer> tokenizer_ = Tokenizer::build(*random_model({.family = &kLlama, .n_vocab = 700}, 1).tokenizer);
};

TEST_F(AnswerTextOf, TokensComeWithTheTextThatTheyEnd) {
  AnswerText text = this->text({"abcd"});
  Event event;
  text.push({.id = id("x")});
  EXPECT_TRUE(text.release(event));
  EXPECT_EQ(event.text, "x");
  text.push(with_logprob(id("ab")));
  text.push(with_logprob(id("c")));
  event = {};
  EXPECT_FALSE(text.release(event)) << "it may be a stop string: " << event.text;
  EXPECT_TRUE(event.tokens.empty());
  text.push(with_logprob(id("ab")));  // "abcab": the last may begin one again
  EXPECT_TRUE(text.release(event));
  EXPECT_EQ(event.text, "abc");
  EXPECT_EQ(event.tokens, (std::vector<TokenId>{id("ab"), id("c")}));
  EXPECT_EQ(event.logprobs.size(), 2u);
  event = {};
  text.finish(event);
  EXPECT_EQ(event.text, "ab");
  EXPECT_EQ(event.tokens, std::vector<TokenId>{id("ab")});
}

TEST_F(AnswerTextOf, APartOfACharacterWaitsForItsRest) {
  AnswerText text = this->text({});
  Event event;
  text.push({.id = id("<0xC3>")});
  EXPECT_FALSE(text.release(event));
  text.push({.id = id("<0xA9>")});
  EXPECT_TRUE(text.release(event));
  EXPECT_EQ(event.text, "é");
  EXPECT_EQ(event.tokens.size(), 2u);
}

TEST_F(AnswerTextOf, HiddenTokensAreNotHeldBack) {
  AnswerText text = this->text({});
  Event event;
  text.push({.id = id("<s>")});
  EXPECT_TRUE(text.release(event));
  EXPECT_EQ(event.text, "");
  EXPECT_EQ(event.tokens.size(), 1u);
}

TEST_F(AnswerTextOf, AStopStringTakesItsTextButNotItsTokens) {
  AnswerText text = this->text({"bc"});
  Event event;
  for (const char* piece : {"a", "b", "c"}) text.push(with_logprob(id(piece)));
  EXPECT_TRUE(text.stopped());
  EXPECT_EQ(text.stop_string(), "bc");
  text.finish(event);
  EXPECT_EQ(event.text, "a");
  EXPECT_EQ(event.tokens.size(), 3u);
  EXPECT_EQ(event.logprobs.size(), 3u);
}

TEST_F(AnswerTextOf, StopStringsAreNotLookedForBeforeTheirTime) {
  AnswerText text = this->text({"b"});
  Event event;
  text.push({.id = id("b"), .looks_for_stops = false});
  EXPECT_FALSE(text.stopped());
  text.push({.id = id("a")});
  text.push({.id = id("b")});
  EXPECT_TRUE(text.stopped());
  text.finish(event);
  EXPECT_EQ(event.text, "ba");
}

TEST_F(AnswerTextOf, WhatEndsTheAnswerIsATokenWithoutTextOrLogprob) {
  AnswerText text = this->text({}, /*show_special=*/true);
  Event event;
  text.push(with_logprob(id("a")));
  AnswerText::Token end = with_logprob(2);
  end.is_text = false;
  text.push(std::move(end));
  text.finish(event);
  EXPECT_EQ(event.text, "a");
  EXPECT_EQ(event.tokens, (std::vector<TokenId>{id("a"), 2}));
  EXPECT_EQ(event.logprobs.size(), 1u);
}

TEST_F(AnswerTextOf, BytesThatAreNoPartOfItAreDropped) {
  AnswerText text = this->text({});
  Event event;
  text.push({.id = id("ab"), .dropped = 1});
  text.push({.id = id("c"), .dropped = 1});
  text.push({.id = id("d")});
  text.release(event);
  EXPECT_EQ(event.text, "ad");
  EXPECT_EQ(event.tokens.size(), 3u);
}

TEST(AnswerText, WithoutATokenizerThereAreTokensAlone) {
  AnswerText text({.prompt = {1}}, nullptr);
  Event event;
  text.push({.id = 7});
  EXPECT_TRUE(text.release(event));
  EXPECT_EQ(event.tokens, std::vector<TokenId>{7});
  event = {};
  text.finish(event);
  EXPECT_TRUE(event.tokens.empty());
}

}  // namespace
}  // namespace minnow
