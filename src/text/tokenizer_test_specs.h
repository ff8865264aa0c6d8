// Tiny vocabularies for tests.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "formats/tokenizer_spec.h"

namespace minnow::testing_specs {

inline TokenId add(TokenizerSpec& spec, std::string text, TokenType type = TokenType::kNormal,
                   float score = 0) {
  spec.tokens.push_back({.text = std::move(text), .score = score, .type = type});
  return static_cast<TokenId>(spec.tokens.size() - 1);
}

// <unk> <s> </s>, then (if wanted) the 256 byte tokens at ids 3 to 258, then the pieces with falling scores.
inline TokenizerSpec spm(const std::vector<std::string>& pieces, bool byte_tokens = true) {
  TokenizerSpec spec{.kind = TokenizerKind::kSpmBpe, .source = "test"};
  spec.unk = add(spec, "<unk>", TokenType::kUnknown);
  spec.bos = add(spec, "<s>", TokenType::kControl);
  spec.eos = add(spec, "</s>", TokenType::kControl);
  for (int byte = 0; byte_tokens && byte < 256; ++byte)
    add(spec, fmt::format("<0x{:02X}>", byte), TokenType::kByte);
  float score = 0;
  for (const std::string& piece : pieces) add(spec, piece, TokenType::kNormal, score -= 1);
  return spec;
}

// The letter that vocabulary files write for a byte.
inline std::string letter(unsigned byte) {
  const auto printable = [](unsigned b) {
    return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
  };
  char32_t code = byte;
  if (!printable(byte)) {
    code = 0x100;
    for (unsigned b = 0; b < byte; ++b) code += printable(b) ? 0 : 1;
  }
  std::string text;
  append_utf8(text, code);
  return text;
}

inline std::string letters(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += letter(static_cast<unsigned char>(c));
  return text;
}

// Ids 0 to 255 are the bytes; then one token for each merge, given in plain bytes.
inline TokenizerSpec byte_bpe(const std::vector<std::pair<std::string, std::string>>& merges) {
  TokenizerSpec spec{.kind = TokenizerKind::kByteBpe, .source = "test", .pre = "gpt-2"};
  for (unsigned byte = 0; byte < 256; ++byte) add(spec, letter(byte));
  for (const auto& [left, right] : merges) {
    add(spec, letters(left + right));
    spec.merges.push_back(letters(left) + " " + letters(right));
  }
  return spec;
}

}  // namespace minnow::testing_specs
