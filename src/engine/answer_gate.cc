#include "engine/answer_gate.h"

#include <algorithm>

#include "base/error.h"

namespace minnow {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

bool is_white_space(std::string_view text) { return !text.empty() && text.find_first_not_of(kSpace) == std::string_view::npos; }

// In an answer that is held there is one mark, behind which it is.
MarkScanner scanner_for(const GenerateRequest& request) {
  MarkScanner::Marks marks;
  if (request.constraint) {
    marks.openings = {request.constraint_after};
    return MarkScanner(std::make_shared<const MarkScanner::Marks>(std::move(marks)));
  }
  if (!request.calls) fail(ErrorCode::kInternal, "a gate for an answer of which nothing is held");
  for (const HeldCalls::Opening& opening : request.calls->openings) marks.openings.push_back(opening.mark);
  marks.asides = request.calls->asides;
  marks.words = request.calls->words;
  return MarkScanner(std::make_shared<const MarkScanner::Marks>(std::move(marks)), request.calls->in_aside);
}

}  // namespace

AnswerGate::AnswerGate(const GenerateRequest& request, const Tokenizer& tokenizer)
    : tokenizer_(tokenizer),
      opening_(request.constraint_waits_for),
      calls_(request.constraint ? nullptr : request.calls),
      scanner_(scanner_for(request)) {
  if (request.constraint) {
    held_.emplace_back(request.constraint);
    if (request.constraint_or) held_.emplace_back(request.constraint_or);
    if (!request.constraint_after.empty()) state_ = opening_ == kNoToken ? State::kFree : State::kFirst;
    return;
  }
  state_ = State::kText;
  if (calls_->open) accept_behind(*calls_->open, scanner_, {});
}

bool AnswerGate::mask(std::span<uint32_t> bits) const {
  if (state_ == State::kCall) return call_->mask(bits);
  bool any = held_.at(0).mask(bits);
  if (held_.size() > 1) {
    std::vector<uint32_t> more(bits.size());
    for (std::size_t k = 1; k < held_.size(); ++k) {
      any |= held_[k].mask(more);
      for (std::size_t i = 0; i < bits.size(); ++i) bits[i] |= more[i];
    }
  }
  const auto allow = [&](TokenId token) {
    const auto i = static_cast<std::size_t>(token);
    if (i >= bits.size() * 32) return;
    bits[i / 32] |= 1u << (i % 32);
    any = true;
  };
  if (state_ == State::kFirst) allow(opening_);
  if (state_ == State::kBetween) {
    for (const TokenId token : tokenizer_.space_tokens()) {
      if (may_be_space(token)) allow(token);
    }
  }
  return any;
}

bool AnswerGate::is_finished() const {
  return state_ == State::kHeld && std::all_of(held_.begin(), held_.end(), [](const ConstraintState& held) { return held.is_finished(); });
}

bool AnswerGate::may_be_space(TokenId token) const {
  const std::string piece = tokenizer_.piece(token);
  return is_white_space(piece) && n_space_ + piece.size() <= kMaxSpaceBytes;
}

// Goes on with those that can read it; one that cannot stays as it was.
template <typename Read>
bool AnswerGate::accept_held(const Read& read) {
  std::vector<ConstraintState> left;
  for (ConstraintState& held : held_) {
    if (read(held)) left.push_back(std::move(held));
  }
  if (left.empty()) return false;
  held_ = std::move(left);
  state_ = State::kHeld;
  dropped_ = 0;
  return true;
}

bool AnswerGate::accept(TokenId token) {
  switch (state_) {
    case State::kFirst:
      if (token == opening_) return accept_free(tokenizer_.piece(token, /*show_special=*/true));
      break;
    case State::kFree: return accept_free(tokenizer_.piece(token, /*show_special=*/true));
    case State::kText: return accept_text(scanner_, tokenizer_.piece(token, /*show_special=*/true));
    case State::kPerhaps: return accept_behind(perhaps_, scanner_, tokenizer_.piece(token, /*show_special=*/true));
    case State::kCall: return accept_call(token);
    case State::kBetween:
    case State::kHeld: break;
  }
  if (accept_held([&](ConstraintState& held) { return held.accept(token); })) return true;
  if (state_ != State::kBetween || !may_be_space(token)) return false;
  dropped_ = tokenizer_.piece(token).size();
  n_space_ += dropped_;
  return true;
}

// Behind the mark there may be white space, or the first of what is held.
bool AnswerGate::accept_free(std::string_view piece) {
  MarkScanner scanner = scanner_;
  for (std::size_t i = 0; i < piece.size(); ++i) {
    if (!scanner.push(piece[i])) continue;
    const std::string_view rest = piece.substr(i + 1);
    if (accept_held([&](ConstraintState& held) { return held.accept_text(rest); })) return true;
    if (!rest.empty() && !is_white_space(rest)) return false;
    state_ = State::kBetween;
    dropped_ = n_space_ = rest.size();
    return true;
  }
  scanner_ = std::move(scanner);
  state_ = State::kFree;
  dropped_ = 0;
  return true;
}

bool AnswerGate::accept_text(MarkScanner scanner, std::string_view piece) {
  const auto begins_bare = [&](char c) {
    const auto& openings = calls_->openings;
    const auto bare = std::find_if(openings.begin(), openings.end(), [&](const HeldCalls::Opening& opening) {
      return opening.mark.empty() && opening.begins.find(c) != std::string::npos;
    });
    return bare == openings.end() ? std::optional<std::size_t>() : static_cast<std::size_t>(bare - openings.begin());
  };
  for (std::size_t i = 0; i < piece.size(); ++i) {
    if (scanner.is_at_beginning()) {
      if (const auto bare = begins_bare(piece[i])) return begin_call(*bare, std::move(scanner), piece.substr(i));
    }
    if (const auto found = scanner.push(piece[i])) return accept_behind(*found, std::move(scanner), piece.substr(i + 1));
  }
  scanner_ = std::move(scanner);
  state_ = State::kText;
  return true;
}

bool AnswerGate::accept_behind(std::size_t opening, MarkScanner scanner, std::string_view rest) {
  const std::string& begins = calls_->openings[opening].begins;
  if (begins.empty()) return begin_call(opening, std::move(scanner), rest);
  const std::size_t at = rest.find_first_not_of(kSpace);
  if (at == std::string_view::npos) {
    perhaps_ = opening;
    scanner_ = std::move(scanner);
    state_ = State::kPerhaps;
    return true;
  }
  if (begins.find(rest[at]) != std::string::npos) return begin_call(opening, std::move(scanner), rest.substr(at));
  scanner.add_text();
  return accept_text(std::move(scanner), rest);
}

bool AnswerGate::begin_call(std::size_t opening, MarkScanner scanner, std::string_view rest) {
  ConstraintState call(calls_->openings[opening].call);
  if (!rest.empty() && !call.accept_text(rest)) return false;
  call_ = std::move(call);
  scanner.add_call();
  scanner_ = std::move(scanner);
  state_ = State::kCall;
  end_call_if_whole();
  return true;
}

bool AnswerGate::accept_call(TokenId token) {
  if (!call_->accept(token)) return false;
  end_call_if_whole();
  return true;
}

void AnswerGate::end_call_if_whole() {
  if (!call_->is_finished()) return;
  call_.reset();
  state_ = State::kText;
}

}  // namespace minnow
