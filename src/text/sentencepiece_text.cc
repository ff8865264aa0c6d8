#include "text/sentencepiece_text.h"

#include <algorithm>

#include "base/error.h"
#include "formats/tokenizer_vocabulary.h"

namespace minnow {
namespace {

bool has_space_inside(std::string_view piece) {
  while (piece.starts_with(kSpaceSymbol)) piece.remove_prefix(kSpaceSymbol.size());
  return piece.find(kSpaceSymbol) != std::string_view::npos;
}

// Drops spaces at `begin` and at the end, and all but the first of each run.
void collapse_spaces(std::string& text, std::size_t begin) {
  std::size_t out = begin;
  bool after_space = true;
  for (std::size_t in = begin; in < text.size(); ++in) {
    const bool space = text[in] == ' ';
    if (!space || !after_space) text[out++] = text[in];
    after_space = space;
  }
  if (out > begin && text[out - 1] == ' ') --out;
  text.resize(out == begin ? 0 : out);
}

}  // namespace

std::string_view with_plain_spaces(const TokenizerSpec& spec, std::string_view text, bool prefix, std::string& buffer) {
  if (spec.prefix_unless_space && (text.starts_with(' ') || text.starts_with(kSpaceSymbol))) prefix = false;
  const bool has_symbol = text.find(kSpaceSymbol) != std::string_view::npos;
  if (!prefix && !has_symbol && !spec.remove_extra_whitespaces) return text;
  buffer.clear();
  if (prefix) buffer += ' ';
  if (has_symbol) {
    buffer += replace_all(text, kSpaceSymbol, " ");
  } else {
    buffer += text;
  }
  if (spec.remove_extra_whitespaces) collapse_spaces(buffer, prefix ? 1 : 0);
  return buffer;
}

bool splits_at_spaces(const TokenizerSpec& spec) {
  return std::ranges::none_of(spec.tokens, [](const TokenEntry& token) {
    return token.type == TokenType::kNormal && has_space_inside(token.text);
  });
}

std::size_t spaced_word_end(std::string_view text, bool every_space) {
  const std::size_t word = every_space ? 1 : text.find_first_not_of(' ');
  return std::min(text.find(' ', std::min(word, text.size())), text.size());
}

std::string sentencepiece_bytes(const TokenEntry& token) {
  if (token.type == TokenType::kByte) return std::string(1, static_cast<char>(byte_token_value(token.text)));
  return replace_all(token.text, kSpaceSymbol, " ");
}

ByteTokens::ByteTokens(const TokenizerSpec& spec) {
  ids_.fill(kNoToken);
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    const TokenEntry& token = spec.tokens[id];
    if (token.type != TokenType::kByte) continue;
    const int value = byte_token_value(token.text);
    if (value < 0)
      fail(ErrorCode::kInvalidInput, "{}: byte token {} is not of the form <0x4F>", spec.source, id);
    ids_[static_cast<std::size_t>(value)] = static_cast<TokenId>(id);
  }
}

bool ByteTokens::complete() const { return std::ranges::find(ids_, kNoToken) == ids_.end(); }

void fuse_unknown(TokenId unknown, std::size_t begin, std::vector<TokenId>& ids) {
  if (unknown == kNoToken) return;
  const auto first = ids.begin() + static_cast<std::ptrdiff_t>(begin);
  ids.erase(std::unique(first, ids.end(), [&](TokenId a, TokenId b) { return a == b && a == unknown; }), ids.end());
}

}  // namespace minnow
