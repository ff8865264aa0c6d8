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
    for (const char* piece : {"</", "think", ">\n\n", ">a", "\n\n", ">x", "tool", ">ab"}) spec.tokens[static_cast<std::size_t>(next++)].text = piece;
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
  std::shared_ptr<const TokenConstraint> compiled(const std::string& regex) {
    return compiler_.compile({.kind = ConstraintSpec::Kind::kRegex, .text = regex, .choices = {}});
  }
  // Calls are "ab" behind <call>, with a line end before it or none; those without a mark begin with {, and tool[ may begin one.
  AnswerGate calls_gate(std::optional<std::size_t> open = {}) {
    GenerateRequest request{.prompt = {1}};
    request.calls = std::make_shared<const HeldCalls>(HeldCalls{.openings = {{"<call>", compiled("\\s{0,2}ab")}, {"", compiled("\\{\\}"), "{"}, {"tool", compiled("\\[ab"), "["}},
                                                                .asides = {{"<think>", {"</think>"}}},
                                                                .words = {"</call>"},
                                                                .open = open});
    return AnswerGate(request, *tokenizer_);
  }
  // The answer is a text of one expression or of the other.
  AnswerGate either_gate(const std::string& regex, const std::string& other, const std::string& mark = "") {
    GenerateRequest request{.prompt = {1}};
    request.constraint = compiled(regex);
    request.constraint_or = compiled(other);
    request.constraint_after = mark;
    return AnswerGate(request, *tokenizer_);
  }
  void say(AnswerGate& gate, std::string_view bytes) const {
    for (const char c : bytes) EXPECT_TRUE(gate.accept(3 + static_cast<unsigned char>(c))) << bytes << " at " << c;  // tokens of bytes
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
  EXPECT_FALSE(gate.accept(id(">x"))) << "text behind the mark in the same token was not held";
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

TEST_F(AnswerGateOf, ATokenMayEndTheMarkAndBeginWhatIsHeld) {
  AnswerGate gate = this->gate("</think>");
  for (const char* piece : {"</", "think", ">a"}) ASSERT_TRUE(gate.accept(id(piece))) << piece;
  EXPECT_EQ(gate.dropped(), 0u);
  EXPECT_FALSE(gate.is_free());
  EXPECT_FALSE(allows(gate, id("a")));
  EXPECT_TRUE(gate.accept(id("b")));
  EXPECT_TRUE(gate.is_finished());
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

TEST_F(AnswerGateOf, ATokenMayEndTheMarkOfACallAndBeginIt) {
  AnswerGate gate = calls_gate();
  say(gate, "<call");
  EXPECT_FALSE(gate.accept(id(">x")));
  EXPECT_TRUE(gate.is_free()) << "nothing has changed";
  AnswerGate whole = gate;
  EXPECT_TRUE(gate.accept(id(">a")));
  EXPECT_FALSE(gate.is_free());
  EXPECT_TRUE(gate.accept(id("b")));
  EXPECT_TRUE(gate.is_free());
  EXPECT_TRUE(whole.accept(id(">ab"))) << "all of the call";
  EXPECT_TRUE(whole.is_free());
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

TEST_F(AnswerGateOf, ACallWithoutAMarkBeginsBeforeAnyText) {
  AnswerGate gate = calls_gate();
  say(gate, "\n{");
  EXPECT_FALSE(gate.is_free());
  EXPECT_FALSE(allows(gate, id("x")));
  say(gate, "}; {");
  EXPECT_FALSE(gate.is_free()) << "another call";
  AnswerGate text = calls_gate();
  say(text, "x{");
  EXPECT_TRUE(text.is_free());
}

TEST_F(AnswerGateOf, AMarkThatMayBeTextIsOneOnlyWhereACallBegins) {
  AnswerGate call = calls_gate(), text = calls_gate();
  for (AnswerGate* gate : {&call, &text}) {
    EXPECT_TRUE(gate->accept(id("tool")));
    say(*gate, " ");
    EXPECT_TRUE(gate->is_free() && gate->may_end());
  }
  say(call, "[");
  EXPECT_FALSE(call.is_free());
  say(call, "ab");
  EXPECT_TRUE(call.is_free());
  say(text, "me {x");
  EXPECT_TRUE(text.is_free());
}

TEST_F(AnswerGateOf, AnAnswerMayBeginWithinACall) {
  AnswerGate gate = calls_gate(0);
  EXPECT_FALSE(gate.is_free());
  EXPECT_TRUE(gate.accept(id("ab")));
  EXPECT_TRUE(gate.is_free());
  EXPECT_TRUE(calls_gate(2).is_free());
}

TEST_F(AnswerGateOf, TheAnswerFitsOneOfTwoConstraints) {
  AnswerGate gate = either_gate("ba", "b(b|ab)*");
  EXPECT_TRUE(allows(gate, id("b")));
  EXPECT_FALSE(allows(gate, id("a")));
  EXPECT_FALSE(allows(gate, 2));
  EXPECT_TRUE(gate.accept(id("b")));
  EXPECT_TRUE(allows(gate, id("a")));
  EXPECT_TRUE(allows(gate, id("b")));
  EXPECT_TRUE(allows(gate, 2)) << "by the second";
  AnswerGate first = gate;
  EXPECT_TRUE(first.accept(id("a")));
  EXPECT_FALSE(first.is_finished()) << "the second may go on";
  EXPECT_TRUE(allows(first, 2));
  EXPECT_TRUE(first.accept(id("b")));
  EXPECT_FALSE(allows(first, id("x")));
  EXPECT_TRUE(first.accept(2));
  EXPECT_TRUE(first.is_finished());
  EXPECT_TRUE(gate.accept(2));

  AnswerGate behind = either_gate("ba", "ab", "</think>");
  for (const char* piece : {"</", "think", ">\n\n", "ab"}) ASSERT_TRUE(behind.accept(id(piece))) << piece;
  EXPECT_TRUE(behind.is_finished());
}

}  // namespace
}  // namespace minnow
