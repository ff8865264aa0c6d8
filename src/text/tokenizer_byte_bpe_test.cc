#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "text/tokenizer.h"
#include "text/tokenizer_test_specs.h"

namespace minnow {
namespace {

using testing_specs::add;
using testing_specs::byte_bpe;
using testing_specs::letters;

using Ids = std::vector<TokenId>;

TokenizerSpec with_special_tokens() {
  TokenizerSpec spec = byte_bpe({{"a", "b"}, {"ab", "c"}});
  add(spec, "<|im_end|>", TokenType::kControl);  // 258
  add(spec, "<tool>", TokenType::kUserDefined);  // 259
  add(spec, "<tool>2", TokenType::kUserDefined);
  return spec;
}

TEST(ByteBpe, MergesByRankAndNotByLength) {
  // "ab" comes before "bc", so "abc" is "ab" and "c".
  const auto tokenizer = Tokenizer::build(byte_bpe({{"a", "b"}, {"b", "c"}, {"a", "bc"}}));
  EXPECT_EQ(tokenizer->encode("abc"), (Ids{256, 'c'}));
  EXPECT_EQ(tokenizer->encode("bc"), (Ids{257}));
}

TEST(ByteBpe, IgnoresMergesForWholeWordsWhenAsked) {
  TokenizerSpec spec = byte_bpe({{"a", "b"}, {"b", "c"}, {"a", "bc"}});
  spec.ignore_merges = true;
  EXPECT_EQ(Tokenizer::build(spec)->encode("abc"), (Ids{258}));
}

TEST(ByteBpe, TakesAnyBytesAndGivesThemBack) {
  const auto tokenizer = Tokenizer::build(byte_bpe({{"\xc3", "\xa9"}}));
  EXPECT_EQ(tokenizer->encode("\xc3\xa9\xff"), (Ids{256, 0xff}));
  EXPECT_EQ(tokenizer->piece(256, false), "\xc3\xa9");
  EXPECT_EQ(tokenizer->piece(0xff, false), "\xff");
  EXPECT_EQ(tokenizer->decode(Ids{256, 0xff}), "é\uFFFD");
}

TEST(ByteBpe, RoundTripsEveryByte) {
  const auto tokenizer = Tokenizer::build(byte_bpe({}));
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  std::string back;
  for (const TokenId id : tokenizer->encode(all)) back += tokenizer->piece(id, false);
  EXPECT_EQ(back, all);
}

TEST(ByteBpe, KeepsControlTokensInUserTextAsText) {
  const auto tokenizer = Tokenizer::build(with_special_tokens());
  const Ids as_text = tokenizer->encode("x<|im_end|>");
  EXPECT_EQ(as_text.size(), 11u);
  EXPECT_EQ(tokenizer->encode("x<|im_end|>", {.parse_special = true}), (Ids{'x', 258}));
}

TEST(ByteBpe, NeverMergesOrMatchesIntoAControlToken) {
  TokenizerSpec spec = byte_bpe({{"a", "b"}});
  spec.tokens[256].type = TokenType::kControl;
  spec.ignore_merges = true;
  // Its merge has no result that text may become.
  EXPECT_THROW(Tokenizer::build(spec), Error);
  spec.merges.clear();
  EXPECT_EQ(Tokenizer::build(spec)->encode("ab"), (Ids{'a', 'b'}));
}

TEST(ByteBpe, AlwaysMatchesUserDefinedTokensLongestFirst) {
  const auto tokenizer = Tokenizer::build(with_special_tokens());
  EXPECT_EQ(tokenizer->encode("a<tool>b"), (Ids{'a', 259, 'b'}));
  EXPECT_EQ(tokenizer->encode("<tool>2<tool"), (Ids{260, '<', 't', 'o', 'o', 'l'}));
  EXPECT_EQ(tokenizer->decode(Ids{'a', 259}), "a<tool>");
}

TEST(ByteBpe, StripsWhiteSpaceAroundTokensThatSayIt) {
  TokenizerSpec spec = with_special_tokens();
  spec.tokens[258].lstrip = spec.tokens[258].rstrip = true;
  const auto tokenizer = Tokenizer::build(spec);
  EXPECT_EQ(tokenizer->encode("a \n<|im_end|>\t b", {.parse_special = true}), (Ids{'a', 258, 'b'}));
}

TEST(ByteBpe, HidesControlTokensUnlessAsked) {
  const auto tokenizer = Tokenizer::build(with_special_tokens());
  EXPECT_EQ(tokenizer->decode(Ids{'a', 258}), "a");
  EXPECT_EQ(tokenizer->decode(Ids{'a', 258}, true), "a<|im_end|>");
  EXPECT_TRUE(tokenizer->is_control(258));
  EXPECT_FALSE(tokenizer->is_control(259));
}

TEST(ByteBpe, AddsBosAndEosOnlyWithSpecial) {
  TokenizerSpec spec = with_special_tokens();
  spec.bos = spec.eos = 258;
  spec.add_bos = spec.add_eos = true;
  const auto tokenizer = Tokenizer::build(spec);
  EXPECT_EQ(tokenizer->encode("a"), (Ids{258, 'a', 258}));
  EXPECT_EQ(tokenizer->encode("a", {.add_special = false}), (Ids{'a'}));
  EXPECT_EQ(tokenizer->encode(""), (Ids{258, 258}));
}

TEST(ByteBpe, NormalizesToNfcWhenTheModelDoes) {
  TokenizerSpec spec = byte_bpe({{"\xc3", "\xa9"}});
  EXPECT_EQ(Tokenizer::build(spec)->encode("e\u0301").size(), 3u);
  spec.normalizers = {{.kind = NormalizerStep::Kind::kNfc}};
  EXPECT_EQ(Tokenizer::build(spec)->encode("e\u0301"), (Ids{256}));
}

TEST(ByteBpe, DropsBytesThatTheVocabularyLacks) {
  TokenizerSpec spec = byte_bpe({});
  spec.tokens['z'].text = "zz";
  EXPECT_EQ(Tokenizer::build(spec)->encode("azb"), (Ids{'a', 'b'}));
}

TEST(ByteBpe, FindsTokensByTheirVocabularyText) {
  const auto tokenizer = Tokenizer::build(with_special_tokens());
  EXPECT_EQ(tokenizer->find("<|im_end|>"), 258);
  EXPECT_EQ(tokenizer->find(letters("ab")), 256);
  EXPECT_EQ(tokenizer->find("nothing"), kNoToken);
  EXPECT_EQ(tokenizer->find(""), kNoToken);
}

TEST(ByteBpe, KnowsWhatEndsAnAnswer) {
  TokenizerSpec spec = with_special_tokens();
  add(spec, "<|eot_id|>", TokenType::kNormal);
  spec.eos = 'e';
  spec.eot = 't';
  spec.extra_eog = {'x'};
  const auto tokenizer = Tokenizer::build(spec);
  for (const TokenId id :
       {static_cast<TokenId>('e'), static_cast<TokenId>('t'), static_cast<TokenId>('x'), 258}) {
    EXPECT_TRUE(tokenizer->is_end_of_generation(id)) << id;
  }
  EXPECT_FALSE(tokenizer->is_end_of_generation('a'));
  EXPECT_FALSE(tokenizer->is_end_of_generation(261)) << "the name alone does not make it a control token";
  EXPECT_FALSE(tokenizer->is_end_of_generation(-1));
  EXPECT_FALSE(tokenizer->is_end_of_generation(1 << 30));
}

TEST(ByteBpe, RefusesBadSpecs) {
  const auto refuses = [](auto change) {
    TokenizerSpec spec = with_special_tokens();
    change(spec);
    EXPECT_THROW(Tokenizer::build(spec), Error);
  };
  refuses([](TokenizerSpec& s) { s.tokens.clear(); });
  refuses([](TokenizerSpec& s) { s.bos = 261; });
  refuses([](TokenizerSpec& s) { s.eos = -2; });
  refuses([](TokenizerSpec& s) { s.extra_eog = {1 << 30}; });
  refuses([](TokenizerSpec& s) { s.merges.push_back("a"); });
  refuses([](TokenizerSpec& s) { s.merges.push_back("a b c"); });
  refuses([](TokenizerSpec& s) { s.merges.push_back("a qq"); });
  refuses([](TokenizerSpec& s) { s.merges.push_back("a z"); });
  refuses([](TokenizerSpec& s) { s.tokens[3].score = std::numeric_limits<float>::quiet_NaN(); });
  refuses([](TokenizerSpec& s) { s.pre = "no-such"; });
  refuses([](TokenizerSpec& s) { s.splits.assign(100, {"a"}); });
  refuses([](TokenizerSpec& s) { s.tokens.back().text.assign(5000, 'x'); });
}

TEST(ByteBpe, GivesTheSameIdsFromManyThreads) {
  const auto tokenizer = Tokenizer::build(byte_bpe({{"a", "b"}, {"ab", "a"}, {"b", "b"}, {" ", "a"}}));
  Random random(3);
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "ab  \n"[random.below(5)];
  const Ids expected = tokenizer->encode(text);
  std::vector<Ids> results(8);
  std::vector<std::thread> threads;
  for (Ids& result : results) threads.emplace_back([&] { result = tokenizer->encode(text); });
  for (std::thread& thread : threads) thread.join();
  for (const Ids& result : results) EXPECT_EQ(result, expected);
}

}  // namespace
}  // namespace minnow
