// One block to f32, exactly, for every block type; and whether a block's scales are finite numbers.
#pragma once

#include "tensor/blocks.h"

namespace minnow {

// x: Block::kSize values.
void decode(const BlockQ4_0& b, float* x);
void decode(const BlockQ4_1& b, float* x);
void decode(const BlockQ5_0& b, float* x);
void decode(const BlockQ5_1& b, float* x);
void decode(const BlockQ8_0& b, float* x);
void decode(const BlockQ2_K& b, float* x);
void decode(const BlockQ3_K& b, float* x);
void decode(const BlockQ4_K& b, float* x);
void decode(const BlockQ5_K& b, float* x);
void decode(const BlockQ6_K& b, float* x);
void decode(const BlockIQ4_NL& b, float* x);
void decode(const BlockNF4& b, float* x);
void decode(const BlockIQ4_XS& b, float* x);
void decode(const BlockIQ1_S& b, float* x);
void decode(const BlockIQ1_M& b, float* x);
void decode(const BlockIQ2_XXS& b, float* x);
void decode(const BlockIQ2_XS& b, float* x);
void decode(const BlockIQ2_S& b, float* x);
void decode(const BlockIQ3_XXS& b, float* x);
void decode(const BlockIQ3_S& b, float* x);
void decode(const BlockTQ1_0& b, float* x);
void decode(const BlockTQ2_0& b, float* x);
void decode(const BlockI2_S& b, float* x);
void decode(const BlockMXFP4& b, float* x);
void decode(const BlockNVFP4& b, float* x);
void decode(const BlockQ1_0& b, float* x);
void decode(const BlockQ2_0& b, float* x);

// Half of the value of an unsigned E4M3 scale (its values are doubled in kE2M1Values); codes 0x7F and 0xFF give 0.
float half_e4m3(uint8_t code);
// 2^(e - 128), e below 255.
float half_e8m0(uint8_t e);

inline bool is_finite_f16(uint16_t bits) { return (bits & 0x7C00) != 0x7C00; }
template <typename Block>
bool has_finite_scale(const Block& b) {
  return is_finite_f16(b.d);
}
inline bool has_finite_scale(const BlockQ4_1& b) { return is_finite_f16(b.d) && is_finite_f16(b.m); }
inline bool has_finite_scale(const BlockQ5_1& b) { return is_finite_f16(b.d) && is_finite_f16(b.m); }
inline bool has_finite_scale(const BlockQ2_K& b) { return is_finite_f16(b.d) && is_finite_f16(b.dmin); }
inline bool has_finite_scale(const BlockQ4_K& b) { return is_finite_f16(b.d) && is_finite_f16(b.dmin); }
inline bool has_finite_scale(const BlockQ5_K& b) { return is_finite_f16(b.d) && is_finite_f16(b.dmin); }
inline bool has_finite_scale(const BlockIQ1_M& b) { return is_finite_f16(iq1_m_d(b)); }
inline bool has_finite_scale(const BlockNF4& b) { return b.absmax - b.absmax == 0; }
inline bool has_finite_scale(const BlockI2_S& b) { return b.d - b.d == 0; }
inline bool has_finite_scale(const BlockMXFP4& b) { return b.e != 255; }
inline bool has_finite_scale(const BlockNVFP4&) { return true; }

}  // namespace minnow
