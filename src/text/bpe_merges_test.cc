// Merging against a slow and obvious reference.
#include "text/bpe_merges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"

namespace minnow {
namespace {

using Pair = std::pair<uint32_t, uint32_t>;
using Table = std::map<Pair, BpeMerges::Merge>;

// Looks at all pairs, joins the leftmost of the best ones, and begins again.
std::vector<uint32_t> merge_naively(std::vector<uint32_t> symbols, const Table& table) {
  for (;;) {
    std::size_t best = symbols.size();
    uint32_t best_rank = BpeMerges::kNone;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto it = table.find({symbols[i], symbols[i + 1]});
      if (it != table.end() && it->second.rank < best_rank) {
        best = i;
        best_rank = it->second.rank;
      }
    }
    if (best == symbols.size()) return symbols;
    symbols[best] = table.at({symbols[best], symbols[best + 1]}).id;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

// Pairs over a small alphabet; a new symbol has the next number. Ranks repeat when `ties`.
Table random_table(Random& random, uint32_t n_letters, uint32_t n_pairs, bool ties) {
  Table table;
  uint32_t next = n_letters;
  for (uint32_t i = 0; i < n_pairs; ++i) {
    const auto left = static_cast<uint32_t>(random.below(next)),
               right = static_cast<uint32_t>(random.below(next));
    const auto rank = static_cast<uint32_t>(ties ? random.below(5) : random.below(100'000));
    if (table.emplace(Pair{left, right}, BpeMerges::Merge{rank, next}).second) ++next;
  }
  return table;
}

TEST(BpeMerges, GivesWhatANaiveLoopGivesOnRandomSymbols) {
  Random random(7);
  BpeMerges::Scratch scratch;
  for (int round = 0; round < 100; ++round) {
    const auto n_letters = static_cast<uint32_t>(1 + random.below(4));
    const Table table =
        random_table(random, n_letters, static_cast<uint32_t>(1 + random.below(40)), round % 2 == 1);
    BpeMerges merges(table.size());
    for (const auto& [pair, merge] : table) merges.add(pair.first, pair.second, merge);
    for (int i = 0; i < 100; ++i) {
      std::vector<uint32_t> symbols(random.below(120));
      for (uint32_t& symbol : symbols) symbol = static_cast<uint32_t>(random.below(n_letters));
      const std::vector<uint32_t> expected = merge_naively(symbols, table);
      merges.apply(symbols, scratch);
      ASSERT_EQ(symbols, expected) << "round " << round;
    }
  }
}

TEST(BpeMerges, PrefersTheLeftPairWhenRanksAreEqual) {
  BpeMerges merges(1);
  merges.add(1, 1, {0, 2});
  BpeMerges::Scratch scratch;
  std::vector<uint32_t> few(5, 1), many(101, 1);
  merges.apply(few, scratch);
  EXPECT_EQ(few, (std::vector<uint32_t>{2, 2, 1}));
  merges.apply(many, scratch);
  EXPECT_EQ(many.size(), 51u);
  EXPECT_EQ(many.back(), 1u);
}

// Work is counted, not timed: the time of a step depends on caches and on who else uses the machine.
TEST(BpeMerges, LooksAtFewPairsForEachSymbolHoweverLongTheTextIs) {
  BpeMerges merges(40);
  for (uint32_t i = 0; i < 20; ++i) merges.add(i, i, {i, i + 1});         // doubles runs again and again
  for (uint32_t i = 0; i < 19; ++i) merges.add(i, i + 1, {30 + i, 100 + i});
  Random random(3);
  BpeMerges::Scratch scratch;
  for (const std::size_t n : {1'000u, 100'000u, 1'000'000u}) {
    for (const uint32_t kinds : {1u, 2u, 15u}) {
      std::vector<uint32_t> symbols(n);
      for (uint32_t& symbol : symbols) symbol = static_cast<uint32_t>(random.below(kinds));
      merges.apply(symbols, scratch);
      // One for each pair at first, and two for each pair that merges.
      EXPECT_LE(scratch.queue.n_pushed(), 3 * n);
    }
  }
}

TEST(MergeQueue, GivesTheLowestRankThenTheLeftmostWhateverComesWhen) {
  Random random(5);
  MergeQueue queue;
  for (int round = 0; round < 50; ++round) {
    queue.reset(20);
    std::multiset<std::pair<uint32_t, uint32_t>> expected;
    for (int i = 0; i < 400; ++i) {
      if (random.below(3) > 0) {
        const MergeQueue::Item item{static_cast<uint32_t>(random.below(20)), static_cast<uint32_t>(random.below(1000))};
        queue.push(item);
        expected.emplace(item.rank, item.position);
        continue;
      }
      MergeQueue::Item item;
      ASSERT_EQ(queue.pop(item), !expected.empty());
      if (expected.empty()) continue;
      ASSERT_EQ(std::pair(item.rank, item.position), *expected.begin());
      expected.erase(expected.begin());
    }
  }
}

TEST(BpeMerges, KeepsTheFirstOfAPairAddedTwice) {
  BpeMerges merges(2);
  merges.add(1, 2, {5, 3});
  merges.add(1, 2, {0, 4});
  EXPECT_EQ(merges.find(1, 2).id, 3u);
  EXPECT_EQ(merges.find(2, 1).id, BpeMerges::kNone);
}

TEST(BpeMerges, LeavesShortInputsAlone) {
  const BpeMerges merges;
  BpeMerges::Scratch scratch;
  std::vector<uint32_t> none, one = {9};
  merges.apply(none, scratch);
  merges.apply(one, scratch);
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(one, std::vector<uint32_t>{9});
}

}  // namespace
}  // namespace minnow
