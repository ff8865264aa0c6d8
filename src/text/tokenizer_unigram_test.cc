#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "base/random.h"
#include "text/piece_trie.h"
#include "text/tokenizer.h"
#include "text/tokenizer_test_specs.h"

namespace minnow {
namespace {

using Ids = std::vector<TokenId>;

// <unk> is 0; no byte tokens.
TokenizerSpec unigram(const std::vector<std::pair<std::string, float>>& pieces) {
  TokenizerSpec spec{.kind = TokenizerKind::kUnigram, .source = "test"};
  spec.unk = testing_specs::add(spec, "<unk>", TokenType::kUnknown);
  for (const auto& [text, score] : pieces) testing_specs::add(spec, text, TokenType::kNormal, score);
  return spec;
}

TEST(Unigram, TakesTheMostProbableWayNotTheLongestPiece) {
  const auto tokenizer = Tokenizer::build(unigram({{"▁", -1}, {"ab", -1}, {"c", -1}, {"a", -3}, {"abc", -9}, {"bc", -1}}));
  EXPECT_EQ(tokenizer->encode("abc"), (Ids{1, 2, 3}));
  EXPECT_EQ(tokenizer->decode(Ids{1, 2, 3}), "abc");
}

// All ways to cut a text, the best score first.
double best_score(const std::map<std::string, float>& pieces, const std::string& text) {
  std::vector<double> best(text.size() + 1, -1e9);
  best[0] = 0;
  for (std::size_t end = 1; end <= text.size(); ++end) {
    for (std::size_t begin = 0; begin < end; ++begin) {
      const auto it = pieces.find(text.substr(begin, end - begin));
      if (it != pieces.end()) best[end] = std::max(best[end], best[begin] + static_cast<double>(it->second));
    }
  }
  return best.back();
}

TEST(Unigram, IsAsProbableAsTheBestOfAllWays) {
  Random random(9);
  for (int round = 0; round < 200; ++round) {
    std::map<std::string, float> pieces = {{"a", -5}, {"b", -6}, {"c", -7}};
    for (int i = 0; i < 12; ++i) {
      std::string piece;
      for (uint64_t n = 2 + random.below(3); n > 0; --n) piece += static_cast<char>('a' + random.below(3));
      pieces[piece] = -static_cast<float>(random.below(100)) / 8;
    }
    TokenizerSpec spec = unigram({pieces.begin(), pieces.end()});
    spec.add_space_prefix = false;
    const auto tokenizer = Tokenizer::build(spec);
    std::string text;
    for (uint64_t n = 1 + random.below(40); n > 0; --n) text += static_cast<char>('a' + random.below(3));
    double score = 0;
    std::string joined;
    for (const TokenId id : tokenizer->encode(text)) {
      score += static_cast<double>(spec.tokens[static_cast<std::size_t>(id)].score);
      joined += tokenizer->piece(id);
    }
    EXPECT_EQ(joined, text);
    EXPECT_NEAR(score, best_score(pieces, text), 1e-6) << text;
  }
}

TEST(Unigram, FusesUnknownCharactersOrWritesThemAsBytes) {
  TokenizerSpec spec = unigram({{"▁", -1}, {"a", -1}});
  EXPECT_EQ(Tokenizer::build(spec)->encode("a中文a"), (Ids{1, 2, 0, 2}));
  for (int byte = 0; byte < 256; ++byte) testing_specs::add(spec, fmt::format("<0x{:02X}>", byte), TokenType::kByte);
  const auto with_bytes = Tokenizer::build(spec);
  EXPECT_EQ(with_bytes->encode("é"), (Ids{1, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(with_bytes->decode(with_bytes->encode("é中")), "é中");
  spec.byte_fallback = false;
  EXPECT_EQ(Tokenizer::build(spec)->encode("é"), (Ids{1, 0}));
}

TEST(Unigram, PutsASpaceBeforeEachWordOfASplitText) {
  TokenizerSpec spec = unigram({{"▁", -1}, {"▁a", -1}, {"▁b", -1}, {"b", -1}, {"a", -2}});
  spec.splits = {{R"(\s+)", SplitBehavior::kRemoved}};
  spec.prefix_unless_space = true;
  EXPECT_EQ(Tokenizer::build(spec)->encode(" a\n\tb ab  "), (Ids{2, 3, 2, 4}));
  spec.prefix_after_special = false;
  EXPECT_EQ(Tokenizer::build(spec)->encode("a b"), (Ids{2, 4})) << "only the first";
}

TEST(PieceTrie, FindsAllPiecesThatATextBeginsWith) {
  const PieceTrie trie({"a", "", "abc", "b", "ab", "a", "\xff"});
  std::vector<std::pair<std::size_t, TokenId>> found;
  trie.walk("abcd", [&](std::size_t length, TokenId id) { found.emplace_back(length, id); });
  EXPECT_EQ(found, (std::vector<std::pair<std::size_t, TokenId>>{{1, 0}, {2, 4}, {3, 2}}));
  int n = 0;
  const auto count = [&](std::size_t, TokenId) { ++n; };
  trie.walk("", count);
  trie.walk("cab", count);
  PieceTrie().walk("a", count);
  EXPECT_EQ(n, 0);
  EXPECT_THROW(PieceTrie({std::string(5000, 'a')}), Error);
}

TEST(PieceTrie, FindsEachOfManyChildren) {
  std::vector<std::string> texts;
  for (int a = 0; a < 256; ++a) texts.push_back(std::string("x") + static_cast<char>(a));
  const PieceTrie trie(std::vector<std::string_view>(texts.begin(), texts.end()));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    TokenId found = kNoToken;
    trie.walk(texts[i], [&](std::size_t, TokenId id) { found = id; });
    EXPECT_EQ(found, static_cast<TokenId>(i));
  }
}

}  // namespace
}  // namespace minnow
