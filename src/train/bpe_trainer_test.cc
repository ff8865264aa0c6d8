#include "train/bpe_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/random.h"

namespace minnow {
namespace {

using Symbols = std::vector<std::string>;
using Merge = std::pair<std::string, std::string>;

std::vector<Merge> merges_of(const BpeSymbols& symbols) {
  std::vector<Merge> merges;
  for (const auto& [left, right] : symbols.merges) merges.emplace_back(symbols.bytes[left], symbols.bytes[right]);
  return merges;
}

// The definition: count all pairs anew for every merge.
std::vector<Merge> by_definition(const std::vector<WordCount>& words, std::size_t n_symbols, uint64_t min_frequency) {
  std::vector<Symbols> spelled;
  std::map<std::string, int> known;
  for (int byte = 0; byte < 256; ++byte) known[std::string(1, static_cast<char>(byte))] = 1;
  for (const WordCount& w : words) {
    spelled.emplace_back();
    for (const char c : w.word) spelled.back().emplace_back(1, c);
  }
  std::vector<Merge> merges;
  while (known.size() < n_symbols) {
    std::map<Merge, uint64_t> counts;
    for (std::size_t w = 0; w < words.size(); ++w) {
      for (std::size_t i = 0; i + 1 < spelled[w].size(); ++i) counts[{spelled[w][i], spelled[w][i + 1]}] += words[w].count;
    }
    const auto best = std::ranges::max_element(counts, [](const auto& a, const auto& b) {
      return a.second != b.second ? a.second < b.second : a.first < b.first;
    });
    if (best == counts.end() || best->second < min_frequency) break;
    const Merge merge = best->first;
    if (std::ranges::find(merges, merge) == merges.end()) merges.push_back(merge);
    known[merge.first + merge.second] = 1;
    for (Symbols& s : spelled) {
      Symbols joined;
      for (std::size_t i = 0; i < s.size(); ++i) {
        const bool here = i + 1 < s.size() && s[i] == merge.first && s[i + 1] == merge.second;
        joined.push_back(here ? s[i] + s[i + 1] : s[i]);
        i += here ? 1 : 0;
      }
      s = joined;
    }
  }
  return merges;
}

TEST(LearnBpe, MergesTheMostFrequentPairFirst) {
  const std::vector<WordCount> words = {{"low", 5}, {"lower", 2}, {"newest", 6}, {"widest", 3}};
  // Sennrich's example; equal counts go to the greater bytes: "st" before "es".
  const std::vector<Merge> expected = {{"s", "t"}, {"e", "st"}, {"o", "w"}, {"l", "ow"}, {"w", "est"}, {"n", "e"}, {"ne", "west"}};
  EXPECT_EQ(merges_of(learn_bpe(words, {.n_symbols = 256 + 7})), expected);
}

TEST(LearnBpe, FollowsItsDefinitionOnRandomWords) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    Random random(seed);
    std::map<std::string, uint64_t> counted;
    for (int i = 0; i < 60; ++i) {
      std::string word;
      for (uint64_t n = 1 + random.below(9); n > 0; --n) word += static_cast<char>('a' + random.below(1 + seed % 4));
      counted[word] += 1 + random.below(5);
    }
    std::vector<WordCount> words;
    for (const auto& [word, count] : counted) words.push_back({word, count});
    const uint64_t min_frequency = 1 + seed % 3;
    const BpeSymbols learned = learn_bpe(words, {.n_symbols = 330, .min_frequency = min_frequency});
    ASSERT_EQ(merges_of(learned), by_definition(words, 330, min_frequency)) << "seed " << seed;
    Symbols sorted = learned.bytes;
    std::ranges::sort(sorted);
    EXPECT_EQ(std::ranges::adjacent_find(sorted), sorted.end()) << "every symbol once";
  }
}

TEST(LearnBpe, StopsWhenNoPairIsFrequentEnough) {
  const std::vector<WordCount> words = {{"ab", 3}, {"cd", 2}};
  int n_new = 0;
  const BpeSymbols learned = learn_bpe(words, {.n_symbols = 1000, .min_frequency = 3, .on_symbol = [&] { ++n_new; }});
  EXPECT_EQ(merges_of(learned), (std::vector<Merge>{{"a", "b"}}));
  EXPECT_EQ(n_new, 1);
  EXPECT_EQ(learned.n_tokens, 3u + 2 * 2);
  EXPECT_TRUE(learn_bpe({}, {.n_symbols = 300}).merges.empty());
  EXPECT_TRUE(learn_bpe(words, {.n_symbols = 256}).merges.empty());
}

TEST(LearnBpe, HandlesRunsOfOneByte) {
  const std::vector<WordCount> words = {{"aaaaaaa", 1}, {"aaa", 1}};
  EXPECT_EQ(merges_of(learn_bpe(words, {.n_symbols = 260})), by_definition(words, 260, 1));
}

}  // namespace
}  // namespace minnow
