// Time must be linear in the text, above all for texts that are one character again and again.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "text/tokenizer.h"
#include "text/tokenizer_test_specs.h"

namespace minnow {
namespace {

const std::vector<std::string> kCharacters = {"a", "Z", " ",  "\n",   "\t", "0",    "'",      ".",
                                              "<", "é", "中", "🙂", "▁",  "\xff", "\u0301", "\u00a0"};

// Of this thread alone: other programs do not count.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double best_seconds(const Tokenizer& tokenizer, const std::string& text) {
  double best = 1e9;
  for (int i = 0; i < 2; ++i) {
    const double begin = cpu_seconds();
    tokenizer.encode(text, {.parse_special = true});
    best = std::min(best, cpu_seconds() - begin);
  }
  return best;
}

std::string repeated(const std::string& character, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += character;
  return text;
}

// A quadratic method would take 8 times as long for 8 times the text, in each of its bytes; a machine under
// load is given a factor of 4.
void expect_linear(const Tokenizer& tokenizer) {
  for (const std::string& character : kCharacters) {
    const double small = best_seconds(tokenizer, repeated(character, 8 << 10));
    const double large = best_seconds(tokenizer, repeated(character, 64 << 10));
    EXPECT_LT(large, 8 * 4 * small + 0.02) << "'" << character << "'";
  }
}

std::vector<std::string> doubled(const std::string& unit) {
  return {unit, unit + unit, unit + unit + unit + unit};
}

TEST(TokenizerTime, IsLinearForByteBpe) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const std::string& unit : kCharacters) {
    std::string left = unit.substr(0, 1);
    for (const char c : unit.substr(1)) {
      merges.emplace_back(left, std::string(1, c));
      left += c;
    }
    merges.emplace_back(unit, unit);
    merges.emplace_back(unit + unit, unit + unit);
  }
  for (const char* pre : {"gpt-2", "llama-bpe", "qwen2", "tekken", "gpt-4o", "kimi-k2", "jais-2", "exaone-moe", "afmoe",
                          "tiny_aya", "superbpe", "deepseek-llm", "deepseek-v3", "falcon"}) {
    TokenizerSpec spec = testing_specs::byte_bpe({});
    std::vector<std::string> seen;
    for (const auto& [left, right] : merges) {
      const std::string text = testing_specs::letters(left + right);
      if (std::ranges::find(seen, text) != seen.end()) continue;
      seen.push_back(text);
      testing_specs::add(spec, text);
      spec.merges.push_back(testing_specs::letters(left) + " " + testing_specs::letters(right));
    }
    spec.pre = pre;
    expect_linear(*Tokenizer::build(spec));
  }
}

TEST(TokenizerTime, IsLinearForSpm) {
  std::vector<std::string> pieces;
  for (const std::string& character : kCharacters) {
    for (const std::string& piece : doubled(character == " " ? "▁" : character)) {
      if (std::ranges::find(pieces, piece) == pieces.end()) pieces.push_back(piece);
    }
  }
  expect_linear(*Tokenizer::build(testing_specs::spm(pieces)));
}

TEST(TokenizerTime, IsLinearForUnigram) {
  TokenizerSpec spec = testing_specs::spm({"▁", "a", "aa", "aaaa", "Z", "0", "00", "中", "▁▁"});
  spec.kind = TokenizerKind::kUnigram;
  expect_linear(*Tokenizer::build(spec));
  spec.normalizers = {{.kind = NormalizerStep::Kind::kNfkc},
                      {.kind = NormalizerStep::Kind::kReplaceRegex, .pattern = " {2,}", .content = "▁"}};
  spec.splits = {{R"(\s+)", SplitBehavior::kRemoved}};
  expect_linear(*Tokenizer::build(spec));
}

TEST(TokenizerTime, IsLinearForWordPiece) {
  TokenizerSpec spec{.kind = TokenizerKind::kWordPiece, .source = "test"};
  for (const char* piece : {"a", "##a", "aaaa", "##aaa", "0", "##0", ".", "中", "[UNK]"}) testing_specs::add(spec, piece);
  spec.unk = 8;
  spec.normalizers = {{.kind = NormalizerStep::Kind::kBert}};
  spec.splits = {{R"(\s+)", SplitBehavior::kRemoved}, {R"([\p{P}!-/:-@\[-`{-~])"}};
  expect_linear(*Tokenizer::build(spec));
  spec.max_word_chars = 1'000'000;
  expect_linear(*Tokenizer::build(spec));
}

TEST(TokenizerTime, IsLinearForSpacesThatEndInAWord) {
  for (const char* pre : {"gpt-2", "llama-bpe", "deepseek-llm", "falcon", "tekken"}) {
    TokenizerSpec spec = testing_specs::byte_bpe({{" ", " "}});
    spec.pre = pre;
    const auto tokenizer = Tokenizer::build(spec);
    const double small = best_seconds(*tokenizer, repeated(" ", 8 << 10) + "x");
    const double large = best_seconds(*tokenizer, repeated(" ", 64 << 10) + "x");
    EXPECT_LT(large, 8 * 4 * small + 0.02) << pre;
  }
}

}  // namespace
}  // namespace minnow
