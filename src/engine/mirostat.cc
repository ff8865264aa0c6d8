#include "engine/mirostat.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numbers>

namespace minnow {
namespace {

constexpr std::size_t kFitted = 100;  // tokens that Zipf's law is fitted to: the paper's m

}  // namespace

Mirostat::Mirostat(const SamplingParams& params)
    : version_(params.mirostat),
      target_(params.mirostat_tau),
      rate_(params.mirostat_eta),
      max_surprise_(2.0 * params.mirostat_tau) {}

// Least squares of log(p_i / p_i+1) = s log((i + 1) / i), through the origin; i counts from 1.
double Mirostat::zipf_exponent(std::span<const Candidate> best, float temperature) {
  double tb = 0, tt = 0;
  for (std::size_t i = 0; i + 1 < best.size(); ++i) {
    const double t = std::log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
    tb += t * (double{best[i].logit} - best[i + 1].logit) / temperature;
    tt += t * t;
  }
  return tt > 0 ? tb / tt : 0;
}

// The k at which the surprise of Zipf's law with this exponent is max_surprise_.
std::size_t Mirostat::kept_tokens(double exponent, std::size_t n_vocab) const {
  const auto n = static_cast<double>(n_vocab);
  const double epsilon = exponent - 1;
  // epsilon / (1 - n^-epsilon), whose limit at 0 is 1 / log(n).
  const double slope =
      std::abs(epsilon) < 1e-9 ? 1 / std::log(n) : epsilon / -std::expm1(-epsilon * std::log(n));
  const double k = std::pow(slope * std::exp2(max_surprise_), 1 / exponent);
  if (!(k >= 1)) return 1;  // NaN too
  return k >= n ? n_vocab : static_cast<std::size_t>(k);
}

TokenId Mirostat::draw(std::span<const float> logits, float temperature, Candidates& candidates,
                       Random& random) {
  const float largest = std::min(largest_logit(logits), FLT_MAX);
  const double log_total = std::log(total_weight(logits, largest, temperature));
  if (version_ == 1) {
    candidates.take_top(logits, kFitted);
    const std::size_t k = kept_tokens(zipf_exponent(candidates.ranked(), temperature), logits.size());
    candidates.take_top(logits, k);
  } else {
    const double lowest = largest + temperature * (log_total - max_surprise_ * std::numbers::ln2);
    if (lowest > largest) {
      candidates.take_top(logits, 1);
    } else {
      candidates.take_from(logits, static_cast<float>(std::max<double>(lowest, -FLT_MAX)));
    }
  }
  candidates.weigh(temperature);
  const Candidate& drawn = candidates.draw(random.uniform());
  const double surprise = (log_total - (double{drawn.logit} - largest) / temperature) / std::numbers::ln2;
  max_surprise_ -= rate_ * (surprise - target_);
  return drawn.id;
}

}  // namespace minnow
