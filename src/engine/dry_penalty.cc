#include "engine/dry_penalty.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "base/error.h"

namespace minnow {

BreakerFinder::BreakerFinder(std::vector<std::string> breakers) : breakers_(std::move(breakers)) {
  for (const std::string& breaker : breakers_) longest_ = std::max(longest_, breaker.size());
}

BreakerFinder::Hit BreakerFinder::push(std::string_view text) {
  if (longest_ == 0) return {false, false};
  Hit hit{false, false};
  const std::size_t before = tail_.size();
  tail_ += text;
  for (const std::string& breaker : breakers_) {
    if (text.find(breaker) != std::string_view::npos) hit = {true, true};
    if (hit.ends) continue;
    // The first byte from which an occurrence ends inside the new text.
    const std::size_t from = before >= breaker.size() ? before - breaker.size() + 1 : 0;
    hit.ends = tail_.find(breaker, from) != std::string::npos;
  }
  if (tail_.size() >= longest_) tail_.erase(0, tail_.size() - (longest_ - 1));
  return hit;
}

DryPenalty::DryPenalty(const SamplingParams& params, PieceOf piece_of)
    : multiplier_(params.dry_multiplier),
      base_(params.dry_base),
      allowed_length_(params.dry_allowed_length),
      last_n_(params.dry_last_n),
      active_(multiplier_ != 0.0f && last_n_ != 0),
      piece_of_(std::move(piece_of)),
      breakers_(params.dry_sequence_breakers) {
  if (active_ && !params.dry_sequence_breakers.empty() && !piece_of_) {
    fail(ErrorCode::kInternal, "sampling: dry_sequence_breakers need a tokenizer");
  }
}

void DryPenalty::accept(TokenId token) {
  if (!active_) return;
  const auto hit = piece_of_ ? breakers_.push(piece_of_(token)) : BreakerFinder::Hit{false, false};
  tokens_.push_back(token);
  holds_breaker_.push_back(hit.within);
  since_breaker_ = hit.ends ? 0 : since_breaker_ + 1;
}

// The Z-function of the window read backwards (Gusfield 1997, section 1.4): repeats_[i] says how many of the
// tokens before and at i tokens from the end equal those at the end. [left, right) is the match reaching
// furthest; inside of it earlier answers are reused, so that right only moves on. Capping the answers at
// `limit` breaks neither.
void DryPenalty::measure_repeats(std::size_t window, int32_t limit) {
  const TokenId* last = tokens_.data() + tokens_.size() - 1;
  const auto n = static_cast<int64_t>(window);
  repeats_.resize(window);
  int64_t left = 0, right = 0;
  for (int64_t i = 1; i < n; ++i) {
    int64_t length =
        i < right ? std::min<int64_t>(right - i, repeats_[static_cast<std::size_t>(i - left)]) : 0;
    while (length < limit && i + length < n && last[-length] == last[-(i + length)]) ++length;
    repeats_[static_cast<std::size_t>(i)] = static_cast<int32_t>(length);
    if (i + length > right) {
      left = i;
      right = i + length;
    }
  }
}

float DryPenalty::penalty(int32_t length) const {
  const double value = multiplier_ * std::pow(base_, length - allowed_length_);
  return static_cast<float>(std::min<double>(value, FLT_MAX));
}

void DryPenalty::apply(std::span<float> logits) {
  std::size_t window = tokens_.size();
  if (last_n_ > 0) window = std::min(window, static_cast<std::size_t>(last_n_));
  const auto limit = static_cast<int32_t>(std::min<int64_t>(since_breaker_, static_cast<int64_t>(window)));
  if (limit < allowed_length_) return;
  measure_repeats(window, limit);
  longest_.resize(logits.size());
  // The token that followed the repeat ending i tokens from the end; SIZE_MAX when it is of no interest.
  const auto continuation = [&](std::size_t i) {
    const std::size_t at = tokens_.size() - i;
    const TokenId token = tokens_[at];
    const bool known = token >= 0 && static_cast<std::size_t>(token) < logits.size();
    return known && !holds_breaker_[at] && repeats_[i] >= allowed_length_ ? static_cast<std::size_t>(token)
                                                                          : SIZE_MAX;
  };
  for (std::size_t i = 1; i < window; ++i) {
    const std::size_t token = continuation(i);
    if (token != SIZE_MAX) longest_[token] = std::max(longest_[token], repeats_[i]);
  }
  for (std::size_t i = 1; i < window; ++i) {
    const std::size_t token = continuation(i);
    if (token == SIZE_MAX || longest_[token] == 0) continue;
    logits[token] -= penalty(longest_[token]);
    longest_[token] = 0;
  }
}

}  // namespace minnow
