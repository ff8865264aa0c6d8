#include "engine/answer_gate.h"

#include <algorithm>

#include "base/error.h"

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
      opening_(request.constraint_waits_for),
      mark_(request.constraint_after),
      calls_(request.calls) {
  if (request.constraint) constraint_.emplace(request.constraint);
  if (calls_) {
    spaces_ = space_tokens(tokenizer);
    state_ = constraint_ ? State::kFirst : State::kText;
    aside_until_ = calls_->aside_until;
    if (!constraint_ && calls_->is_open) begin_call(0);
  }
  if (calls_ && constraint_) {
    const EncodeOptions as_mark{.add_special = false, .parse_special = true, .continues = true};
    opens_ = tokenizer.encode(calls_->opens, as_mark);
    if (!calls_->closes.empty()) closes_ = tokenizer.encode(calls_->closes, as_mark);
    if (opens_.empty()) fail(ErrorCode::kInternal, "the mark of a call has no tokens");
    for (TokenId token = 0; token < tokenizer.n_vocab(); ++token) {
      if (tokenizer.is_end_of_generation(token)) ends_.push_back(token);
    }
  }
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
  bool any = false;
  if (state_ == State::kCall) any = call_->mask(bits);
  else if (state_ == State::kSpelling || state_ == State::kCalled) std::fill(bits.begin(), bits.end(), 0u);
  else any = constraint_->mask(bits);
  const auto allow = [&](TokenId token) {
    const auto i = static_cast<std::size_t>(token);
    if (i >= bits.size() * 32) return;
    bits[i / 32] |= 1u << (i % 32);
    any = true;
  };
  if (state_ == State::kFirst) allow(opening_);
  if (is_choice() || (state_ == State::kCalled && may_open_another())) allow(opens_.front());
  if (state_ == State::kSpelling) allow(spelled()[n_spelled_]);
  if (state_ == State::kCalled) {
    if (!is_closed_ && !closes_.empty()) allow(closes_.front());
    for (const TokenId token : ends_) allow(token);
  }
  if (state_ == State::kBetween || state_ == State::kCalled || (state_ == State::kCall && !call_has_begun_)) {
    for (const TokenId token : spaces_) {
      if (may_be_space(token)) allow(token);
    }
  }
  return any;
}

bool AnswerGate::may_be_space(TokenId token) const {
  const std::string piece = tokenizer_.piece(token);
  return is_white_space(piece) && n_space_ + piece.size() <= kMaxSpaceBytes;
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
  if (state_ == State::kText) return accept_text(tokenizer_.piece(token, /*show_special=*/true));
  if (state_ == State::kCall) return accept_call(token);
  if (state_ == State::kCalled) return accept_called(token);
  if (state_ == State::kSpelling) {
    if (token != spelled()[n_spelled_]) return false;
    if (++n_spelled_ < spelled().size()) return true;
    state_ = after_spelling_;
    return true;
  }
  if (is_choice() && token == opens_.front()) {
    begin_call(0);
    spell(State::kCall);
    return true;
  }
  if (constraint_->accept(token)) {
    state_ = State::kHeld;
    dropped_ = 0;
    return true;
  }
  if (state_ != State::kBetween || !may_be_space(token)) return false;
  dropped_ = tokenizer_.piece(token).size();
  n_space_ += dropped_;
  return true;
}

bool AnswerGate::accept_text(std::string_view piece) {
  std::string tail = tail_, aside_until = aside_until_;
  for (std::size_t i = 0; i < piece.size(); ++i) {
    tail += piece[i];
    if (!aside_until.empty()) {
      if (!tail.ends_with(aside_until)) continue;
      aside_until.clear();
      tail.clear();
      continue;
    }
    if (tail.ends_with(calls_->opens)) {
      const std::string_view rest = piece.substr(i + 1);
      if (!rest.empty() && !is_white_space(rest)) return false;
      begin_call(rest.size());
      return true;
    }
    for (const auto& [opens, closes] : calls_->asides) {
      if (opens.empty() || !tail.ends_with(opens)) continue;
      aside_until = closes;
      tail.clear();
      break;
    }
  }
  std::size_t longest = std::max(calls_->opens.size(), aside_until.size());
  for (const auto& [opens, closes] : calls_->asides) longest = std::max(longest, opens.size());
  tail.erase(0, tail.size() - std::min(tail.size(), longest));
  tail_ = std::move(tail);
  aside_until_ = std::move(aside_until);
  return true;
}

void AnswerGate::begin_call(std::size_t n_space) {
  state_ = State::kCall;
  call_.emplace(calls_->call);
  call_has_begun_ = false;
  n_space_ = n_space;
  dropped_ = 0;
  tail_.clear();
  aside_until_.clear();
}

// The first token of the mark has come.
void AnswerGate::spell(State then) {
  n_spelled_ = 1;
  after_spelling_ = then;
  state_ = spelled().size() > 1 ? State::kSpelling : then;
}

bool AnswerGate::accept_call(TokenId token) {
  if (!call_->accept(token)) {
    if (call_has_begun_ || !may_be_space(token)) return false;
    n_space_ += tokenizer_.piece(token).size();
    return true;
  }
  call_has_begun_ = true;
  if (!call_->is_finished()) return true;
  state_ = constraint_ ? State::kCalled : State::kText;
  is_closed_ = false;
  n_space_ = 0;
  return true;
}

bool AnswerGate::accept_called(TokenId token) {
  if (token == opens_.front() && may_open_another()) {
    begin_call(0);
    spell(State::kCall);
    return true;
  }
  if (!is_closed_ && !closes_.empty() && token == closes_.front()) {
    is_closed_ = true;
    n_space_ = 0;
    spell(State::kCalled);
    return true;
  }
  if (tokenizer_.is_end_of_generation(token)) return true;
  if (!may_be_space(token)) return false;
  n_space_ += tokenizer_.piece(token).size();
  return true;
}

}  // namespace minnow
