// The small parts: the matcher of special tokens, the index, the word cache, NFC.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>

#include "text/tokenizer_index.h"
#include "text/tokenizer_special.h"
#include "text/unicode_forms.h"
#include "text/word_cache.h"

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

TEST(TokenIndex, FindsManyAtOnceAsOneByOne) {
  std::vector<std::string> words;
  for (int i = 0; i < 5000; ++i) words.push_back(fmt::format("{}w{}", std::string(static_cast<std::size_t>(i % 23), 'x'), i % 4000));
  std::vector<std::string_view> keys(words.begin(), words.begin() + 4500), texts(words.begin() + 100, words.end());
  texts.insert(texts.end(), {"", "absent", "xx"});
  const TokenIndex index(keys);
  std::vector<TokenId> ids(texts.size(), 77);
  index.find_all(texts, ids);
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(ids[i], index.find(texts[i])) << texts[i];
  EXPECT_EQ(ids.back(), kNoToken);
  EXPECT_EQ(index.key(4), keys[4]);
  EXPECT_EQ(index.find("xxxxw4"), 4);
  TokenIndex().find_all(texts, ids);
  EXPECT_EQ(ids, std::vector<TokenId>(ids.size(), kNoToken));
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

TEST(WordCache, GivesBackWhatWasPutInAndForgetsOldWords) {
  WordCache cache;
  EXPECT_EQ(cache.find(WordCache::Key("a")), nullptr);
  int found = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string word = "word" + std::to_string(i);
    const TokenId ids[] = {i, i + 1};
    cache.insert(WordCache::Key(word), ids);
    const auto* entry = cache.find(WordCache::Key(word));
    ASSERT_NE(entry, nullptr);
    ASSERT_EQ(entry->tokens().size(), 2u);
    ASSERT_EQ(entry->tokens()[1], i + 1);
  }
  for (int i = 0; i < 100'000; ++i) {
    const auto* entry = cache.find(WordCache::Key("word" + std::to_string(i)));
    if (entry == nullptr) continue;
    ++found;
    ASSERT_EQ(entry->tokens()[0], i);
  }
  EXPECT_GT(found, 1000);
}

TEST(WordCache, TellsWordsFromTheirPaddedTwins) {
  WordCache cache;
  const TokenId one[] = {1};
  cache.insert(WordCache::Key(std::string("a\0", 2)), one);
  EXPECT_EQ(cache.find(WordCache::Key("a")), nullptr);
  cache.insert(WordCache::Key("nothing"), {});
  ASSERT_NE(cache.find(WordCache::Key("nothing")), nullptr);
  EXPECT_TRUE(cache.find(WordCache::Key("nothing"))->tokens().empty());
}

TEST(WordCache, LeavesOutWordsOfManyTokens) {
  WordCache cache;
  const std::vector<TokenId> many(WordCache::kMaxIds + 1, 7);
  cache.insert(WordCache::Key("long"), many);
  EXPECT_EQ(cache.find(WordCache::Key("long")), nullptr);
}

TEST(NormalizeNfc, ComposesAndReorders) {
  std::string out;
  EXPECT_TRUE(to_unicode_form(UnicodeForm::kNfc, "e\u0301", out));
  EXPECT_EQ(out, "é");
  EXPECT_TRUE(to_unicode_form(UnicodeForm::kNfc, "a\u0301\u0323", out));
  EXPECT_EQ(out, "\u1ea1\u0301");
  EXPECT_TRUE(to_unicode_form(UnicodeForm::kNfc, "\u1112\u1161\u11ab", out));
  EXPECT_EQ(out, "\ud55c");
}

TEST(NormalizeNfc, LeavesAsciiBrokenAndOverloadedTextsAlone) {
  std::string out = "untouched", marks = "a";
  EXPECT_FALSE(to_unicode_form(UnicodeForm::kNfc, "plain", out));
  EXPECT_FALSE(to_unicode_form(UnicodeForm::kNfc, "\xff\xc3\xa9", out));
  for (int i = 0; i < 100'000; ++i) marks += i % 2 == 0 ? "\u0301" : "\u0323";
  EXPECT_FALSE(to_unicode_form(UnicodeForm::kNfc, marks, out));
  EXPECT_FALSE(to_unicode_form(UnicodeForm::kNfc, "caf\u00e9", out));
  EXPECT_EQ(out, "untouched");
}

}  // namespace
}  // namespace minnow
