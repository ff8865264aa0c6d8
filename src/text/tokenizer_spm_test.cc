#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/random.h"
#include "base/utf8.h"
#include "text/tokenizer.h"
#include "text/tokenizer_test_specs.h"

namespace minnow {
namespace {

using testing_specs::add;
using testing_specs::spm;

using Ids = std::vector<TokenId>;
constexpr TokenId kFirst = 3 + 256;  // the first piece
constexpr EncodeOptions kPlain = {.add_special = false};

// SentencePiece's rule on strings: join the leftmost pair whose text has the best score, until none is a
// piece.
Ids encode_naively(const TokenizerSpec& spec, const std::string& text) {
  std::map<std::string, TokenId> pieces;
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    if (spec.tokens[id].type == TokenType::kNormal)
      pieces.emplace(spec.tokens[id].text, static_cast<TokenId>(id));
  }
  std::vector<std::string> symbols = {"▁"};
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t length = decode_utf8(rest).length;
    symbols.emplace_back(rest.starts_with(' ') ? "▁" : rest.substr(0, length));
    rest.remove_prefix(length);
  }
  for (;;) {
    std::size_t best = symbols.size();
    float best_score = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto it = pieces.find(symbols[i] + symbols[i + 1]);
      if (it == pieces.end()) continue;
      const float score = spec.tokens[static_cast<std::size_t>(it->second)].score;
      if (best == symbols.size() || score > best_score) {
        best = i;
        best_score = score;
      }
    }
    if (best == symbols.size()) break;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  Ids ids;
  for (const std::string& symbol : symbols) {
    if (const auto it = pieces.find(symbol); it != pieces.end()) {
      ids.push_back(it->second);
    } else {
      for (const char c : symbol) ids.push_back(3 + static_cast<unsigned char>(c));
    }
  }
  return ids;
}

TEST(Spm, GivesWhatANaiveLoopGivesOnRandomTexts) {
  static const std::vector<std::string> kAlphabet = {"a", "b", "▁", "é", "中"};
  Random random(5);
  for (int round = 0; round < 100; ++round) {
    TokenizerSpec spec = spm({});
    std::vector<std::string> seen;
    for (uint64_t n = 2 + random.below(30); n > 0; --n) {
      std::string piece;
      // In half of the rounds no piece has a space inside, as in real models.
      for (uint64_t length = 1 + random.below(4); length > 0; --length) {
        const uint64_t choice = random.below(kAlphabet.size());
        if (round % 2 == 0 && choice == 2 && !piece.empty()) continue;
        piece += kAlphabet[choice];
      }
      if (std::ranges::find(seen, piece) != seen.end()) continue;
      seen.push_back(piece);
      add(spec, piece, TokenType::kNormal, -static_cast<float>(random.below(8)));
    }
    const auto tokenizer = Tokenizer::build(spec);
    for (int i = 0; i < 100; ++i) {
      std::string text;
      for (uint64_t n = 1 + random.below(i % 10 == 0 ? 120 : 20); n > 0; --n) {
        const std::string& next = kAlphabet[random.below(kAlphabet.size())];
        text += next == "▁" ? " " : next;
      }
      ASSERT_EQ(tokenizer->encode(text, kPlain), encode_naively(spec, text)) << text;
      // Without a piece for the space, its bytes come back as U+2581.
      if (tokenizer->find("▁") == kNoToken) continue;
      ASSERT_EQ(tokenizer->decode(tokenizer->encode(text, kPlain)), text);
    }
  }
}

TEST(Spm, MergesByScoreFromTheLeft) {
  const auto tokenizer = Tokenizer::build(spm({"aa", "a", "▁"}));
  EXPECT_EQ(tokenizer->encode("aaa", kPlain), (Ids{kFirst + 2, kFirst, kFirst + 1}));
}

TEST(Spm, BreaksUnknownCharactersIntoByteTokens) {
  const auto tokenizer = Tokenizer::build(spm({"▁", "a"}));
  EXPECT_EQ(tokenizer->encode("a🙂", kPlain),
            (Ids{kFirst, kFirst + 1, 3 + 0xF0, 3 + 0x9F, 3 + 0x99, 3 + 0x82}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a🙂")), "a🙂");
}

TEST(Spm, GivesInvalidUtf8AsByteTokens) {
  const auto tokenizer = Tokenizer::build(spm({"▁", "a"}));
  EXPECT_EQ(tokenizer->encode("\xff"
                              "a\xc3",
                              kPlain),
            (Ids{kFirst, 3 + 0xff, kFirst + 1, 3 + 0xc3}));
  EXPECT_EQ(tokenizer->decode(Ids{3 + 0xff, kFirst + 1}), "\uFFFDa");
}

TEST(Spm, FusesUnknownCharactersWithoutByteTokens) {
  const auto tokenizer = Tokenizer::build(spm({"▁", "a"}, false));
  EXPECT_EQ(tokenizer->encode("中文a中", kPlain), (Ids{3, 0, 4, 0}));
}

TEST(Spm, PutsASpaceBeforeTheTextAndTakesItAway) {
  TokenizerSpec spec = spm({"▁a", "▁", "a"});
  const auto tokenizer = Tokenizer::build(spec);
  EXPECT_EQ(tokenizer->encode("a", kPlain), (Ids{kFirst}));
  EXPECT_EQ(tokenizer->encode(" a", kPlain), (Ids{kFirst + 1, kFirst}));
  EXPECT_EQ(tokenizer->decode(Ids{1, kFirst}), "a");
  EXPECT_EQ(tokenizer->encode("", kPlain), Ids{});
  spec.add_space_prefix = false;
  const auto without = Tokenizer::build(spec);
  EXPECT_EQ(without->encode("a", kPlain), (Ids{kFirst + 2}));
  EXPECT_EQ(without->decode(Ids{kFirst}), " a");
}

TEST(Spm, SplitsSpecialTokensOutBeforeMerging) {
  TokenizerSpec spec = spm({"▁a", "▁", "a", "<", "s", ">"});
  const TokenId user = add(spec, "<x>", TokenType::kUserDefined);
  const auto tokenizer = Tokenizer::build(spec);
  EXPECT_EQ(tokenizer->encode("a<x>a", kPlain), (Ids{kFirst, user, kFirst}));
  EXPECT_EQ(tokenizer->encode("<s>", kPlain), (Ids{kFirst + 1, kFirst + 3, kFirst + 4, kFirst + 5}));
  EXPECT_EQ(tokenizer->encode("<s>a", {.add_special = false, .parse_special = true}), (Ids{1, kFirst}));
}

TEST(Spm, NeverMergesIntoAControlToken) {
  TokenizerSpec spec = spm({"▁", "<", "s>", "s", ">"});
  EXPECT_EQ(Tokenizer::build(spec)->encode("<s>", kPlain), (Ids{kFirst, kFirst + 1, kFirst + 2}));
}

TEST(Spm, DoesNotTakeTheNameOfAByteTokenForTheByte) {
  const auto tokenizer = Tokenizer::build(spm({"▁", "<"}));
  const Ids ids = tokenizer->encode("<0x41>", {.add_special = false, .parse_special = true});
  EXPECT_EQ(tokenizer->decode(ids), "<0x41>");
  EXPECT_EQ(ids.size(), 7u);
}

TEST(Spm, CollapsesSpacesWhenTheModelDoes) {
  TokenizerSpec spec = spm({"▁a", "▁", "a"});
  spec.remove_extra_whitespaces = true;
  const auto tokenizer = Tokenizer::build(spec);
  EXPECT_EQ(tokenizer->encode("  a   a ", kPlain), (Ids{kFirst, kFirst}));
  EXPECT_EQ(tokenizer->encode("   ", kPlain), Ids{});
}

TEST(Spm, TakesListedMergesInsteadOfScores) {
  TokenizerSpec spec = spm({"ab", "bc", "a", "b", "c", "▁"});
  EXPECT_EQ(Tokenizer::build(spec)->encode("abc", kPlain), (Ids{kFirst + 5, kFirst, kFirst + 4}));
  spec.merges = {"b c", "a b"};
  EXPECT_EQ(Tokenizer::build(spec)->encode("abc", kPlain), (Ids{kFirst + 5, kFirst + 2, kFirst + 1}));
}

TEST(Spm, RefusesBadSpecs) {
  TokenizerSpec spec = spm({"a"});
  spec.tokens[10].text = "<0xZZ>";
  EXPECT_THROW(Tokenizer::build(spec), Error);
  spec = spm({std::string(5000, 'a')});
  EXPECT_THROW(Tokenizer::build(spec), Error);
  spec = spm({"a"});
  spec.unk = 100'000;
  EXPECT_THROW(Tokenizer::build(spec), Error);
}

TEST(StreamDecoder, HoldsAnEmojiBackUntilItIsWhole) {
  const auto tokenizer = Tokenizer::build(spm({"▁a", "▁", "a"}));
  StreamDecoder decoder(*tokenizer, true);
  EXPECT_EQ(decoder.push(kFirst), "a") << "without the space that encode() put there";
  EXPECT_EQ(decoder.push(3 + 0xF0), "");
  EXPECT_EQ(decoder.push(3 + 0x9F), "");
  EXPECT_EQ(decoder.push(3 + 0x99), "");
  EXPECT_EQ(decoder.push(3 + 0x82), "🙂");
  EXPECT_EQ(decoder.push(kFirst), " a");
  EXPECT_EQ(decoder.push(3 + 0xF0), "");
  EXPECT_EQ(decoder.push(kFirst + 2), "\uFFFDa") << "broken for good";
  EXPECT_EQ(decoder.push(3 + 0xE4), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoder, KeepsTheSpaceInTheMiddleOfAText) {
  const auto tokenizer = Tokenizer::build(spm({"▁a", "▁", "a"}));
  StreamDecoder decoder(*tokenizer, false);
  EXPECT_EQ(decoder.push(kFirst), " a");
}

TEST(StreamDecoder, SaysTheSameAsDecodeAndOnlyValidUtf8) {
  const auto tokenizer = Tokenizer::build(spm({"▁a", "▁", "a", "é"}));
  Random random(9);
  for (int i = 0; i < 1000; ++i) {
    Ids ids(random.below(12));
    for (TokenId& id : ids)
      id = static_cast<TokenId>(random.below(static_cast<uint64_t>(tokenizer->n_vocab())));
    StreamDecoder decoder(*tokenizer, true);
    std::string text;
    for (const TokenId id : ids) {
      const std::string part = decoder.push(id);
      ASSERT_TRUE(is_valid_utf8(part));
      text += part;
    }
    text += decoder.finish();
    ASSERT_TRUE(is_valid_utf8(text));
    ASSERT_EQ(text, tokenizer->decode(ids));
  }
}

}  // namespace
}  // namespace minnow
