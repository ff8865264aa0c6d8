#include "engine/token_penalties.h"

namespace minnow {

TokenPenalties::TokenPenalties(const SamplingParams& params)
    : repetition_(params.repetition_penalty),
      presence_(params.presence_penalty),
      frequency_(params.frequency_penalty),
      last_n_(params.penalty_last_n),
      active_(last_n_ != 0 && (repetition_ != 1.0f || presence_ != 0.0f || frequency_ != 0.0f)) {}

void TokenPenalties::accept(TokenId token) {
  if (!active_) return;
  ++counts_[token];
  if (last_n_ < 0) return;
  window_.push_back(token);
  if (window_.size() <= static_cast<std::size_t>(last_n_)) return;
  const auto oldest = counts_.find(window_.front());
  if (--oldest->second == 0) counts_.erase(oldest);
  window_.pop_front();
}

void TokenPenalties::apply(std::span<float> logits) const {
  for (const auto& [token, count] : counts_) {
    if (token < 0 || static_cast<std::size_t>(token) >= logits.size()) continue;
    float& logit = logits[static_cast<std::size_t>(token)];
    // Dividing a negative logit would make the token likelier.
    logit = logit > 0 ? logit / repetition_ : logit * repetition_;
    logit -= frequency_ * static_cast<float>(count) + presence_;
  }
}

}  // namespace minnow
