// Repetition, presence and frequency penalties over the last tokens of a sequence.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>

#include "engine/sampling_params.h"

namespace minnow {

class TokenPenalties {
 public:
  explicit TokenPenalties(const SamplingParams& params);

  bool active() const { return active_; }
  void accept(TokenId token);
  // Tokens outside of `logits` are passed over. Costs one step per distinct token in the window.
  void apply(std::span<float> logits) const;

 private:
  float repetition_, presence_, frequency_;
  int last_n_;
  bool active_;
  std::deque<TokenId> window_;  // unused when the window is everything
  std::unordered_map<TokenId, int32_t> counts_;
};

}  // namespace minnow
