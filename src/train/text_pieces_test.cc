#include "train/text_pieces.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "base/utf8.h"
#include "text/pretokenizer.h"

namespace minnow {
namespace {

std::vector<std::string> pieces_of(const std::string& text, std::size_t wanted) {
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = piece_end(text, at, wanted);
    EXPECT_GT(end, at);
    EXPECT_LE(end, std::max(at + 2 * wanted, at + 1));
    pieces.push_back(text.substr(at, end - at));
    at = end;
  }
  return pieces;
}

std::vector<std::string> words_of(const PreTokenizer& splitter, const std::string& text) {
  PreTokenizerScratch scratch;
  std::vector<std::string> words;
  uint32_t begin = 0;
  for (const uint32_t end : splitter.split(text, scratch)) {
    words.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

TEST(TextPieces, EndAtASingleLineEnd) {
  EXPECT_EQ(pieces_of("ab\ncd\nef\ngh", 4), (std::vector<std::string>{"ab\ncd\n", "ef\ngh"}));
  EXPECT_EQ(pieces_of("abc\ndef\n\nghi\njk", 5), (std::vector<std::string>{"abc\ndef\n\n", "ghi\njk"})) << "any other for want of one";
  EXPECT_EQ(pieces_of("short", 100), std::vector<std::string>{"short"});
  EXPECT_EQ(pieces_of("aaaa bbbb cccc", 4), (std::vector<std::string>{"aaaa", " bbbb", " cccc"}));
  EXPECT_EQ(pieces_of("", 4), std::vector<std::string>{});
}

TEST(TextPieces, NeverCutACharacter) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "中";
  for (const std::string& piece : pieces_of(text, 7)) EXPECT_TRUE(is_valid_utf8(piece));
}

TEST(TextPieces, HaveTheWordsOfTheTextWhereLinesEnd) {
  Random random(4);
  std::string text;
  static constexpr const char* kParts[] = {"word", " next", "\nLine", " 12", ".", "\n\nPar", "  two", "\n\t", "é", "中", "\u00a0", "'s"};
  for (int i = 0; i < 3000; ++i) text += std::string(kParts[random.below(std::size(kParts))]) + (i % 9 == 0 ? "x\nY" : "");
  for (const char* name : {"gpt-2", "llama-bpe", "qwen2", "smollm", "tekken", "gpt-4o"}) {
    const PreTokenizer splitter(TokenizerSpec{.source = "test", .pre = name});
    std::vector<std::string> words;
    for (const std::string& piece : pieces_of(text, 200)) {
      for (std::string& word : words_of(splitter, piece)) words.push_back(std::move(word));
    }
    EXPECT_EQ(words, words_of(splitter, text)) << name;
  }
}

}  // namespace
}  // namespace minnow
