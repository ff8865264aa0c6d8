#include "base/utf8.h"
#include "text/tokenizer.h"

namespace minnow {

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool at_text_start, bool show_special)
    : tokenizer_(tokenizer), show_special_(show_special) {
  const TokenizerSpec& spec = tokenizer.spec();
  at_start_ = at_text_start && spec.kind == TokenizerKind::kSpmBpe && spec.add_space_prefix;
}

std::string StreamDecoder::push(TokenId id) {
  std::string piece = tokenizer_.piece(id, show_special_);
  if (at_start_ && tokenizer_.is_valid(id) && !tokenizer_.is_control(id)) {
    // encode() put a space before the first text, but none before a user-defined token.
    const TokenType type = tokenizer_.spec().tokens[static_cast<std::size_t>(id)].type;
    if (type == TokenType::kNormal && piece.starts_with(' ')) piece.erase(0, 1);
    at_start_ = false;
  }
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

std::string StreamDecoder::finish() {
  std::string text = to_valid_utf8(held_);
  held_.clear();
  return text;
}

}  // namespace minnow
