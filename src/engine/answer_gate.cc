#include "engine/answer_gate.h"

namespace minnow {
namespace {

bool is_white_space(std::string_view text) { return !text.empty() && text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

// Tokens that are nothing but white space: those that models put behind a mark.
std::vector<TokenId> space_tokens(const Tokenizer& tokenizer) {
  std::vector<TokenId> found;
  for (const std::string_view text : {"\n", "\n\n", " ", "\r\n"}) {
    const auto ids = tokenizer.encode(text, {.add_special = false, .continues = true});
    if (ids.size() == 1 && is_white_space(tokenizer.piece(ids[0]))) found.push_back(ids[0]);
  }
  return found;
}

}  // namespace

AnswerGate::AnswerGate(const GenerateRequest& request, const Tokenizer& tokenizer)
    : tokenizer_(tokenizer),
      constraint_(request.constraint),
      opening_(request.constraint_waits_for),
      mark_(request.constraint_after) {
  if (mark_.empty()) return;
  state_ = opening_ == kNoToken ? State::kFree : State::kFirst;
  spaces_ = space_tokens(tokenizer);
  fallback_.assign(1, 0);
  for (std::size_t i = 1; i < mark_.size(); ++i) {  // Knuth, Morris, Pratt 1977
    std::size_t n = fallback_.back();
    while (n > 0 && mark_[n] != mark_[i]) n = fallback_[n - 1];
    fallback_.push_back(mark_[n] == mark_[i] ? n + 1 : 0);
  }
}

bool AnswerGate::mask(std::span<uint32_t> bits) const {
  bool any = constraint_.mask(bits);
  const auto allow = [&](TokenId token) {
    const auto i = static_cast<std::size_t>(token);
    if (i >= bits.size() * 32) return;
    bits[i / 32] |= 1u << (i % 32);
    any = true;
  };
  if (state_ == State::kFirst) allow(opening_);
  if (state_ == State::kBetween) {
    for (const TokenId token : spaces_) {
      if (n_space_ + tokenizer_.piece(token).size() <= kMaxSpaceBytes) allow(token);
    }
  }
  return any;
}

bool AnswerGate::accept_free(std::string_view piece) {
  std::size_t matched = matched_;
  for (std::size_t i = 0; i < piece.size(); ++i) {
    while (matched > 0 && mark_[matched] != piece[i]) matched = fallback_[matched - 1];
    if (mark_[matched] == piece[i]) ++matched;
    if (matched < mark_.size()) continue;
    const std::string_view rest = piece.substr(i + 1);
    if (!rest.empty() && !is_white_space(rest)) return false;
    state_ = State::kBetween;
    dropped_ = n_space_ = rest.size();
    return true;
  }
  matched_ = matched;
  dropped_ = 0;
  return true;
}

bool AnswerGate::accept(TokenId token) {
  if (state_ == State::kFirst && token == opening_) {
    state_ = State::kFree;
    if (accept_free(tokenizer_.piece(token, /*show_special=*/true))) return true;
    state_ = State::kFirst;
    return false;
  }
  if (state_ == State::kFree) return accept_free(tokenizer_.piece(token, /*show_special=*/true));
  if (constraint_.accept(token)) {
    state_ = State::kHeld;
    dropped_ = 0;
    return true;
  }
  if (state_ != State::kBetween) return false;
  const std::string piece = tokenizer_.piece(token);
  if (!is_white_space(piece) || n_space_ + piece.size() > kMaxSpaceBytes) return false;
  n_space_ += piece.size();
  dropped_ = piece.size();
  return true;
}

}  // namespace minnow
