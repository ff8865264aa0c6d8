#include "engine/sampler.h"

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Control tokens are shown, since people name them among the breakers.
DryPenalty::PieceOf piece_of(const Tokenizer* tokenizer) {
  if (tokenizer == nullptr) return {};
  return [tokenizer](TokenId id) { return tokenizer->piece(id, true); };
}

// The first token with this logit, which is the largest; 0 when all are -infinity or NaN.
TokenId first_of(std::span<const float> logits, float largest) {
  if (largest == kMinusInfinity) return 0;
  return static_cast<TokenId>(std::find(logits.begin(), logits.end(), largest) - logits.begin());
}

}  // namespace

Sampler::Sampler(SamplingParams params, const Tokenizer* tokenizer, std::vector<TokenId> ends)
    : Sampler(std::move(params), minnow::piece_of(tokenizer), std::move(ends)) {}

Sampler::Sampler(SamplingParams params, DryPenalty::PieceOf piece_of, std::vector<TokenId> ends)
    : params_(std::move(params)),
      random_(params_.seed),
      penalties_(params_),
      dry_(params_, piece_of),
      mirostat_(params_),
      infill_(std::move(ends), std::move(piece_of)) {}

void Sampler::accept(TokenId token) {
  penalties_.accept(token);
  dry_.accept(token);
}

void Sampler::rest() {
  candidates_ = Candidates();
  adjusted_ = std::vector<float>();
  masked_ = std::vector<float>();
}

// Copies the logits of tokens that may come.
void Sampler::keep_allowed(std::span<const float> logits) {
  if (params_.allowed_tokens.empty()) {
    adjusted_.assign(logits.begin(), logits.end());
    return;
  }
  adjusted_.assign(logits.size(), kMinusInfinity);
  for (const TokenId token : params_.allowed_tokens) {
    const auto at = static_cast<std::size_t>(token);
    if (token >= 0 && at < logits.size()) adjusted_[at] = logits[at];
  }
}

// The logits after the first three steps: the caller's own unless one of them has something to do.
std::span<const float> Sampler::adjusted(std::span<const float> logits) {
  if (params_.allowed_tokens.empty() && params_.logit_bias.empty() && !penalties_.active() && !dry_.active()) return logits;
  keep_allowed(logits);
  for (const auto& [token, bias] : params_.logit_bias) {
    if (token >= 0 && static_cast<std::size_t>(token) < adjusted_.size()) {
      adjusted_[static_cast<std::size_t>(token)] += bias;
    }
  }
  penalties_.apply(adjusted_);
  dry_.apply(adjusted_);
  return adjusted_;
}

// Fills the candidates so that steps 5 leave of them what they would leave of all tokens: no more than the
// first steps in force can keep. Returns the weight of all tokens that top-p has to count.
double Sampler::fill(std::span<const float> logits, float largest) {
  if (params_.top_k > 0 && static_cast<std::size_t>(params_.top_k) < logits.size()) {
    candidates_.take_top(logits, static_cast<std::size_t>(params_.top_k));
    return candidates_.sum();
  }
  if (params_.typical_p < 1) {
    candidates_.take_from(logits, -FLT_MAX);
    return candidates_.sum();
  }
  // Top-p and min-p both keep the head of the ranking, so that what either drops need not be looked at.
  float lowest = params_.min_p > 0 ? largest + std::log(params_.min_p) : -FLT_MAX;
  if (params_.top_p == 1) {
    candidates_.take_from(logits, lowest);
    return candidates_.sum();
  }
  // All tokens below this weigh less than 1 - top_p together, and the best one alone weighs 1.
  const float share_outside = (1 - params_.top_p) / static_cast<float>(logits.size());
  lowest = std::max(lowest, largest + std::log(share_outside) - 0.01f);
  const double total = total_weight(logits, largest, 1.0f);
  // Mostly far fewer are needed: reach down until they hold the share.
  for (float reach = 4;; reach *= 2) {
    candidates_.take_from(logits, std::max(lowest, largest - reach));
    if (largest - reach <= lowest || candidates_.sum() >= params_.top_p * total) return total;
  }
}

void Sampler::truncate(std::span<const float> logits, float largest) {
  double total = fill(logits, largest);
  if (params_.typical_p < 1) {
    candidates_.keep_typical(params_.typical_p);
    total = candidates_.sum();
  }
  if (params_.top_p < 1) candidates_.keep_top_p(params_.top_p, total);
  if (params_.min_p > 0) candidates_.keep_min_p(params_.min_p);
  if (params_.xtc_probability > 0 && params_.xtc_threshold <= 0.5f &&
      random_.uniform() < params_.xtc_probability) {
    candidates_.drop_top_choices(params_.xtc_threshold);
  }
  if (params_.infill) infill_.apply(candidates_, logits);
}

TokenId Sampler::sample(std::span<const float> logits, std::span<const uint32_t> allowed) {
  masked_.assign(logits.size(), kMinusInfinity);
  TokenId first = kNoToken;
  bool any = false;  // that can be drawn
  for (std::size_t word = 0; word < allowed.size(); ++word) {
    for (uint32_t bits = allowed[word]; bits != 0; bits &= bits - 1) {
      const std::size_t i = word * 32 + static_cast<std::size_t>(std::countr_zero(bits));
      if (i >= logits.size()) break;
      if (first == kNoToken) first = static_cast<TokenId>(i);
      masked_[i] = logits[i];
      any |= logits[i] > kMinusInfinity;
    }
  }
  if (first == kNoToken) fail(ErrorCode::kInternal, "sampling: no token is allowed");
  return any ? sample(masked_) : first;
}

TokenId Sampler::sample(std::span<const float> logits) {
  if (logits.empty()) fail(ErrorCode::kInternal, "sampling: no logits");
  const std::span<const float> final_logits = adjusted(logits);
  const float largest = largest_logit(final_logits);
  if (largest == kMinusInfinity) return first_of(logits, largest_logit(logits));
  if (params_.temperature == 0 && !params_.infill) return first_of(final_logits, largest);
  if (params_.mirostat != 0) return mirostat_.draw(final_logits, params_.temperature, candidates_, random_);
  truncate(final_logits, std::min(largest, FLT_MAX));
  if (params_.temperature == 0) return candidates_.ranked().front().id;
  candidates_.weigh(params_.temperature);
  return candidates_.draw(random_.uniform()).id;
}

}  // namespace minnow
