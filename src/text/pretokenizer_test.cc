#include "text/pretokenizer.h"

#include <gtest/gtest.h>

#include <chrono>

#include "base/error.h"
#include "base/random.h"
#include "base/utf8.h"
#include "formats/tokenizer_pre.h"

namespace minnow {
namespace {

std::vector<std::string> pieces(const SplitRule& rule, std::string_view text) {
  PreTokenizerScratch scratch;
  std::vector<uint32_t> ends;
  rule.split(text, 0, scratch, ends);
  std::vector<std::string> result;
  std::size_t begin = 0;
  for (const uint32_t end : ends) {
    result.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  EXPECT_EQ(begin, text.size());
  return result;
}

std::vector<std::string> split_by(std::string_view pattern, std::string_view text) {
  return pieces(*make_split_rule({std::string(pattern)}, "test"), text);
}

std::string random_text(Random& random) {
  static const std::vector<std::string> kParts = {
      " ", "  ", "\n", "\r", "\t", "'",  "'s", "'RE",  "'ll",    "'D",     "a",      "Bc",     "é",      "中",
      "1", "23", "4567", "²", "½",  "Ⅷ",  ".",  "!?", "_",  "🙂", "\u0301", "\u00a0", "\u3000", "\u2028", "\u0085", "ǅ"};
  std::string text;
  for (uint64_t n = random.below(14); n > 0; --n) text += kParts[random.below(kParts.size())];
  return text;
}

TEST(PreTokenizer, SplitsLikeGpt2) {
  const std::vector<std::string> expected = {"It",  "'s", " 2", "  ", " a", " test",
                                             "...", "\n", "\n", "ok", " "};
  EXPECT_EQ(split_by(split_patterns::kGpt2, "It's 2   a test...\n\nok "),
            (std::vector<std::string>{"It", "'s", " 2", "  ", " a", " test", "...", "\n", "\n", "ok", " "}));
}

TEST(PreTokenizer, SplitsLikeLlama3) {
  EXPECT_EQ(
      split_by(split_patterns::kLlama3, "It'S 12345\tx (ok)\n\n  y  "),
      (std::vector<std::string>{"It", "'S", " ", "123", "45", "\tx", " (", "ok", ")\n\n", " ", " y", "  "}));
}

TEST(PreTokenizer, SplitsLikeQwen2) {
  EXPECT_EQ(split_by(split_patterns::kQwen2, "a12 \n\n b"),
            (std::vector<std::string>{"a", "1", "2", " \n\n", " b"}));
}

TEST(PreTokenizer, HandWrittenRulesAgreeWithTheirExpressions) {
  Random random(11);
  for (const std::string_view pattern :
       {split_patterns::kGpt2, split_patterns::kLlama3, split_patterns::kQwen2, split_patterns::kDigit,
        split_patterns::kDigits, split_patterns::kTrailingSpace, split_patterns::kSpaces, split_patterns::kTwoOrMoreSpaces,
        split_patterns::kPunctuation, split_patterns::kWordOrNot, split_patterns::kThreeDigitsFromEnd,
        split_patterns::kThreeDigitsFromWordEnd}) {
    const auto by_hand = make_split_rule({std::string(pattern)}, "test");
    // PCRE2's \b counts other characters as letters than Hugging Face's does.
    const bool has_word_end = pattern == split_patterns::kThreeDigitsFromWordEnd;
    const auto by_regex = make_regex_rule(
        has_word_end ? R"(\d{1,3}(?=(?:\d{3})*(?![\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}])))" : std::string(pattern), {}, "test");
    for (int i = 0; i < 3000; ++i) {
      const std::string text = random_text(random);
      ASSERT_EQ(pieces(*by_hand, text), pieces(*by_regex, text)) << pattern;
    }
  }
}

TEST(PreTokenizer, TakesBytesThatAreNotUtf8AsPunctuation) {
  for (const std::string_view pattern :
       {split_patterns::kGpt2, split_patterns::kLlama3, split_patterns::kDigit}) {
    EXPECT_FALSE(split_by(pattern, "a\xff\xfe b\xc3").empty());
  }
  EXPECT_EQ(split_by(R"(\p{L}+)",
                     "ab\xff"
                     "c"),
            (std::vector<std::string>{"ab", "\xff", "c"}));
}

TEST(PreTokenizer, AppliesRulesInOrder) {
  TokenizerSpec spec{.source = "test", .pre = "smollm"};
  const PreTokenizer splitter(spec);
  PreTokenizerScratch scratch;
  // Each digit by itself, then the words between.
  EXPECT_EQ(splitter.split("ab 12cd", scratch), (std::vector<uint32_t>{2, 3, 4, 5, 7}));
}

TEST(PreTokenizer, CutsWhereAnEmptyMatchIs) {
  EXPECT_EQ(split_by(R"((?=x))", "axbx"), (std::vector<std::string>{"a", "xb", "x"}));
}

TEST(PreTokenizer, KnowsTheNamesOfGgufFiles) {
  for (const char* name :
       {"default", "gpt-2", "llama-bpe", "qwen2", "smollm", "tekken", "deepseek-llm", "deepseek-coder",
        "deepseek-v3", "falcon", "starcoder", "gpt-4o", "bloom", "chameleon", "mpt"}) {
    EXPECT_NO_THROW(PreTokenizer(TokenizerSpec{.source = "test", .pre = name})) << name;
  }
}

TEST(PreTokenizer, RefusesAnUnknownNameAndSaysIt) {
  try {
    const PreTokenizer splitter(TokenizerSpec{.source = "model.gguf", .pre = "martian-bpe"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_NE(std::string(error.what()).find("martian-bpe"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("model.gguf"), std::string::npos);
  }
}

TEST(PreTokenizer, RefusesAnExpressionThatDoesNotCompile) {
  EXPECT_THROW(make_split_rule({"(a"}, "test"), Error);
  EXPECT_THROW(make_split_rule({std::string(1 << 20, 'a')}, "test"), Error);
}

TEST(PreTokenizer, AnExplosiveExpressionEndsInATidyErrorOrAResult) {
  const auto rule = make_split_rule({"(a+)+(b+)+c$"}, "test");
  const std::string text = std::string(2000, 'a') + std::string(2000, 'b');
  PreTokenizerScratch scratch;
  std::vector<uint32_t> ends;
  try {
    rule->split(text, 0, scratch, ends);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kLimit);
  }
}

TEST(PreTokenizer, BoundsTheWindowOfAnExpressionAtACharacterBoundary) {
  const std::string text = [] {
    std::string all;
    while (all.size() < 5 * kMaxRegexPiece) all += "中";
    return all;
  }();
  for (const std::string& piece : split_by(R"([^x]+)", text)) {
    EXPECT_LE(piece.size(), kMaxRegexPiece);
    EXPECT_TRUE(is_valid_utf8(piece));
  }
}

}  // namespace
}  // namespace minnow
