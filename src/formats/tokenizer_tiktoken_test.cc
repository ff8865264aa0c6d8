// tiktoken files and BERT's vocab.txt, whole and broken.
#include <gtest/gtest.h>

#include "base/error.h"
#include "formats/tokenizer_files.h"

namespace minnow {
namespace {

// " " a b ab aba, by rank.
const std::string kRanks = "IA== 0\nYQ== 1\nYg== 2\nYWI= 3\nYWJh 4\n";

ErrorCode tiktoken_error(std::string_view text, const std::string& source = "cl100k_base.tiktoken") {
  try {
    parse_tiktoken(text, source);
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(source), std::string::npos);
    return error.code();
  }
  return ErrorCode::kInternal;
}

TEST(Tiktoken, MakesAMergeOfEveryWayToCutAToken) {
  const TokenizerSpec spec = parse_tiktoken(kRanks, "x/gpt2.tiktoken");
  EXPECT_EQ(spec.kind, TokenizerKind::kByteBpe);
  EXPECT_EQ(spec.pre, "gpt-2");
  ASSERT_EQ(spec.tokens.size(), 5u);
  EXPECT_EQ(spec.tokens[0].text, "Ġ");
  EXPECT_EQ(spec.tokens[4].text, "aba");
  EXPECT_EQ(spec.merges, (std::vector<std::string>{"a b", "ab a"}));
}

TEST(Tiktoken, KnowsEncodingsByTheNameOfTheFile) {
  EXPECT_EQ(parse_tiktoken(kRanks, "o200k_base.tiktoken").pre, "gpt-4o");
  EXPECT_EQ(parse_tiktoken(kRanks, "llama/tokenizer.model").pre, "llama-bpe");
  EXPECT_TRUE(parse_tiktoken(kRanks, "cl100k_base.tiktoken").ignore_merges);
  EXPECT_EQ(tiktoken_error(kRanks, "gpt2/martian.tiktoken"), ErrorCode::kUnsupported);
}

TEST(Tiktoken, LeavesHolesInTheRanksUnused) {
  const TokenizerSpec spec = parse_tiktoken("YQ== 0\nYg== 3\n", "qwen.tiktoken");
  ASSERT_EQ(spec.tokens.size(), 4u);
  EXPECT_EQ(spec.tokens[1].type, TokenType::kUnused);
}

TEST(Tiktoken, RefusesBrokenLines) {
  for (const char* text : {"", "\n", "YQ==\n", "YQ== x\n", "YQ== -1\n", "YQ== 1 2\n", "Y? 0\n", " 0\n", "YQ== 0\nYg== 0\n",
                           "YQ== 4000000000\n", "YQ== 2000000000\n"}) {
    EXPECT_EQ(tiktoken_error(text), ErrorCode::kInvalidInput) << text;
  }
  EXPECT_EQ(tiktoken_error(std::string(4000, 'Y') + " 0\n"), ErrorCode::kLimit);
}

TEST(Tiktoken, IsRecognizedByItsFirstLine) {
  EXPECT_TRUE(looks_like_tiktoken(kRanks));
  EXPECT_FALSE(looks_like_tiktoken("\x0a\x0e\x0a\x05<unk>\x15"));
  EXPECT_FALSE(looks_like_tiktoken(""));
  EXPECT_FALSE(looks_like_tiktoken("{\"model\": 1}"));
}

TEST(WordPieceVocabulary, HasATokenOnEachLine) {
  const TokenizerSpec spec = parse_wordpiece_vocabulary("[PAD]\r\n[UNK]\r\n[CLS]\n[SEP]\na\n##b", "vocab.txt");
  EXPECT_EQ(spec.kind, TokenizerKind::kWordPiece);
  ASSERT_EQ(spec.tokens.size(), 6u);
  EXPECT_EQ(spec.unk, 1);
  EXPECT_EQ(spec.bos, 2);
  EXPECT_EQ(spec.eos, 3);
  EXPECT_EQ(spec.tokens[2].type, TokenType::kControl);
  EXPECT_EQ(spec.tokens[5].text, "##b");
  EXPECT_THROW(parse_wordpiece_vocabulary("a\nb\n", "vocab.txt"), Error);
}

}  // namespace
}  // namespace minnow
