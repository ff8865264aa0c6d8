#include "base/utf8.h"
#include "text/tokenizer.h"

namespace minnow {

namespace {

bool is_wordpiece(const TokenizerSpec& spec) {
  return spec.kind == TokenizerKind::kWordPiece || spec.decode_as_wordpiece;
}

// Whether the first piece of a text has a space that the text has not.
bool has_extra_space(const TokenizerSpec& spec) {
  if (is_wordpiece(spec)) return true;
  return spec.kind != TokenizerKind::kByteBpe && spec.add_space_prefix;
}

}  // namespace

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool at_text_start, bool show_special)
    : tokenizer_(tokenizer), show_special_(show_special) {
  at_start_ = at_text_start && has_extra_space(tokenizer.spec());
}

std::string StreamDecoder::push(TokenId id) {
  std::string piece = tokenizer_.piece(id, show_special_);
  if (at_start_) drop_first_space(id, piece);
  if (is_wordpiece(tokenizer_.spec()) && tokenizer_.spec().decode_cleanup) clean_up(piece);
  if (held_.empty()) {
    held_ = std::move(piece);
  } else {
    held_ += piece;
  }
  const std::size_t whole = held_.size() - incomplete_utf8_tail(held_);
  std::string text = to_valid_utf8(std::string_view(held_).substr(0, whole));
  held_.erase(0, whole);
  return text;
}

void StreamDecoder::drop_first_space(TokenId id, std::string& piece) {
  if (!tokenizer_.is_valid(id) || piece.empty()) return;
  const TokenizerSpec& spec = tokenizer_.spec();
  const TokenType type = spec.tokens[static_cast<std::size_t>(id)].type;
  if (!is_wordpiece(spec) && type == TokenType::kControl) return;
  // SentencePiece puts a space before the first text, but none before a user-defined token.
  if ((is_wordpiece(spec) || type == TokenType::kNormal) && piece.starts_with(' ')) piece.erase(0, 1);
  at_start_ = false;
}

// "l ' eau" becomes "l'eau": a single quote waits for what follows.
void StreamDecoder::clean_up(std::string& piece) {
  if (piece.empty()) return;
  if (quote_waits_ && piece.starts_with(' ')) {
    piece.front() = '\'';
  } else if (quote_waits_) {
    piece.insert(0, " '");
  }
  quote_waits_ = piece.ends_with(" '") && piece.size() <= 3;
  if (quote_waits_) piece.resize(piece.size() - 2);
}

std::string StreamDecoder::finish() {
  if (quote_waits_) held_ += " '";
  quote_waits_ = false;
  std::string text = to_valid_utf8(held_);
  held_.clear();
  return text;
}

}  // namespace minnow
