// Holds an answer to a constraint, from its first token on or from a mark in it on; and its calls of tools to theirs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "text/grammar/token_constraint.h"
#include "text/tokenizer.h"

namespace minnow {

// Where one answer stands. Its functions throw as those of ConstraintState.
class AnswerGate {
 public:
  // White space between the mark and what is held: at most so many bytes.
  static constexpr std::size_t kMaxSpaceBytes = 8;

  // The request has a constraint, calls that are held, or both. The tokenizer has to outlive the gate.
  AnswerGate(const GenerateRequest& request, const Tokenizer& tokenizer);

  // Nothing is held here: any token may come, but those that end the answer only where it may_end(); mask() is not for this.
  bool is_free() const { return state_ == State::kFree || state_ == State::kText; }
  bool may_end() const { return state_ == State::kText; }
  // As ConstraintState::mask.
  bool mask(std::span<uint32_t> bits) const;
  // False when the token is not allowed, or would end the mark in the middle of other text; nothing has changed then.
  bool accept(TokenId token);
  // The text is whole and nothing can follow.
  bool is_finished() const { return state_ == State::kHeld && constraint_->is_finished(); }
  // Of the token accepted last: bytes at its end that belong neither to the mark nor to what is held.
  std::size_t dropped() const { return dropped_; }

 private:
  enum class State : uint8_t {
    kFirst,    // the first token decides between kFree and kHeld
    kFree,     // looks for the mark
    kBetween,  // white space, or the first token that is held
    kHeld,
    kText,      // free; looks for the marks of calls
    kSpelling,  // a mark of a call, token by token
    kCall,      // white space, or a call
    kCalled,    // behind calls that came in place of the held text: another, or the end
  };
  bool is_choice() const { return constraint_ && calls_ && (state_ == State::kFirst || state_ == State::kBetween); }
  bool may_be_space(TokenId token) const;
  bool accept_free(std::string_view piece);
  bool accept_text(std::string_view piece);
  bool accept_call(TokenId token);
  bool accept_called(TokenId token);
  void spell(State then);
  const std::vector<TokenId>& spelled() const { return after_spelling_ == State::kCall ? opens_ : closes_; }
  bool may_open_another() const { return is_closed_ || closes_.empty() || closes_.front() != opens_.front(); }
  void begin_call(std::size_t n_space);

  const Tokenizer& tokenizer_;
  std::optional<ConstraintState> constraint_;
  const TokenId opening_;
  const std::string mark_;
  std::vector<std::size_t> fallback_;  // [n]: length of the longest proper suffix of the mark's first n + 1 bytes that begins it
  std::vector<TokenId> spaces_;
  State state_ = State::kHeld;
  std::size_t matched_ = 0;  // bytes of the mark that the text ends with
  std::size_t n_space_ = 0, dropped_ = 0;

  const std::optional<HeldCalls> calls_;
  std::optional<ConstraintState> call_;
  bool call_has_begun_ = false;
  std::string tail_, aside_until_;        // kText: what may be the beginning of a mark; the mark that ends an aside
  std::vector<TokenId> opens_, closes_, ends_;  // with a constraint: the marks of calls, and tokens that end an answer
  std::size_t n_spelled_ = 0;
  State after_spelling_ = State::kCall;
  bool is_closed_ = false;  // kCalled: the closing mark has come
};

}  // namespace minnow
