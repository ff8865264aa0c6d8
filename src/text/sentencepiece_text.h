// What SentencePiece's two kinds of tokenizers have in common: spaces that belong to words, and tokens for bytes.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "formats/tokenizer_spec.h"

namespace minnow {

// The text with a space put before it where wanted, U+2581 as the space that it means, and spaces collapsed
// where the model wants that. Copies to `buffer` only when something changes.
std::string_view with_plain_spaces(const TokenizerSpec& spec, std::string_view text, bool prefix, std::string& buffer);

// Whether no piece has a space after another character, so that every word can be encoded by itself.
bool splits_at_spaces(const TokenizerSpec& spec);

// The end of the word that `text` begins with: up to the next space after other characters, or, where every space begins
// a word, up to the next space.
std::size_t spaced_word_end(std::string_view text, bool every_space);

// The bytes of a piece: those of its text with spaces for U+2581, or the one that a byte token stands for.
std::string sentencepiece_bytes(const TokenEntry& token);

// The tokens that stand for single bytes ("<0x4F>").
class ByteTokens {
 public:
  // Throws kInvalidInput for byte tokens of another form.
  explicit ByteTokens(const TokenizerSpec& spec);
  // kNoToken where the vocabulary has none.
  TokenId of(uint8_t byte) const { return ids_[byte]; }
  bool complete() const;

 private:
  std::array<TokenId, 256> ids_;
};

// Of neighbours from `begin` on that are `unknown`, only the first stays.
void fuse_unknown(TokenId unknown, std::size_t begin, std::vector<TokenId>& ids);

}  // namespace minnow
