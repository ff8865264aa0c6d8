#include "engine/answer_gate.h"

#include <gtest/gtest.h>

#include "models/family.h"
#include "models/random_model.h"

namespace minnow {
namespace {

class AnswerGateOf : public testing::Test {
 protected:
  static std::shared_ptr<const Tokenizer> build() {
    TokenizerSpec spec = *random_model({.family = &kLlama, .n_vocab = 700}, 1).tokenizer;
    TokenId next = 600;
    for (const char* piece : {"</", "think", ">\n\n", ">a", "\n\n"}) spec.tokens[static_cast<std::size_t>(next++)].text = piece;
    spec.tokens[static_cast<std::size_t>(next)] = {"<think>", 0, TokenType::kControl};
    return Tokenizer::build(std::move(spec));
  }
  TokenId id(std::string_view piece) const { return tokenizer_->find(piece); }
  AnswerGate gate(const std::string& mark, TokenId waits_for = kNoToken, const std::string& regex = "ab") {
    GenerateRequest request{.prompt = {1}};
    request.constraint = compiler_.compile({.kind = ConstraintSpec::Kind::kRegex, .text = regex, .choices = {}});
    request.constraint_after = mark;
    request.constraint_waits_for = waits_for;
    return AnswerGate(request, *tokenizer_);
  }
  std::vector<TokenId> allowed(const AnswerGate& gate) const {
    std::vector<uint32_t> bits((static_cast<std::size_t>(tokenizer_->n_vocab()) + 31) / 32);
    gate.mask(bits);
    std::vector<TokenId> ids;
    for (TokenId t = 0; t < tokenizer_->n_vocab(); ++t) {
      if (bits[static_cast<std::size_t>(t) / 32] >> (t % 32) & 1) ids.push_back(t);
    }
    return ids;
  }
  bool allows(const AnswerGate& gate, TokenId token) const {
    const auto ids = allowed(gate);
    return std::find(ids.begin(), ids.end(), token) != ids.end();
  }

  std::shared_ptr<const Tokenizer> tokenizer_ = build();
  ConstraintCompiler compiler_{*tokenizer_};
};

TEST_F(AnswerGateOf, WithoutAMarkTheFirstTokenIsHeld) {
  AnswerGate gate = this->gate("");
  EXPECT_FALSE(gate.is_free());
  EXPECT_FALSE(gate.accept(id("b")));
  EXPECT_TRUE(gate.accept(id("ab")));
  EXPECT_TRUE(gate.is_finished());
}

TEST_F(AnswerGateOf, FindsTheMarkHoweverTokensCutItAndHoldsWhatFollows) {
  AnswerGate gate = this->gate("</think>");
  EXPECT_TRUE(gate.is_free());
  for (const char* piece : {"x", "</", "</", "think"}) EXPECT_TRUE(gate.accept(id(piece))) << piece;
  EXPECT_TRUE(gate.is_free());
  EXPECT_FALSE(gate.accept(id(">a"))) << "text behind the mark in the same token was not held";
  EXPECT_TRUE(gate.is_free());
  EXPECT_TRUE(gate.accept(id(">\n\n")));
  EXPECT_EQ(gate.dropped(), 2u);
  EXPECT_FALSE(gate.is_free());
  EXPECT_FALSE(gate.is_finished());
  EXPECT_TRUE(allows(gate, id("a")));
  EXPECT_TRUE(allows(gate, id("ab")));
  EXPECT_TRUE(allows(gate, id("\n\n")));
  EXPECT_FALSE(allows(gate, id("b")));
  EXPECT_FALSE(allows(gate, 2)) << "the end";
  EXPECT_TRUE(gate.accept(id("a")));
  EXPECT_EQ(gate.dropped(), 0u);
  EXPECT_FALSE(allows(gate, id("\n\n")));
  EXPECT_FALSE(gate.accept(id("\n\n"))) << "white space within what is held";
  EXPECT_TRUE(gate.accept(id("b")));
  EXPECT_TRUE(gate.is_finished());
}

TEST_F(AnswerGateOf, WhiteSpaceBehindTheMarkIsDroppedAndBounded) {
  AnswerGate gate = this->gate("</think>");
  for (const char* piece : {"</", "think", ">"}) ASSERT_TRUE(gate.accept(id(piece)));
  EXPECT_EQ(gate.dropped(), 0u);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(gate.accept(id("\n\n"))) << i;
    EXPECT_EQ(gate.dropped(), 2u);
  }
  EXPECT_FALSE(allows(gate, id("\n\n")));
  EXPECT_FALSE(gate.accept(id("\n\n")));
  EXPECT_TRUE(gate.accept(id("ab")));
}

TEST_F(AnswerGateOf, WhiteSpaceThatIsPartOfWhatIsHeldIsNotDropped) {
  AnswerGate gate = this->gate("</think>", kNoToken, "\\n\\nab");
  for (const char* piece : {"</", "think", ">"}) ASSERT_TRUE(gate.accept(id(piece)));
  ASSERT_TRUE(gate.accept(id("\n\n")));
  EXPECT_EQ(gate.dropped(), 0u);
  EXPECT_TRUE(gate.accept(id("ab")));
  EXPECT_TRUE(gate.is_finished());
}

TEST_F(AnswerGateOf, AnAnswerThatDoesNotBeginWithTheOpeningIsHeldAtOnce) {
  AnswerGate gate = this->gate("</think>", id("<think>"));
  EXPECT_FALSE(gate.is_free());
  EXPECT_TRUE(allows(gate, id("<think>")));
  EXPECT_TRUE(allows(gate, id("a")));
  EXPECT_FALSE(allows(gate, id("x")));
  AnswerGate thinks = this->gate("</think>", id("<think>"));
  EXPECT_TRUE(gate.accept(id("a")));
  EXPECT_FALSE(allows(gate, id("<think>")));
  EXPECT_FALSE(gate.accept(id("<think>")));
  EXPECT_TRUE(thinks.accept(id("<think>")));
  EXPECT_TRUE(thinks.is_free());
  EXPECT_TRUE(thinks.accept(id("x")));
}

}  // namespace
}  // namespace minnow
