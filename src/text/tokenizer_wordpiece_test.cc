#include <gtest/gtest.h>

#include "text/tokenizer.h"
#include "text/tokenizer_test_specs.h"

namespace minnow {
namespace {

using Ids = std::vector<TokenId>;

TokenizerSpec wordpiece() {
  TokenizerSpec spec{.kind = TokenizerKind::kWordPiece, .source = "test"};
  for (const char* piece : {"un", "##aff", "##able", "want", "##ed", ".", "'", "s", "l", "eau"}) testing_specs::add(spec, piece);
  spec.unk = testing_specs::add(spec, "[UNK]", TokenType::kControl);
  spec.bos = testing_specs::add(spec, "[CLS]", TokenType::kControl);
  spec.eos = testing_specs::add(spec, "[SEP]", TokenType::kControl);
  spec.add_bos = spec.add_eos = true;
  spec.normalizers = {{.kind = NormalizerStep::Kind::kBert}};
  spec.splits = {{R"(\s+)", SplitBehavior::kRemoved}, {R"([\p{P}!-/:-@\[-`{-~])"}};
  spec.decode_cleanup = true;
  return spec;
}

TEST(WordPiece, TakesTheLongestPiecesFromTheLeft) {
  const auto tokenizer = Tokenizer::build(wordpiece());
  EXPECT_EQ(tokenizer->encode("Unaffable  WANTED."), (Ids{11, 0, 1, 2, 3, 4, 5, 12}));
}

TEST(WordPiece, MakesAWordUnknownAsAWhole) {
  TokenizerSpec spec = wordpiece();
  EXPECT_EQ(Tokenizer::build(spec)->encode("unwanted wantedx", {.add_special = false}), (Ids{10, 10}));
  spec.max_word_chars = 5;
  EXPECT_EQ(Tokenizer::build(spec)->encode("want wanted", {.add_special = false}), (Ids{3, 10}));
  EXPECT_EQ(Tokenizer::build(spec)->encode("", {.add_special = false}), Ids{});
}

TEST(WordPiece, WritesControlTokensOnlyForTemplates) {
  const auto tokenizer = Tokenizer::build(wordpiece());
  EXPECT_EQ(tokenizer->encode("[CLS]", {.add_special = false, .parse_special = true}), Ids{11});
  for (const TokenId id : tokenizer->encode("[CLS]", {.add_special = false})) EXPECT_NE(id, 11);
}

TEST(WordPiece, DecodesWithSpacesBetweenWordsOnly) {
  const auto tokenizer = Tokenizer::build(wordpiece());
  EXPECT_EQ(tokenizer->decode(Ids{11, 0, 1, 2, 3, 4, 5, 12}), "unaffable wanted.");
  EXPECT_EQ(tokenizer->decode(Ids{11, 0, 3, 12}, true), "[CLS] un want [SEP]");
  EXPECT_EQ(tokenizer->decode(Ids{8, 6, 9, 6}), "l'eau '");
  EXPECT_EQ(tokenizer->decode(Ids{6, 6}), "' '");
}

TEST(WordPiece, DecodesAsAStreamWhatItDecodesAtOnce) {
  const auto tokenizer = Tokenizer::build(wordpiece());
  const Ids ids = {8, 6, 9, 6, 6, 7, 5, 0, 1};
  StreamDecoder decoder(*tokenizer, true);
  std::string text;
  for (const TokenId id : ids) text += decoder.push(id);
  EXPECT_EQ(text + decoder.finish(), tokenizer->decode(ids));
}

// Added tokens with their conditions, in any kind of tokenizer.
TEST(AddedTokens, KeepTheirConditions) {
  TokenizerSpec spec = wordpiece();
  spec.tokens.push_back({.text = "Want", .type = TokenType::kUserDefined, .single_word = true});  // 13
  spec.tokens.push_back({.text = "<a>", .type = TokenType::kUserDefined, .lstrip = true, .rstrip = true});
  spec.tokens.push_back({.text = "ÜN", .type = TokenType::kUserDefined, .normalized = true});  // 15
  const auto tokenizer = Tokenizer::build(spec);
  const auto encode = [&](std::string_view text) { return tokenizer->encode(text, {.add_special = false}); };
  EXPECT_EQ(encode("Want un"), (Ids{13, 15}));
  EXPECT_EQ(encode("Wanted"), (Ids{3, 4})) << "a part of a word";
  EXPECT_EQ(encode("un\u3000 <a>\n un"), (Ids{15, 14, 15})) << "in normalized form";
}

}  // namespace
}  // namespace minnow
