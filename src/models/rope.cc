// Rotary position embedding (Su et al. 2021) and the ways of stretching it.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "models/config.h"

namespace minnow {
namespace {

std::vector<double> plain_frequencies(double base, int64_t n_rot) {
  std::vector<double> f;
  for (int64_t i = 0; i < n_rot; i += 2) {
    f.push_back(std::pow(base, -static_cast<double>(i) / static_cast<double>(n_rot)));
  }
  return f;
}

// Feature pair that turns `rotations` times over the original context (YaRN, section 3.2).
double yarn_pair(const RopeConfig& r, double rotations) {
  const auto context = static_cast<double>(r.original_context);
  return static_cast<double>(r.n_rot) * std::log(context / (rotations * 2 * std::numbers::pi)) / (2 * std::log(r.base));
}

// Fast pairs keep their frequency, slow ones are interpolated, those between are mixed (Peng et al. 2023).
void apply_yarn(const RopeConfig& r, RopeTableAttrs& table) {
  const double low = std::max(0.0, std::floor(yarn_pair(r, r.beta_fast)));
  const double high = std::min(static_cast<double>(r.n_rot) - 1, std::ceil(yarn_pair(r, r.beta_slow)));
  for (std::size_t i = 0; i < table.inv_freq.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / std::max(0.001, high - low), 0.0, 1.0);
    table.inv_freq[i] = table.inv_freq[i] * (1 - ramp) + table.inv_freq[i] / r.factor * ramp;
  }
  table.magnitude = r.attention_factor > 0 ? r.attention_factor : 1.0 + 0.1 * std::log(r.factor);
}

}  // namespace

std::vector<float> llama3_divisors(const RopeConfig& r) {
  std::vector<float> divisors;
  const auto context = static_cast<double>(r.original_context);
  for (const double f : plain_frequencies(r.base, r.n_rot)) {
    const double wavelength = 2 * std::numbers::pi / f;
    double divisor = r.factor;
    if (wavelength < context / r.high_freq) {
      divisor = 1;
    } else if (wavelength <= context / r.low_freq) {
      const double smooth = (context / wavelength - r.low_freq) / (r.high_freq - r.low_freq);
      divisor = 1 / ((1 - smooth) / r.factor + smooth);
    }
    divisors.push_back(static_cast<float>(divisor));
  }
  return divisors;
}

RopeTableAttrs rope_frequencies(const RopeConfig& r, int64_t n_ctx, const std::vector<float>& divisors) {
  double base = r.base;
  if (r.scaling == RopeScaling::kDynamic && n_ctx > r.original_context) {  // "NTK-aware", for this context
    const double stretch = r.factor * static_cast<double>(n_ctx) / static_cast<double>(r.original_context) - (r.factor - 1);
    base *= std::pow(stretch, static_cast<double>(r.n_rot) / static_cast<double>(r.n_rot - 2));
  }
  RopeTableAttrs table{plain_frequencies(base, r.n_rot), 1.0};
  const std::vector<float>& by = r.scaling == RopeScaling::kLlama3 && divisors.empty() ? llama3_divisors(r) : divisors;
  if (!by.empty()) {
    if (by.size() != table.inv_freq.size()) {
      fail(ErrorCode::kInvalidInput, "the rotary factors are {} values, {} are needed", by.size(), table.inv_freq.size());
    }
    for (std::size_t i = 0; i < by.size(); ++i) table.inv_freq[i] /= static_cast<double>(by[i]);
  }
  if (r.scaling == RopeScaling::kLinear) {
    for (double& f : table.inv_freq) f /= r.factor;
  }
  if (r.scaling == RopeScaling::kYarn) apply_yarn(r, table);
  if (r.scaling == RopeScaling::kLongRope && r.attention_factor > 0) table.magnitude = r.attention_factor;
  return table;
}

}  // namespace minnow
