// Super-blocks of 256: sub-blocks whose scales (and mins) are small integers times the scale of the super-block.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/encode.h"
#include "tensor/half.h"
#include "tensor/scale_search.h"

namespace minnow {
namespace {

float mean_square(const float* x, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += x[i] * x[i];
  return sum / static_cast<float>(n);
}

float sum_of(std::span<const float> values) {
  float sum = 0;
  for (const float v : values) sum += v;
  return sum;
}

// Weights of the errors of n elements from `at` on, with what is known of their columns.
void important(const float* x, const Importance& importance, int at, float variance, std::span<float> weights) {
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const float v = x[static_cast<std::size_t>(at) + i];
    weights[i] = importance.columns[static_cast<std::size_t>(at) + i] * std::sqrt(variance + v * v);
  }
}

// --- x = (d * scale) * code - (dmin * min)

// What sets Q2_K, Q4_K and Q5_K apart.
struct AffineKind {
  AffineSearch search;     // without importance
  int scale_limit;         // of the codes of scales and mins
  float variances;         // with importance: mean squares of the super-block that are added to each square
  bool weights_have_base;  // without: weights are |x| plus the rms of the sub-block
};
constexpr AffineKind kQ2K{{3, -0.5f, 0.1f, 15, false}, 15, 1, false};
constexpr AffineKind kQ4K{{15, -1.0f, 0.1f, 20, true}, 63, 2, true};
constexpr AffineKind kQ5K{{31, -0.5f, 0.1f, 15, true}, 63, 2, true};

template <int kGroups>
struct AffineBlock {
  static constexpr int kGroup = kSuperBlock / kGroups;
  int8_t codes[kSuperBlock];
  int8_t scales[kGroups], mins[kGroups];
  uint16_t d, dmin;
};

// Integer codes of values that are not negative, and their f16 scale.
uint16_t code_plainly(int limit, std::span<const float> values, std::span<int8_t> codes) {
  const float max = std::max(0.0f, *std::max_element(values.begin(), values.end()));
  const auto n = static_cast<float>(limit);
  const float inverse = max > 0 ? n / max : 0;
  for (std::size_t g = 0; g < values.size(); ++g) {
    codes[g] = static_cast<int8_t>(std::clamp(nearest_int(inverse * values[g]), 0, limit));
  }
  return f32_to_f16(max / n);
}

template <int kGroups>
AffineBlock<kGroups> fit_affine(const AffineKind& kind, const float* x, const Importance& importance) {
  constexpr int kGroup = AffineBlock<kGroups>::kGroup;
  AffineBlock<kGroups> b;
  AffineSearch search = kind.search;
  if (importance) search.first = -0.9f, search.step = 0.05f, search.n_steps = 36, search.squared = true;
  const float variance = importance ? kind.variances * mean_square(x, kSuperBlock) : 0;
  float scales[kGroups], mins[kGroups], sums[kGroups];
  for (int g = 0; g < kGroups; ++g) {
    const int at = g * kGroup;
    float weights[kGroup];
    if (importance) {
      important(x, importance, at, variance, weights);
    } else {
      const float base = kind.weights_have_base ? std::sqrt(mean_square(x + at, kGroup)) : 0;
      for (int i = 0; i < kGroup; ++i) weights[i] = base + std::abs(x[at + i]);
    }
    sums[g] = sum_of(weights);
    const ScaleAndMin found = affine_scale(search, {x + at, kGroup}, weights, {b.codes + at, kGroup});
    scales[g] = found.scale, mins[g] = found.min;
  }
  if (importance) {
    b.d = f32_to_f16(unsigned_scale(kind.scale_limit, scales, sums, b.scales));
    b.dmin = f32_to_f16(unsigned_scale(kind.scale_limit, mins, sums, b.mins));
  } else {
    b.d = code_plainly(kind.scale_limit, scales, b.scales);
    b.dmin = code_plainly(kind.scale_limit, mins, b.mins);
  }
  // Codes once more, for the scales as they will be read.
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int g = 0; g < kGroups; ++g) {
    const float scale = d * static_cast<float>(b.scales[g]), min = dmin * static_cast<float>(b.mins[g]);
    if (scale == 0) continue;
    for (int i = g * kGroup; i < (g + 1) * kGroup; ++i) {
      b.codes[i] = static_cast<int8_t>(std::clamp(nearest_int((x[i] + min) / scale), 0, kind.search.limit));
    }
  }
  return b;
}

// --- x = (d * scale) * code

template <int kGroups>
struct SymmetricBlock {
  static constexpr int kGroup = kSuperBlock / kGroups;
  int8_t codes[kSuperBlock];
  int8_t scales[kGroups];
  uint16_t d;
};

// Integer codes in -limit .. limit - 1 of signed values, and their f16 scale.
uint16_t code_signed(int limit, std::span<const float> values, std::span<int8_t> codes) {
  const float extreme = extreme_of(values);
  if (extreme == 0) {
    std::fill(codes.begin(), codes.end(), static_cast<int8_t>(-limit));
    return 0;
  }
  const float inverse = static_cast<float>(-limit) / extreme;
  for (std::size_t g = 0; g < values.size(); ++g) {
    codes[g] = static_cast<int8_t>(std::clamp(nearest_int(inverse * values[g]), -limit, limit - 1));
  }
  return f32_to_f16(1 / inverse);
}

template <int kGroups>
void recode(int limit, const float* x, SymmetricBlock<kGroups>& b) {
  constexpr int kGroup = SymmetricBlock<kGroups>::kGroup;
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < kGroups; ++g) {
    const float scale = d * static_cast<float>(b.scales[g]);
    if (scale == 0) continue;
    for (int i = g * kGroup; i < (g + 1) * kGroup; ++i) {
      b.codes[i] = static_cast<int8_t>(std::clamp(nearest_int(x[i] / scale), -limit, limit - 1));
    }
  }
}

// --- packing

void pack_two_bits(const int8_t* codes, uint8_t (&qs)[64]) {
  std::fill_n(qs, 64, uint8_t{0});
  for (int i = 0; i < kSuperBlock; ++i) {
    qs[32 * (i / 128) + i % 32] |= static_cast<uint8_t>((codes[i] & 3) << (2 * (i % 128 / 32)));
  }
}

void pack_nibbles(const int8_t* codes, uint8_t (&qs)[128]) {
  for (int c = 0; c < 4; ++c) {
    for (int l = 0; l < 32; ++l) {
      qs[32 * c + l] = static_cast<uint8_t>((codes[64 * c + l] & 15) | (codes[64 * c + 32 + l] & 15) << 4);
    }
  }
}

// The inverse of q4_k_scale_min.
void pack_six_bits(const int8_t (&scales)[8], const int8_t (&mins)[8], uint8_t (&out)[12]) {
  for (int g = 0; g < 4; ++g) {
    out[g] = static_cast<uint8_t>(scales[g] | (scales[g + 4] >> 4) << 6);
    out[g + 4] = static_cast<uint8_t>(mins[g] | (mins[g + 4] >> 4) << 6);
    out[g + 8] = static_cast<uint8_t>((scales[g + 4] & 15) | (mins[g + 4] & 15) << 4);
  }
}

}  // namespace

void encode(const float* x, const Importance& importance, BlockQ2_K& b) {
  const AffineBlock<16> found = fit_affine<16>(kQ2K, x, importance);
  b.d = found.d, b.dmin = found.dmin;
  for (int g = 0; g < 16; ++g) b.scales[g] = static_cast<uint8_t>(found.scales[g] | found.mins[g] << 4);
  pack_two_bits(found.codes, b.qs);
}

void encode(const float* x, const Importance& importance, BlockQ4_K& b) {
  const AffineBlock<8> found = fit_affine<8>(kQ4K, x, importance);
  b.d = found.d, b.dmin = found.dmin;
  pack_six_bits(found.scales, found.mins, b.scales);
  pack_nibbles(found.codes, b.qs);
}

void encode(const float* x, const Importance& importance, BlockQ5_K& b) {
  const AffineBlock<8> found = fit_affine<8>(kQ5K, x, importance);
  b.d = found.d, b.dmin = found.dmin;
  pack_six_bits(found.scales, found.mins, b.scales);
  pack_nibbles(found.codes, b.qs);
  std::fill_n(b.qh, 32, uint8_t{0});
  for (int i = 0; i < kSuperBlock; ++i) b.qh[i % 32] |= static_cast<uint8_t>((found.codes[i] >> 4 & 1) << (i / 32));
}

void encode(const float* x, const Importance& importance, BlockQ3_K& b) {
  SymmetricBlock<16> found;
  float scales[16], sums[16], weights[16];
  const float variance = importance ? 2 * mean_square(x, kSuperBlock) : 0;
  for (int g = 0; g < 16; ++g) {
    const std::span<const float> values(x + 16 * g, 16);
    const std::span<int8_t> codes(found.codes + 16 * g, 16);
    if (importance) {
      important(x, importance, 16 * g, variance, weights);
      scales[g] = symmetric_scale(4, values, weights, codes);
      sums[g] = sum_of(weights);
    } else {
      for (std::size_t i = 0; i < 16; ++i) weights[i] = values[i] * values[i];
      scales[g] = coordinate_scale(4, values, weights, codes);
    }
  }
  found.d = importance ? f32_to_f16(symmetric_scale(32, scales, sums, found.scales))
                       : code_signed(32, scales, found.scales);
  recode(4, x, found);

  b.d = found.d;
  int8_t low[kSuperBlock];
  std::fill_n(b.hmask, 32, uint8_t{0});
  for (int i = 0; i < kSuperBlock; ++i) {
    const int code = found.codes[i] + 4;  // its third bit lies in hmask
    low[i] = static_cast<int8_t>(code & 3);
    b.hmask[i % 32] |= static_cast<uint8_t>((code >> 2) << (i / 32));
  }
  pack_two_bits(low, b.qs);
  std::fill_n(b.scales, 12, uint8_t{0});
  for (int g = 0; g < 16; ++g) {
    const int scale = found.scales[g] + 32;
    b.scales[g % 8] |= static_cast<uint8_t>((scale & 15) << (4 * (g / 8)));
    b.scales[8 + g % 4] |= static_cast<uint8_t>((scale >> 4) << (2 * (g / 4)));
  }
}

void encode(const float* x, const Importance& importance, BlockQ6_K& b) {
  std::memset(&b, 0, sizeof(b));
  SymmetricBlock<16> found;
  float scales[16], weights[16];
  for (int g = 0; g < 16; ++g) {
    for (int i = 0; i < 16; ++i) {
      const int at = 16 * g + i;
      weights[i] = importance ? importance.columns[at] : x[at] * x[at];
    }
    scales[g] = symmetric_scale(32, {x + 16 * g, 16}, weights, {found.codes + 16 * g, 16});
  }
  if (std::abs(extreme_of(scales)) < kTiny) return;
  b.d = found.d = code_signed(128, scales, found.scales);
  recode(32, x, found);
  std::copy_n(found.scales, 16, b.scales);
  for (int i = 0; i < kSuperBlock; ++i) {
    const int n = i / 128, r = i % 128, j = r / 32, l = r % 32, code = found.codes[i] + 32;
    b.ql[64 * n + l + 32 * (j & 1)] |= static_cast<uint8_t>((code & 15) << (4 * (j >> 1)));
    b.qh[32 * n + l] |= static_cast<uint8_t>((code >> 4) << (2 * j));
  }
}

}  // namespace minnow
