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
    for (const char* mark : {"<call>", "</call>"}) spec.tokens[static_cast<std::size_t>(++next)] = {mark, 0, TokenType::kControl};
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
  // Calls are "ab" between <call> and </call>; with a regex, that is the held text.
  AnswerGate calls_gate(const std::string& regex = "") {
    GenerateRequest request{.prompt = {1}};
    const auto compiled = [&](const std::string& r) { return compiler_.compile({.kind = ConstraintSpec::Kind::kRegex, .text = r, .choices = {}}); };
    if (!regex.empty()) request.constraint = compiled(regex);
    request.calls = HeldCalls{.call = compiled("ab"), .opens = "<call>", .closes = "</call>", .asides = {{"<think>", "</think>"}}};
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

TEST_F(AnswerGateOf, CallsAreHeldWhereverTheyComeAndTextIsFree) {
  AnswerGate gate = calls_gate();
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(gate.is_free() && gate.may_end()) << i;
    EXPECT_TRUE(gate.accept(id("x")));
    EXPECT_TRUE(gate.accept(id("<call>")));
    EXPECT_FALSE(gate.is_free() || gate.may_end());
    EXPECT_TRUE(allows(gate, id("a")));
    EXPECT_TRUE(allows(gate, id("\n\n")));
    EXPECT_FALSE(allows(gate, id("b")));
    EXPECT_FALSE(allows(gate, 2)) << "the end";
    EXPECT_FALSE(gate.accept(id("x")));
    EXPECT_TRUE(gate.accept(id("\n\n")));
    EXPECT_EQ(gate.dropped(), 0u);
    EXPECT_TRUE(gate.accept(id("a")));
    EXPECT_FALSE(allows(gate, id("\n\n"))) << "white space within a call";
    EXPECT_TRUE(gate.accept(id("b")));
  }
  EXPECT_TRUE(gate.is_free());
  EXPECT_FALSE(gate.is_finished());
  EXPECT_TRUE(gate.accept(2));
}

TEST_F(AnswerGateOf, NoCallIsLookedForInAnAside) {
  AnswerGate gate = calls_gate();
  for (const char* piece : {"<think>", "<call>", "x", "</", "think"}) EXPECT_TRUE(gate.accept(id(piece))) << piece;
  EXPECT_TRUE(gate.is_free());
  EXPECT_TRUE(gate.accept(id(">\n\n")));
  EXPECT_TRUE(gate.is_free());
  EXPECT_TRUE(gate.accept(id("<call>")));
  EXPECT_FALSE(gate.is_free());
}

TEST_F(AnswerGateOf, TheAnswerIsTheHeldTextOrNothingButCalls) {
  AnswerGate text = calls_gate("ba");
  EXPECT_TRUE(allows(text, id("b")));
  EXPECT_TRUE(allows(text, id("<call>")));
  EXPECT_FALSE(allows(text, id("a")));
  EXPECT_FALSE(allows(text, 2));
  EXPECT_TRUE(text.accept(id("b")));
  EXPECT_FALSE(allows(text, id("<call>")));
  EXPECT_TRUE(text.accept(id("a")));
  EXPECT_TRUE(text.is_finished());

  AnswerGate call = calls_gate("ba");
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(call.accept(id("<call>")));
    EXPECT_FALSE(allows(call, id("</call>")));
    EXPECT_TRUE(call.accept(id("ab")));
    EXPECT_FALSE(call.is_free() || call.is_finished());
    EXPECT_TRUE(allows(call, id("</call>")));
    EXPECT_TRUE(allows(call, id("\n\n")));
    EXPECT_FALSE(allows(call, id("b")));
    EXPECT_FALSE(call.accept(id("b")));
    EXPECT_TRUE(call.accept(id("</call>")));
    EXPECT_FALSE(allows(call, id("</call>")));
    EXPECT_TRUE(allows(call, 2));
  }
  EXPECT_TRUE(call.accept(2));
}

}  // namespace
}  // namespace minnow
