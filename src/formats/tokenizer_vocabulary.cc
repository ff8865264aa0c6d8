#include "formats/tokenizer_vocabulary.h"

#include <algorithm>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {
namespace {

// Vocabularies are padded to round sizes and may keep special tokens at far ids; beyond this it is an attack.
constexpr int64_t kMaxHoles = 262'144;
constexpr int64_t kMaxHolesPerToken = 8;

bool is_special_type(TokenType type) {
  return type == TokenType::kControl || type == TokenType::kUserDefined;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

const char* tokenizer_kind_name(TokenizerKind kind) {
  switch (kind) {
    case TokenizerKind::kSpmBpe:
      return "SentencePiece BPE";
    case TokenizerKind::kByteBpe:
      return "byte-level BPE";
    case TokenizerKind::kUnigram:
      return "unigram";
    case TokenizerKind::kWordPiece:
      break;
  }
  return "WordPiece";
}

void grow_vocabulary(TokenizerSpec& spec, int64_t n_ids, std::size_t n_named) {
  const auto named = static_cast<int64_t>(n_named);
  if (n_ids > static_cast<int64_t>(limits::kMaxVocab) || n_ids > kMaxHoles + kMaxHolesPerToken * named) {
    fail(ErrorCode::kInvalidInput, "{}: token id {} is out of proportion to the {} tokens of the vocabulary",
         spec.source, n_ids - 1, named);
  }
  const auto old_size = static_cast<int64_t>(spec.tokens.size());
  if (n_ids <= old_size) return;
  spec.tokens.resize(static_cast<std::size_t>(n_ids));
  for (int64_t id = old_size; id < n_ids; ++id) {
    spec.tokens[static_cast<std::size_t>(id)] = {.text = unused_token_text(static_cast<TokenId>(id)),
                                                 .type = TokenType::kUnused};
  }
}

void add_tokens(TokenizerSpec& spec, const std::vector<AddedToken>& added) {
  const auto named = static_cast<std::size_t>(
      std::ranges::count_if(spec.tokens, [](const TokenEntry& t) { return t.type != TokenType::kUnused; }));
  for (const AddedToken& token : added) {
    if (token.id < 0) fail(ErrorCode::kInvalidInput, "{}: added token with id {}", spec.source, token.id);
    grow_vocabulary(spec, token.id + 1, named + added.size());
    TokenEntry& entry = spec.tokens[static_cast<std::size_t>(token.id)];
    const std::string normal_form = replace_all(token.text, " ", kSpaceSymbol);
    if (entry.type != TokenType::kUnused && entry.text != token.text && entry.text != normal_form) {
      fail(ErrorCode::kInvalidInput, "{}: added token with id {}, which already stands for another token",
           spec.source, token.id);
    }
    entry.lstrip = token.lstrip;
    entry.rstrip = token.rstrip;
    entry.single_word = token.single_word;
    entry.normalized = token.normalized;
    if (entry.type == TokenType::kByte || entry.type == TokenType::kUnknown) continue;
    entry.text = token.text;
    const bool control = token.special || looks_like_control_token(token.text);
    entry.type = control ? TokenType::kControl : TokenType::kUserDefined;
  }
}

std::string unused_token_text(TokenId id) { return fmt::format("[PAD{}]", id); }

TokenId find_token(const TokenizerSpec& spec, std::string_view text) {
  TokenId found = kNoToken;
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    if (spec.tokens[id].text != text) continue;
    if (is_special_type(spec.tokens[id].type)) return static_cast<TokenId>(id);
    if (found == kNoToken) found = static_cast<TokenId>(id);
  }
  return found;
}

bool looks_like_control_token(std::string_view text) {
  return (text.starts_with("<|") && text.ends_with("|>") && text.size() > 4) ||
         (text.starts_with("<｜") && text.ends_with("｜>")) || text == "<start_of_turn>" ||
         text == "<end_of_turn>";
}

int byte_token_value(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  const int high = hex_digit(text[3]), low = hex_digit(text[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (std::size_t at = text.find(from); at != std::string_view::npos; at = text.find(from)) {
    out.append(text.substr(0, at)).append(to);
    text.remove_prefix(at + from.size());
  }
  return out.append(text);
}

}  // namespace minnow
