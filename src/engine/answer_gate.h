// Holds an answer to a constraint: from its first token on, or from a mark in it on.
#pragma once

#include <cstddef>
#include <cstdint>
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

  // The request has a constraint. The tokenizer has to outlive the gate.
  AnswerGate(const GenerateRequest& request, const Tokenizer& tokenizer);

  // Before the mark: any token may come but those that end the answer; mask() is not for this.
  bool is_free() const { return state_ == State::kFree; }
  // As ConstraintState::mask.
  bool mask(std::span<uint32_t> bits) const;
  // False when the token is not allowed, or would end the mark in the middle of other text; nothing has changed then.
  bool accept(TokenId token);
  // The text is whole and nothing can follow.
  bool is_finished() const { return state_ == State::kHeld && constraint_.is_finished(); }
  // Of the token accepted last: bytes at its end that belong neither to the mark nor to what is held.
  std::size_t dropped() const { return dropped_; }

 private:
  enum class State : uint8_t {
    kFirst,    // the first token decides between kFree and kHeld
    kFree,     // looks for the mark
    kBetween,  // white space, or the first token that is held
    kHeld,
  };
  bool accept_free(std::string_view piece);

  const Tokenizer& tokenizer_;
  ConstraintState constraint_;
  const TokenId opening_;
  const std::string mark_;
  std::vector<std::size_t> fallback_;  // [n]: length of the longest proper suffix of the mark's first n + 1 bytes that begins it
  std::vector<TokenId> spaces_;
  State state_ = State::kHeld;
  std::size_t matched_ = 0;  // bytes of the mark that the text ends with
  std::size_t n_space_ = 0, dropped_ = 0;
};

}  // namespace minnow
