// Mirostat: truncation steered so that the mean surprise of the drawn tokens approaches a target.
// Basu, Ramachandran, Keskar, Varshney: "Mirostat: a neural text decoding algorithm that directly controls
// perplexity", ICLR 2021 (version 1); version 2 is from the authors' code.
#pragma once

#include <span>

#include "engine/candidates.h"
#include "engine/sampling_params.h"

namespace minnow {

class Mirostat {
 public:
  explicit Mirostat(const SamplingParams& params);

  // Draws from softmax(logits / temperature), truncated. The surprise that steers is that under the whole
  // distribution, as in the paper. temperature > 0; at least one logit above -infinity.
  TokenId draw(std::span<const float> logits, float temperature, Candidates& candidates, Random& random);

  // Surprise that a token may have at most, in bits.
  double max_surprise() const { return max_surprise_; }

 private:
  // Version 1: fits Zipf's law to the best tokens and keeps as many as the target asks for.
  static double zipf_exponent(std::span<const Candidate> best, float temperature);
  std::size_t kept_tokens(double exponent, std::size_t n_vocab) const;

  int version_;
  double target_;  // bits
  double rate_;
  double max_surprise_;
};

}  // namespace minnow
