#include "engine/token_logprobs.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

#include "text/tokenizer.h"

namespace minnow {

std::string TokenLogprobs::bytes(TokenId token) const {
  return tokenizer_ != nullptr && tokenizer_->is_valid(token) ? tokenizer_->piece(token, /*show_special=*/true) : std::string();
}

TokenLogprob TokenLogprobs::of(std::span<const float> logits, TokenId token, int n_top) {
  TokenLogprob out{.token = token, .logprob = kMinLogprob, .bytes = bytes(token), .top = {}};
  const float largest = largest_logit(logits);
  if (largest == -std::numeric_limits<float>::infinity()) return out;
  const float top = std::min(largest, FLT_MAX);
  const auto log_total = static_cast<float>(std::log(total_weight(logits, largest, 1.0f)));
  // Sums of floats may put the likeliest a hair above one.
  const auto logprob = [&](float logit) {
    const float p = std::min(logit, FLT_MAX) - top - log_total;
    return p > kMinLogprob ? std::min(p, 0.0f) : kMinLogprob;  // NaN too
  };
  out.logprob = logprob(logits[static_cast<std::size_t>(token)]);
  if (n_top <= 0) return out;
  candidates_.take_top(logits, std::min(static_cast<std::size_t>(n_top), logits.size()));
  for (const Candidate& c : candidates_.ranked()) out.top.push_back({c.id, logprob(c.logit), bytes(c.id)});
  return out;
}

}  // namespace minnow
