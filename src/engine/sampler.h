// From logits to the next token: one chain of well-known steps.
#pragma once

#include <span>
#include <vector>

#include "base/random.h"
#include "engine/candidates.h"
#include "engine/dry_penalty.h"
#include "engine/infill_step.h"
#include "engine/mirostat.h"
#include "engine/sampling_params.h"
#include "engine/token_penalties.h"

namespace minnow {

class Tokenizer;

// The sampler of one sequence. Not thread-safe. The same seed, parameters and logits give the same tokens.
//
// The steps, in order (llama.cpp's default order):
//   0. tokens that a constraint forbids are out
//   1. logit bias
//   2. repetition, presence and frequency penalty over the last penalty_last_n tokens
//   3. DRY
//   4. temperature 0: the largest logit is the token, the first of equals (with infill: of what step 5 leaves)
//   5. top-k, typical, top-p, min-p, XTC, infill, each over what the one before left and with its probabilities
//   renormalized;
//      mirostat takes the place of all six, after the temperature
//   6. temperature
//   7. the draw
// Every call takes one random number for the draw, and one more before it when XTC is on.
class Sampler {
 public:
  // The tokenizer (may be null when DRY is off) gives the texts in which sequence breakers are looked for; it
  // has to outlive the sampler. The parameters have to be valid (SamplingParams::validate). `ends`: the tokens that end an
  // answer, for infill.
  Sampler(SamplingParams params, const Tokenizer* tokenizer, std::vector<TokenId> ends = {});
  // The same, given only what is needed of a tokenizer.
  Sampler(SamplingParams params, DryPenalty::PieceOf piece_of, std::vector<TokenId> ends = {});

  // Tells the sampler of a token that is now part of the sequence, prompt tokens included, in order.
  void accept(TokenId token);

  // Picks a token; does not accept it. `logits` has one value per vocabulary entry and is not changed. NaN
  // counts as -infinity; when nothing is left (all -infinity) the first token of the largest raw logit is
  // taken.
  TokenId sample(std::span<const float> logits);
  // The same, of the tokens whose bit in `allowed` is set (bit i % 32 of word i / 32) and of no others, whatever the logits
  // and the steps say: when nothing is left, the first allowed one of the largest raw logit is taken, and if none has any
  // the first allowed one. At least one bit has to be set.
  TokenId sample(std::span<const float> logits, std::span<const uint32_t> allowed);

  // Gives back the memory between draws, some copies of the logits: for a sequence that waits. Draws stay the same.
  void rest();

  const SamplingParams& params() const { return params_; }

 private:
  void keep_allowed(std::span<const float> logits);
  std::span<const float> adjusted(std::span<const float> logits);
  double fill(std::span<const float> logits, float largest);
  void truncate(std::span<const float> logits, float largest);

  SamplingParams params_;
  Random random_;
  TokenPenalties penalties_;
  DryPenalty dry_;
  Mirostat mirostat_;
  InfillStep infill_;
  Candidates candidates_;
  std::vector<float> adjusted_, masked_;
};

}  // namespace minnow
