// How likely tokens were, by the model alone.
#pragma once

#include <span>

#include "engine/candidates.h"
#include "engine/engine.h"

namespace minnow {

class Tokenizer;

// Works out the log probabilities of one sequence's tokens; its buffers are reused.
class TokenLogprobs {
 public:
  // The tokenizer may be null: then there are no bytes. It has to outlive this.
  explicit TokenLogprobs(const Tokenizer* tokenizer) : tokenizer_(tokenizer) {}

  // `logits` has one value for each entry of the vocabulary, `token` is one of them. NaN counts as -infinity.
  TokenLogprob of(std::span<const float> logits, TokenId token, int n_top);
  void rest() { candidates_ = Candidates(); }  // gives the buffers back

 private:
  std::string bytes(TokenId token) const;

  const Tokenizer* tokenizer_;
  Candidates candidates_;
};

}  // namespace minnow
