// The small parts: the matcher of special tokens, the index, the word cache, NFC.
#include <gtest/gtest.h>

#include <chrono>

#include "text/bpe_word_cache.h"
#include "text/tokenizer_index.h"
#include "text/tokenizer_nfc.h"
#include "text/tokenizer_special.h"

namespace minnow {
namespace {

TEST(SpecialTokenMatcher, FindsTheLeftmostThenTheLongest) {
  SpecialTokenMatcher matcher;
  matcher.add("ab", 1);
  matcher.add("abcd", 2);
  matcher.add("bc", 3);
  matcher.add("ab", 4);
  const auto match = matcher.next("xxabcabcd");
  EXPECT_EQ(match.begin, 2u);
  EXPECT_EQ(match.length, 2u);
  EXPECT_EQ(match.id, 1);
  EXPECT_EQ(matcher.next("abcd").id, 2);
  EXPECT_EQ(matcher.next("abc").id, 1);
  EXPECT_EQ(matcher.next("bbc").id, 3);
  EXPECT_EQ(matcher.next("a").id, kNoToken);
  EXPECT_EQ(matcher.next("").id, kNoToken);
}

TEST(SpecialTokenMatcher, WithoutTokensFindsNone) {
  SpecialTokenMatcher matcher;
  matcher.add("", 1);
  EXPECT_EQ(matcher.next("abc").id, kNoToken);
}

TEST(TokenIndex, TakesTheFirstOfEqualKeysAndLeavesEmptyOnesOut) {
  const TokenIndex index({"a", "", "b", "a", "a long key of more than sixteen bytes"});
  EXPECT_EQ(index.find("a"), 0);
  EXPECT_EQ(index.find("b"), 2);
  EXPECT_EQ(index.find("a long key of more than sixteen bytes"), 4);
  EXPECT_EQ(index.find(""), kNoToken);
  EXPECT_EQ(index.find("c"), kNoToken);
  EXPECT_EQ(TokenIndex().find("a"), kNoToken);
}

TEST(BpeWordCache, GivesBackWhatWasPutInAndForgetsOldWords) {
  BpeWordCache cache;
  EXPECT_EQ(cache.find(BpeWordCache::Key("a")), nullptr);
  int found = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string word = "word" + std::to_string(i);
    const TokenId ids[] = {i, i + 1};
    cache.insert(BpeWordCache::Key(word), ids);
    const auto* entry = cache.find(BpeWordCache::Key(word));
    ASSERT_NE(entry, nullptr);
    ASSERT_EQ(entry->tokens().size(), 2u);
    ASSERT_EQ(entry->tokens()[1], i + 1);
  }
  for (int i = 0; i < 100'000; ++i) {
    const auto* entry = cache.find(BpeWordCache::Key("word" + std::to_string(i)));
    if (entry == nullptr) continue;
    ++found;
    ASSERT_EQ(entry->tokens()[0], i);
  }
  EXPECT_GT(found, 1000);
}

TEST(BpeWordCache, TellsWordsFromTheirPaddedTwins) {
  BpeWordCache cache;
  const TokenId one[] = {1};
  cache.insert(BpeWordCache::Key(std::string("a\0", 2)), one);
  EXPECT_EQ(cache.find(BpeWordCache::Key("a")), nullptr);
  cache.insert(BpeWordCache::Key("nothing"), {});
  ASSERT_NE(cache.find(BpeWordCache::Key("nothing")), nullptr);
  EXPECT_TRUE(cache.find(BpeWordCache::Key("nothing"))->tokens().empty());
}

TEST(BpeWordCache, LeavesOutWordsOfManyTokens) {
  BpeWordCache cache;
  const std::vector<TokenId> many(BpeWordCache::kMaxIds + 1, 7);
  cache.insert(BpeWordCache::Key("long"), many);
  EXPECT_EQ(cache.find(BpeWordCache::Key("long")), nullptr);
}

TEST(NormalizeNfc, ComposesAndReorders) {
  std::string out;
  EXPECT_TRUE(normalize_nfc("e\u0301", out));
  EXPECT_EQ(out, "é");
  EXPECT_TRUE(normalize_nfc("a\u0301\u0323", out));
  EXPECT_EQ(out, "\u1ea1\u0301");
  EXPECT_TRUE(normalize_nfc("\u1112\u1161\u11ab", out));
  EXPECT_EQ(out, "\ud55c");
}

TEST(NormalizeNfc, LeavesAsciiBrokenAndOverloadedTextsAlone) {
  std::string out = "untouched", marks = "a";
  EXPECT_FALSE(normalize_nfc("plain", out));
  EXPECT_FALSE(normalize_nfc("\xff\xc3\xa9", out));
  for (int i = 0; i < 100'000; ++i) marks += i % 2 == 0 ? "\u0301" : "\u0323";
  EXPECT_FALSE(normalize_nfc(marks, out));
  EXPECT_EQ(out, "untouched");
}

}  // namespace
}  // namespace minnow
