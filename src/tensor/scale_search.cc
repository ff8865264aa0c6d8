#include "tensor/scale_search.h"

#include <algorithm>
#include <cmath>

namespace minnow {
namespace {

// Least squares: the best scale for given codes is xl / ll, and xl^2 / ll is what it takes off the error.
struct Fit {
  float xl = 0, ll = 0;

  void add(float w, float x, int code) {
    const auto l = static_cast<float>(code);
    xl += w * x * l;
    ll += w * l * l;
  }
  Fit without(float w, float x, int code) const {
    const auto l = static_cast<float>(code);
    return {xl - w * x * l, ll - w * l * l};
  }
  float scale() const { return ll > 0 ? xl / ll : 0; }
  bool better_than(const Fit& other) const { return xl * xl * other.ll > other.xl * other.xl * ll; }
};

using Code = int8_t;
constexpr int kSweeps = 5;

// Nothing but zeros: codes that are stored as zero bits.
float zero(int limit, std::span<Code> codes) {
  std::fill(codes.begin(), codes.end(), static_cast<Code>(-limit));
  return 0;
}

// Moves single codes to where the others would have them, for as long as that helps.
template <typename Allowed>
Fit sweep(Fit fit, std::span<const float> x, std::span<const float> w, std::span<Code> codes, const Allowed& allowed) {
  for (int round = 0; round < kSweeps; ++round) {
    bool changed = false;
    for (std::size_t i = 0; i < x.size(); ++i) {
      Fit other = fit.without(w[i], x[i], codes[i]);
      if (!(other.xl > 0 && other.ll > 0)) continue;
      const int code = allowed(nearest_int(x[i] * other.ll / other.xl));
      if (code == codes[i]) continue;
      other.add(w[i], x[i], code);
      if (!other.better_than(fit)) continue;
      fit = other;
      codes[i] = static_cast<Code>(code);
      changed = true;
    }
    if (!changed) break;
  }
  return fit;
}

}  // namespace

float extreme_of(std::span<const float> x) {
  float extreme = 0;
  for (const float v : x) {
    if (v != v) return v;
    if (std::abs(v) > std::abs(extreme)) extreme = v;
  }
  return extreme;
}

float symmetric_scale(int limit, std::span<const float> x, std::span<const float> w, std::span<Code> codes) {
  const float extreme = extreme_of(x);
  if (std::abs(extreme) < kTiny) return zero(limit, codes);
  const auto fit_with = [&](float inverse, Code* out) {
    Fit fit;
    for (std::size_t i = 0; i < x.size(); ++i) {
      out[i] = static_cast<Code>(std::clamp(nearest_int(inverse * x[i]), -limit, limit - 1));
      fit.add(w[i], x[i], out[i]);
    }
    return fit;
  };
  const auto n = static_cast<float>(limit);
  const Fit first = fit_with(-n / extreme, codes.data());
  float scale = first.scale(), best = scale * first.xl;
  Code tried[kMaxSearchValues];
  for (int k = -9; k <= 9; ++k) {
    if (k == 0) continue;
    const Fit fit = fit_with(-(n + 0.1f * static_cast<float>(k)) / extreme, tried);
    if (!(fit.ll > 0 && fit.xl * fit.xl > best * fit.ll)) continue;
    std::copy_n(tried, x.size(), codes.begin());
    scale = fit.scale();
    best = scale * fit.xl;
  }
  return scale;
}

float coordinate_scale(int limit, std::span<const float> x, std::span<const float> w, std::span<Code> codes) {
  const float extreme = extreme_of(x);
  if (std::abs(extreme) < kTiny) return zero(limit, codes);
  const float inverse = static_cast<float>(-limit) / extreme;
  const auto allowed = [limit](int code) { return std::clamp(code, -limit, limit - 1); };
  Fit fit;
  for (std::size_t i = 0; i < x.size(); ++i) {
    codes[i] = static_cast<Code>(allowed(nearest_int(inverse * x[i])));
    fit.add(w[i], x[i], codes[i]);
  }
  return sweep(fit, x, w, codes, allowed).scale();
}

float unsigned_scale(int limit, std::span<const float> x, std::span<const float> w, std::span<Code> codes) {
  std::fill(codes.begin(), codes.end(), Code{0});
  const float max = std::max(0.0f, *std::max_element(x.begin(), x.end()));
  if (max < kTiny) return 0;
  const auto allowed = [limit](int code) { return std::clamp(code, 0, limit); };
  const auto n = static_cast<float>(limit);
  const auto error_with = [&](float inverse) {
    const float scale = 1 / inverse;
    float error = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float diff = x[i] - scale * static_cast<float>(allowed(nearest_int(inverse * x[i])));
      error += w[i] * diff * diff;
    }
    return error;
  };
  float inverse = n / max, best = error_with(inverse);
  for (int k = -4; k <= 4; ++k) {
    if (k == 0) continue;
    const float tried = (0.1f * static_cast<float>(k) + n) / max, error = error_with(tried);
    if (error < best) best = error, inverse = tried;
  }
  Fit fit;
  for (std::size_t i = 0; i < x.size(); ++i) {
    codes[i] = static_cast<Code>(allowed(nearest_int(inverse * x[i])));
    fit.add(w[i], x[i], codes[i]);
  }
  return sweep(fit, x, w, codes, allowed).scale();
}

ScaleAndMin affine_scale(const AffineSearch& search, std::span<const float> x, std::span<const float> w,
                         std::span<Code> codes) {
  std::fill(codes.begin(), codes.end(), Code{0});
  float min = x[0], max = x[0], sum_w = 0, sum_x = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    min = std::min(min, x[i]);
    max = std::max(max, x[i]);
    sum_w += w[i];
    sum_x += w[i] * x[i];
  }
  min = std::min(min, 0.0f);
  if (!(max > min)) return {0, -min};

  // Codes of one range into `out`, and the error that they make with a scale and a min.
  const auto assign = [&](float inverse, Code* out) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      out[i] = static_cast<Code>(std::clamp(nearest_int(inverse * (x[i] - min)), 0, search.limit));
    }
  };
  const auto error_of = [&](const Code* tried, float scale, float offset) {
    float error = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float diff = scale * static_cast<float>(tried[i]) + offset - x[i];
      error += w[i] * (search.squared ? diff * diff : std::abs(diff));
    }
    return error;
  };

  const auto n = static_cast<float>(search.limit);
  const float baseline = n / (max - min);
  float scale = 1 / baseline;
  assign(baseline, codes.data());
  float best = error_of(codes.data(), scale, min);
  Code tried[kMaxSearchValues];
  for (int k = 0; k <= search.n_steps; ++k) {
    // `min` is the best one so far: a success changes the range of the tries that follow.
    assign((search.first + search.step * static_cast<float>(k) + n) / (max - min), tried);
    float sum_l = 0, sum_ll = 0, sum_xl = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto l = static_cast<float>(tried[i]);
      sum_l += w[i] * l;
      sum_ll += w[i] * l * l;
      sum_xl += w[i] * l * x[i];
    }
    const float determinant = sum_w * sum_ll - sum_l * sum_l;
    if (!(determinant > 0)) continue;
    float refit_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
    float refit_min = (sum_ll * sum_x - sum_l * sum_xl) / determinant;
    if (refit_min > 0) {
      refit_min = 0;
      refit_scale = sum_xl / sum_ll;
    }
    const float error = error_of(tried, refit_scale, refit_min);
    if (!(error < best)) continue;
    best = error, scale = refit_scale, min = refit_min;
    std::copy_n(tried, x.size(), codes.begin());
  }
  return {scale, -min};
}

}  // namespace minnow
