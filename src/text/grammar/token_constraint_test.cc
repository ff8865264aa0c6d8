#include "text/grammar/token_constraint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "text/grammar/test_match.h"
#include "text/tokenizer_test_specs.h"

namespace minnow {
namespace {

using Kind = ConstraintSpec::Kind;

// Bytes, words that cross the parts of JSON, marks, and an end.
TokenizerSpec words() {
  TokenizerSpec spec = testing_specs::byte_bpe({});
  for (const char* text : {"hello", "lo", "{\"", "\":", "\": \"", "\",\"", "\"}", "},{", "abc", "name", "12", "123", "true", "tr", "\n  \"", "\\n", "\xc3\xa9"}) {
    testing_specs::add(spec, testing_specs::letters(text));
  }
  spec.eos = testing_specs::add(spec, "<end>", TokenType::kControl);
  testing_specs::add(spec, "<|im_start|>", TokenType::kControl);
  testing_specs::add(spec, "<think>", TokenType::kUserDefined);
  return spec;
}

class TokenConstraintTest : public testing::Test {
 protected:
  ConstraintState start(const ConstraintSpec& spec) { return ConstraintState(compiler_.compile(spec)); }

  std::vector<bool> mask(const ConstraintState& state) {
    std::vector<uint32_t> bits((static_cast<std::size_t>(tokenizer_->n_vocab()) + 31) / 32, ~0u);
    state.mask(bits);
    std::vector<bool> out;
    for (std::size_t i = 0; i < bits.size() * 32; ++i) out.push_back((bits[i / 32] >> (i % 32) & 1u) != 0);
    for (auto i = static_cast<std::size_t>(tokenizer_->n_vocab()); i < out.size(); ++i) EXPECT_FALSE(out[i]) << "past the vocabulary";
    return out;
  }

  // Each token on its own, byte by byte, must agree with the mask.
  void expect_exact(const ConstraintState& state, const std::string& so_far) {
    const std::vector<bool> bits = mask(state);
    for (TokenId id = 0; id < tokenizer_->n_vocab(); ++id) {
      ConstraintState trial = state;
      EXPECT_EQ(trial.accept(id), bits[static_cast<std::size_t>(id)]) << "token " << tokenizer_->piece(id, true) << " after " << so_far;
    }
  }

  std::shared_ptr<const Tokenizer> tokenizer_ = Tokenizer::build(words());
  ConstraintCompiler compiler_{*tokenizer_};
};

TEST_F(TokenConstraintTest, MasksAgreeWithSingleTokensOnRandomWalks) {
  const ConstraintSpec specs[] = {
      {.kind = Kind::kJson},
      {.kind = Kind::kObject, .compact = true},
      {.kind = Kind::kSchema, .text = R"({"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"n":{"type":"integer","maximum":123}},"required":["name"]}})"},
      {.kind = Kind::kSchema, .text = R"({"type":"object","properties":{"name":{"type":"string","maxLength":6},"abc":{"enum":["hello","true"]}},"additionalProperties":false})"},
      {.kind = Kind::kSchema, .text = R"({"type":"array","items":{"type":"string","minLength":25,"maxLength":60}})"},
      {.kind = Kind::kRegex, .text = "(hello|abc)*[^\"]{0,4}é?"},
      {.kind = Kind::kGrammar, .text = "root ::= \"[\" root \"]\" root | word*\nword ::= [a-z]+ \" \"?"},
      {.kind = Kind::kChoice, .choices = {"hello", "helloabc", "true"}},
  };
  Random random(3);
  for (const ConstraintSpec& spec : specs) {
    for (int walk = 0; walk < 4; ++walk) {
      ConstraintState state = start(spec);
      std::string text;
      for (int step = 0; step < 30 && !state.is_finished(); ++step) {
        expect_exact(state, text);
        std::vector<TokenId> allowed;
        const std::vector<bool> bits = mask(state);
        for (TokenId id = 0; id < tokenizer_->n_vocab(); ++id) {
          if (bits[static_cast<std::size_t>(id)]) allowed.push_back(id);
        }
        ASSERT_FALSE(allowed.empty()) << text;
        // Long tokens more often than there are of them.
        std::size_t pick = random.below(allowed.size());
        if (random.below(2) == 0) pick = allowed.size() - 1 - random.below(std::min<std::size_t>(allowed.size(), 8));
        ASSERT_TRUE(state.accept(allowed[pick]));
        text += tokenizer_->piece(allowed[pick]);
      }
    }
  }
}

TEST_F(TokenConstraintTest, LongTextsHaveExactMasksNearTheirBoundsAndFarFromThem) {
  ConstraintState state = start({.kind = Kind::kSchema, .text = R"({"type":"array","items":{"type":"string","minLength":40,"maxLength":80}})", .compact = true});
  std::string text;
  for (const char c : "[\"" + std::string(36, 'a') + "\\u00e9\\n\xc3\xa9" + std::string(39, 'b')) {
    if (text.size() < 4 || text.size() > 30) expect_exact(state, text);
    ASSERT_TRUE(state.accept(static_cast<uint8_t>(c))) << text;
    text += c;
  }
  expect_exact(state, text);
  for (const char c : std::string_view("cc")) ASSERT_TRUE(state.accept(static_cast<uint8_t>(c)));
  EXPECT_EQ(state.forced(), "\"");
}

TEST_F(TokenConstraintTest, EndsAreAllowedExactlyWhereTheGrammarMayEnd) {
  const TokenId end = tokenizer_->spec().eos;
  ConstraintState state = start({.kind = Kind::kRegex, .text = "ab*"});
  EXPECT_FALSE(mask(state)[static_cast<std::size_t>(end)]);
  EXPECT_FALSE(state.accept(end));
  EXPECT_TRUE(state.accept('a'));
  EXPECT_TRUE(state.may_end());
  EXPECT_FALSE(state.is_finished());
  EXPECT_TRUE(mask(state)[static_cast<std::size_t>(end)]);
  EXPECT_TRUE(state.accept(end));
  EXPECT_TRUE(state.is_finished());
  EXPECT_FALSE(state.accept('b'));
  const std::vector<bool> after = mask(state);
  EXPECT_EQ(std::count(after.begin(), after.end(), true), 0);
}

TEST_F(TokenConstraintTest, ControlTokensAreNeverAllowedInside) {
  const ConstraintState state = start({.kind = Kind::kRegex, .text = ".*"});
  const std::vector<bool> bits = mask(state);
  for (const char* mark : {"<|im_start|>", "<think>"}) {
    const TokenId id = tokenizer_->find(mark);
    ASSERT_NE(id, kNoToken);
    EXPECT_FALSE(bits[static_cast<std::size_t>(id)]) << mark;
    EXPECT_FALSE(ConstraintState(state).accept(id)) << mark;
  }
  EXPECT_FALSE(ConstraintState(state).accept(-1));
  EXPECT_FALSE(ConstraintState(state).accept(1 << 20));
}

TEST_F(TokenConstraintTest, AMarkOfAShapeIsTheTokenThatShowsItAndNothingElse) {
  const TextShape mark{.kind = TextShape::Kind::kMark, .text = "ab<|im_start|><think>c"}, text{.kind = TextShape::Kind::kText, .text = "<think>"};
  const ConstraintSpec spec{.kind = Kind::kShape,
                            .text = R"({"$defs": {"s": {"type": "string"}}})",
                            .choices = {},
                            .shape = {.kind = TextShape::Kind::kSequence, .parts = {{.kind = TextShape::Kind::kJson, .text = "/$defs/s"}, mark, text}}};
  const TokenId start_mark = tokenizer_->find("<|im_start|>"), think = tokenizer_->find("<think>");
  ConstraintState state = start(spec);
  const auto say = [&](std::string_view bytes) {
    for (const char c : bytes) {
      expect_exact(state, "a part of a shape");
      ASSERT_TRUE(state.accept(static_cast<uint8_t>(c))) << c;
    }
  };
  say("\"x<");
  for (const TokenId id : {start_mark, think, TokenId{0xF8}, TokenId{0xFF}}) EXPECT_FALSE(ConstraintState(state).accept(id)) << id << " within a string";
  say("\"ab");
  EXPECT_FALSE(ConstraintState(state).accept('<')) << "the mark is a token of its own";
  EXPECT_FALSE(ConstraintState(state).accept(0xF8)) << "the byte is no text";
  EXPECT_FALSE(ConstraintState(state).accept_text("<|im_start|>"));
  EXPECT_FALSE(ConstraintState(state).accept(think));
  expect_exact(state, "the first mark");
  ASSERT_TRUE(state.accept(start_mark));
  expect_exact(state, "the second mark");
  ASSERT_TRUE(state.accept(think));
  say("c");
  EXPECT_FALSE(ConstraintState(state).accept(think)) << "a text is no mark";
  EXPECT_TRUE(ConstraintState(state).accept_text("<thi"));
  EXPECT_FALSE(ConstraintState(state).accept_text(""));
  say("<think>");
  EXPECT_TRUE(state.is_finished());
}

TEST_F(TokenConstraintTest, SaysWhatIsForcedAndWhenItIsWhole) {
  ConstraintState state = start({.kind = Kind::kSchema, .text = R"({"type":"object","properties":{"name":{"const":"x"}},"required":["name"],"additionalProperties":false})", .compact = true});
  EXPECT_EQ(state.forced(), "{\"name\":\"x\"}");
  EXPECT_EQ(state.forced(3), "{\"n");
  for (const char c : std::string("{\"name\":\"x\"}")) ASSERT_TRUE(state.accept(static_cast<uint8_t>(c)));
  EXPECT_TRUE(state.is_finished());
}

TEST_F(TokenConstraintTest, DeepTextsGetTheSameMasksAsTheirLimitAllows) {
  ConstraintState state = start({.kind = Kind::kGrammar, .text = "root ::= \"{\" root \"}\" | \"abc\""});
  int depth = 0;
  while (state.accept('{')) ++depth;
  EXPECT_GT(depth, 100);
  expect_exact(state, "the deepest place");
  EXPECT_EQ(state.forced(4), "abc}");
}

TEST_F(TokenConstraintTest, CompiledGrammarsAreKeptAndShared) {
  const auto first = compiler_.compile({.kind = Kind::kJson});
  EXPECT_EQ(first, compiler_.compile({.kind = Kind::kJson}));
  EXPECT_NE(first, compiler_.compile({.kind = Kind::kJson, .compact = true}));
  EXPECT_THROW(compiler_.compile({.kind = Kind::kSchema, .text = R"({"not": {}})"}), Error);
}

TEST_F(TokenConstraintTest, WhatWasRefusedIsRefusedAgainInTheSameWords) {
  const ConstraintSpec spec{.kind = Kind::kRegex, .text = ".*a.{30}b"};
  const auto refusal = [&] {
    try {
      compiler_.compile(spec);
      return std::string();
    } catch (const Error& e) {
      return std::string(e.what());
    }
  };
  const std::string first = refusal();
  EXPECT_NE(first, "");
  const std::clock_t begin = std::clock();
  for (int i = 0; i < 200; ++i) EXPECT_EQ(refusal(), first);
  EXPECT_LT(std::clock() - begin, 5 * CLOCKS_PER_SEC) << "compiling it again would take minutes";
}

TEST(TokenConstraint, AVocabularyWithoutATokenForWhatMustComeAllowsNothing) {
  TokenizerSpec spec{.kind = TokenizerKind::kSpmBpe, .source = "test"};
  spec.unk = testing_specs::add(spec, "<unk>", TokenType::kUnknown);
  spec.eos = testing_specs::add(spec, "</s>", TokenType::kControl);
  testing_specs::add(spec, "a");
  const auto tokenizer = Tokenizer::build(spec);
  ConstraintCompiler compiler(*tokenizer);
  ConstraintState state(compiler.compile({.kind = Kind::kRegex, .text = "ab"}));
  uint32_t bits = 0;
  EXPECT_TRUE(state.mask({&bits, 1}));
  EXPECT_TRUE(state.accept(2));
  EXPECT_FALSE(state.mask({&bits, 1}));
  EXPECT_EQ(bits, 0u);
}

TEST(TokenConstraint, RefusesTokensThatAreNoTexts) {
  TokenizerSpec spec{.kind = TokenizerKind::kWordPiece, .source = "test"};
  spec.unk = testing_specs::add(spec, "[UNK]");
  const auto tokenizer = Tokenizer::build(spec);
  ConstraintCompiler compiler(*tokenizer);
  EXPECT_THROW(compiler.compile({.kind = Kind::kJson}), Error);
}

}  // namespace
}  // namespace minnow
