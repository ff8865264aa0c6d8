// Holds an answer to a constraint, from its first token on or from a mark in it on; and its calls of tools to theirs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/mark_scanner.h"
#include "text/grammar/token_constraint.h"
#include "text/tokenizer.h"

namespace minnow {

// Where one answer stands. Its functions throw as those of ConstraintState.
class AnswerGate {
 public:
  // White space between the mark and what is held: at most so many bytes.
  static constexpr std::size_t kMaxSpaceBytes = 8;

  // The request has a constraint or calls that are held. The tokenizer has to outlive the gate.
  AnswerGate(const GenerateRequest& request, const Tokenizer& tokenizer);

  // Nothing is held here: any token may come, but those that end the answer only where it may_end(); mask() is not for this.
  bool is_free() const { return state_ == State::kFree || may_end(); }
  bool may_end() const { return state_ == State::kText || state_ == State::kPerhaps; }
  // As ConstraintState::mask.
  bool mask(std::span<uint32_t> bits) const;
  // False when the token is not allowed, or would end a mark in a way that nothing may follow; nothing has changed then.
  bool accept(TokenId token);
  // The text is whole and nothing can follow.
  bool is_finished() const;
  // Of the token accepted last: bytes at its end that belong neither to the mark nor to what is held.
  std::size_t dropped() const { return dropped_; }

 private:
  enum class State : uint8_t {
    kFirst,    // the first token decides between kFree and kHeld
    kFree,     // looks for the mark
    kBetween,  // white space, or the first token that is held
    kHeld,
    kText,     // free; looks for the marks of calls
    kPerhaps,  // behind a mark that may be text as well: the next byte that is no white space decides
    kCall,
  };
  template <typename Read>
  bool accept_held(const Read& read);
  bool may_be_space(TokenId token) const;
  bool accept_free(std::string_view piece);
  bool accept_text(MarkScanner scanner, std::string_view piece);
  bool accept_behind(std::size_t opening, MarkScanner scanner, std::string_view rest);
  bool begin_call(std::size_t opening, MarkScanner scanner, std::string_view rest);
  bool accept_call(TokenId token);
  void end_call_if_whole();

  const Tokenizer& tokenizer_;
  std::vector<ConstraintState> held_;  // the text fits one of them
  const TokenId opening_;
  const std::shared_ptr<const HeldCalls> calls_;
  std::optional<ConstraintState> call_;
  std::size_t perhaps_ = 0;  // kPerhaps: of which opening
  MarkScanner scanner_;
  State state_ = State::kHeld;
  std::size_t n_space_ = 0, dropped_ = 0;
};

}  // namespace minnow
