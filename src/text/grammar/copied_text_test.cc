#include "text/grammar/copied_text.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "text/grammar/token_constraint.h"
#include "text/tokenizer_test_specs.h"

namespace minnow {
namespace {

using grammar::accepts;
using grammar::copied_texts;
using Kind = ConstraintSpec::Kind;

TEST(CopiedText, RunsGoFromWordToWord) {
  const auto texts = copied_texts("Call Dr. Šárka (+42 123), now");
  for (const char* run : {"Call", "Dr", "Dr.", "Dr. Šárka", "Šárka", "+42 123", "42 123)", "now", "Call Dr. Šárka (+42 123), now"}) EXPECT_TRUE(accepts(texts, run)) << run;
  for (const char* run : {"all", "Dr. Š", " Dr", "now,", "", "Call Šárka"}) EXPECT_FALSE(accepts(texts, run)) << run;
}

TEST(CopiedText, WhatJsonEscapesIsEscaped) {
  const auto texts = copied_texts("1 \"Main\"\nRoad");
  EXPECT_TRUE(accepts(texts, R"(1 \"Main\"\nRoad)"));
  EXPECT_TRUE(accepts(texts, R"(Main\"\nRoad)"));
  EXPECT_FALSE(accepts(texts, R"(nRoad)"));
  EXPECT_FALSE(accepts(texts, "Main\"\nRoad"));
}

TEST(CopiedText, EveryPairOfWordsThatIsThereIsARunAndNoOther) {
  Random random(5);
  for (int round = 0; round < 30; ++round) {
    std::vector<std::string> words;
    std::string message;
    for (int i = 0; i < 12; ++i) {
      words.push_back(std::string(1 + random.below(2), static_cast<char>('a' + random.below(2))));
      message += (i > 0 ? " " : "") + words.back();
    }
    const auto texts = copied_texts(message);
    EXPECT_LE(texts.states.size(), 2 * message.size() + 2);
    for (std::size_t first = 0; first < words.size(); ++first) {
      std::string run = words[first];
      for (std::size_t last = first; last < words.size(); ++last) {
        EXPECT_TRUE(accepts(texts, run)) << run << " of " << message;
        EXPECT_EQ(accepts(texts, run + "b"), (" " + message + " ").find(" " + run + "b ") != std::string::npos) << run << "b of " << message;
        if (last + 1 < words.size()) run += " " + words[last + 1];
      }
    }
  }
}

TEST(CopiedText, AMessageWithoutWordsIsTheText) {
  EXPECT_TRUE(accepts(copied_texts("?!"), "?!"));
  EXPECT_FALSE(accepts(copied_texts("?!"), "?"));
  EXPECT_TRUE(accepts(copied_texts(""), ""));
}

TEST(CopiedText, TheFirstRunThatIsATextEndsSomewhere) {
  const std::string message = "an Ann, \"Ann\" (Bob).";
  const auto rest = [&](const char* text) { return message.substr(grammar::end_of_copied(message, text).value_or(0)); };
  EXPECT_EQ(rest("Ann"), ", \"Ann\" (Bob).");
  EXPECT_EQ(rest("Ann\\\" (Bob"), ").");
  EXPECT_EQ(rest("Bob"), ").");
  EXPECT_EQ(rest("Bob)"), ".");
  EXPECT_FALSE(grammar::end_of_copied(message, "nn"));
  EXPECT_FALSE(grammar::end_of_copied(message, "Carl"));
  EXPECT_FALSE(grammar::end_of_copied("", ""));
  EXPECT_TRUE(grammar::has_words(").a"));
  EXPECT_FALSE(grammar::has_words(")."));
}

TEST(CopiedText, LongMessagesTakeBoundedWork) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "a ";
  const auto texts = copied_texts(text);
  EXPECT_LT(texts.states.size(), 2 * grammar::kMaxCopiedBytes);
  EXPECT_TRUE(accepts(texts, "a a a"));
  EXPECT_LT(copied_texts(std::string(100'000, 'x')).states.size(), 2 * grammar::kMaxCopiedBytes);
}

class CopyingTest : public testing::Test {
 protected:
  // Words that go over the quotes before and after a text as well.
  static TokenizerSpec spec() {
    TokenizerSpec spec = testing_specs::byte_bpe({});
    for (const char* text : {"{\"", "name", "\",\"", "\",\"Bo", "\",\"A", "[\"", "\",", "\":\"", "\":\"Ann", ":\"B", "nn\"", "\"}", "Ann", "Bob", " B", "\\n"}) testing_specs::add(spec, testing_specs::letters(text));
    spec.eos = testing_specs::add(spec, "<end>", TokenType::kControl);
    return spec;
  }
  static constexpr const char* kSchema =
      R"({"type":"object","properties":{"name":{"type":"string","x-copied":true}},"required":["name"],"additionalProperties":false})";

  std::shared_ptr<const TokenConstraint> compile() { return compiler_.compile({.kind = Kind::kSchema, .text = kSchema, .compact = true, .copies = true}); }
  bool takes(const std::shared_ptr<const TokenConstraint>& constraint, const std::string& text) {
    ConstraintState state(constraint);
    for (const char c : text) {
      if (!state.accept(static_cast<uint8_t>(c))) return false;
    }
    return state.is_finished();
  }

  // On a random way through the grammar.
  void expect_masks_allow_what_is_taken(std::shared_ptr<const TokenConstraint> constraint, uint64_t seed, const char* message) {
    Random random(seed);
    ConstraintState state(std::move(constraint));
    std::string text;
    while (!state.is_finished()) {
      std::vector<uint32_t> bits((static_cast<std::size_t>(tokenizer_->n_vocab()) + 31) / 32);
      ASSERT_TRUE(state.mask(bits)) << text;
      std::vector<TokenId> allowed;
      for (TokenId id = 0; id < tokenizer_->n_vocab(); ++id) {
        const bool bit = (bits[static_cast<std::size_t>(id) / 32] >> (id % 32) & 1u) != 0;
        EXPECT_EQ(ConstraintState(state).accept(id), bit) << tokenizer_->piece(id, true) << " after " << text << " of " << message;
        if (bit) allowed.push_back(id);
      }
      const TokenId pick = random.below(2) == 0 ? allowed.back() : allowed[random.below(allowed.size())];
      ASSERT_TRUE(state.accept(pick));
      text += tokenizer_->piece(pick);
    }
  }

  std::shared_ptr<const Tokenizer> tokenizer_ = Tokenizer::build(spec());
  ConstraintCompiler compiler_{*tokenizer_};
};

TEST_F(CopyingTest, TheTextsAreThoseOfTheMessage) {
  const auto any = compile();
  const auto first = TokenConstraint::copying_from(any, "I am Ann\nBob"), second = TokenConstraint::copying_from(any, "who?");
  EXPECT_TRUE(takes(first, R"({"name":"Ann"})"));
  EXPECT_TRUE(takes(first, R"({"name":"Ann\nBob"})"));
  EXPECT_FALSE(takes(first, R"({"name":"who"})"));
  EXPECT_TRUE(takes(second, R"({"name":"who"})"));
  EXPECT_FALSE(takes(second, R"({"name":"Ann"})"));
}

TEST_F(CopyingTest, MasksAllowExactlyWhatIsTaken) {
  const auto any = compile();
  for (const char* message : {"I am Ann\nBob", "Bob B Ann B", "", "x\"y", "Ann"}) {
    for (uint64_t seed = 0; seed < 6; ++seed) expect_masks_allow_what_is_taken(TokenConstraint::copying_from(any, message), seed, message);
  }
}

class CopyingInOrder : public CopyingTest {
 protected:
  static constexpr const char* kNames = R"({"type":"array","items":{"type":"string","x-copied":"in order"}})";
  static constexpr const char* kTwo =
      R"({"type":"object","properties":{"a":{"type":"string","x-copied":"in order"},"b":{"type":"string","x-copied":"in order"}},"required":["a","b"],"additionalProperties":false})";
  std::shared_ptr<const TokenConstraint> of(const char* schema, std::string_view message) {
    return TokenConstraint::copying_from(compiler_.compile({.kind = Kind::kSchema, .text = schema, .compact = true, .copies = true}), message);
  }
};

TEST_F(CopyingInOrder, EachTextIsBehindTheOneBefore) {
  const auto names = of(kNames, "Ann, Bob and Ann.");
  for (const char* taken : {R"([])", R"(["Ann","Bob","Ann"])", R"(["Bob","and Ann"])", R"(["Ann","Ann"])", R"(["Ann."])"}) EXPECT_TRUE(takes(names, taken)) << taken;
  for (const char* refused : {R"(["Bob","Bob"])", R"(["Ann","Ann","Ann"])", R"(["and","Bob"])", R"(["Ann","nn"])", R"(["Ann",""])"}) EXPECT_FALSE(takes(names, refused)) << refused;
}

TEST_F(CopyingInOrder, NoTextIsAskedForWhenNoWordIsLeft) {
  ConstraintState state(of(kNames, "Ann and Bob!"));
  for (const char c : std::string_view(R"(["Bob")")) ASSERT_TRUE(state.accept(static_cast<uint8_t>(c)));
  EXPECT_FALSE(ConstraintState(state).accept(','));
  EXPECT_EQ(state.forced(), "]");
}

TEST_F(CopyingInOrder, ATextThatHasToBeThereIsEmptyThen) {
  EXPECT_TRUE(takes(of(kTwo, "Bob Ann"), R"({"a":"Bob","b":"Ann"})"));
  EXPECT_TRUE(takes(of(kTwo, "Bob Ann"), R"({"a":"Ann","b":""})"));
  EXPECT_FALSE(takes(of(kTwo, "Bob Ann"), R"({"a":"Ann","b":"Bob"})"));
  ConstraintState state(of(kTwo, "Bob"));
  EXPECT_EQ(state.forced(), R"({"a":"Bob","b":""})");
}

TEST_F(CopyingInOrder, MasksAllowExactlyWhatIsTaken) {
  for (const char* message : {"Ann, Bob Bob, Ann", "Bo A Bo", "Ann", "", "B"}) {
    for (const char* schema : {kNames, kTwo}) {
      for (uint64_t seed = 0; seed < 8; ++seed) expect_masks_allow_what_is_taken(of(schema, message), seed, message);
    }
  }
}

TEST_F(CopyingInOrder, IsForAllTextsOrNone) {
  const ConstraintSpec mixed{.kind = Kind::kSchema, .text = R"({"type":"object","properties":{"a":{"type":"string","x-copied":true},"b":{"type":"string","x-copied":"in order"}}})", .copies = true};
  EXPECT_THROW(compiler_.compile(mixed), Error);
}

TEST_F(CopyingTest, NeedsAMessageAndNothingElseSaidAboutTheText) {
  EXPECT_THROW(ConstraintState{compile()}, Error);
  EXPECT_FALSE(compiler_.compile({.kind = Kind::kSchema, .text = kSchema})->copies()) << "only a note";
  const ConstraintSpec limited{.kind = Kind::kSchema, .text = R"({"type":"string","x-copied":true,"maxLength":3})", .copies = true};
  EXPECT_THROW(compiler_.compile(limited), Error);
}

}  // namespace
}  // namespace minnow
