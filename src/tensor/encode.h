// Values to one block, for every block type. Rounding rules and searches are those of the ggml formats' plain encoders,
// so that files come out as other tools make them. docs: quantized formats are described in blocks.h.
#pragma once

#include <span>

#include "tensor/blocks.h"

namespace minnow {

// How much the errors of a row count, column by column, for encoders that can make use of it.
struct Importance {
  const float* columns = nullptr;  // mean squared activation of each column of the block, none negative; null: unknown
  float row_mean_square = 0;       // of the whole row of weights; used with columns

  explicit operator bool() const { return columns != nullptr; }
};

// x: Block::kSize finite values. A value too large for the format gives a scale that is not finite: ask
// has_finite_scale. The importance may be unknown.
void encode(const float* x, const Importance& importance, BlockQ4_0& b);
void encode(const float* x, const Importance& importance, BlockQ4_1& b);
void encode(const float* x, const Importance& importance, BlockQ5_0& b);
void encode(const float* x, const Importance& importance, BlockQ5_1& b);
void encode(const float* x, const Importance& importance, BlockQ2_K& b);
void encode(const float* x, const Importance& importance, BlockQ3_K& b);
void encode(const float* x, const Importance& importance, BlockQ4_K& b);
void encode(const float* x, const Importance& importance, BlockQ5_K& b);
void encode(const float* x, const Importance& importance, BlockQ6_K& b);
void encode(const float* x, const Importance& importance, BlockIQ4_NL& b);
void encode(const float* x, const Importance& importance, BlockIQ4_XS& b);

// These round in one way only.
void encode(const float* x, BlockQ8_0& b);
void encode(const float* x, BlockTQ1_0& b);
void encode(const float* x, BlockTQ2_0& b);
void encode(const float* x, BlockMXFP4& b);
void encode(const float* x, BlockNVFP4& b);
void encode(const float* x, BlockQ1_0& b);
void encode(const float* x, BlockQ2_0& b);
void encode(const float* x, BlockNF4& b);
// With a scale that a whole tensor shares (see ternary.h): codes of x / scale to nearest, at most 1 in size.
void encode(const float* x, float scale, BlockI2_S& b);

// 1 / d; 0 for a scale so small that this is infinite: its f16 is 0, and any code decodes to 0.
float inverse_of(float d);

// The E4M3 code, without sign, nearest to x >= 0; 0x7E (448) from 256 on.
uint8_t to_e4m3(float x);

}  // namespace minnow
