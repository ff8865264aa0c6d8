// Bit layouts of the quantized blocks, as they lie in GGUF files (little-endian; f16 as bit patterns).
#pragma once

#include <cstdint>

namespace minnow {

inline constexpr int kBlock = 32;        // elements of a simple block
inline constexpr int kSuperBlock = 256;  // elements of a K block

// In the four- and five-bit blocks of 32, byte j of qs holds element j in its low nibble and element j + 16 in its high
// one; bit i of qh is the fifth bit of element i.

struct BlockQ4_0 {  // x = d * (q - 8)
  static constexpr int kSize = kBlock;
  uint16_t d;
  uint8_t qs[16];
};
struct BlockQ4_1 {  // x = d * q + m
  static constexpr int kSize = kBlock;
  uint16_t d, m;
  uint8_t qs[16];
};
struct BlockQ5_0 {  // x = d * (q - 16)
  static constexpr int kSize = kBlock;
  uint16_t d;
  uint8_t qh[4];
  uint8_t qs[16];
};
struct BlockQ5_1 {  // x = d * q + m
  static constexpr int kSize = kBlock;
  uint16_t d, m;
  uint8_t qh[4];
  uint8_t qs[16];
};
struct BlockQ8_0 {  // x = d * q
  static constexpr int kSize = kBlock;
  uint16_t d;
  int8_t qs[32];
};
static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34);

// Sixteen sub-blocks of 16: x = (d * scale) * q - (dmin * min), scale in the low nibble of scales[g], min in the high.
struct BlockQ2_K {
  static constexpr int kSize = kSuperBlock;
  uint8_t scales[16];
  uint8_t qs[64];
  uint16_t d, dmin;
};

// Sixteen sub-blocks of 16: x = (d * scale) * q, q in -4 .. 3 with its high bit in hmask, scales of 6 bits.
struct BlockQ3_K {
  static constexpr int kSize = kSuperBlock;
  uint8_t hmask[32];
  uint8_t qs[64];
  uint8_t scales[12];
  uint16_t d;
};

// Eight sub-blocks of 32: x = (d * scale) * q - (dmin * min). `scales` packs eight 6-bit scales and mins.
// In each chunk of 64 elements, 32 bytes of qs: low nibbles first half, high nibbles second half.
struct BlockQ4_K {
  static constexpr int kSize = kSuperBlock;
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t qs[128];
};

// As Q4_K; bit g of qh[l] is the fifth bit of element l of sub-block g.
struct BlockQ5_K {
  static constexpr int kSize = kSuperBlock;
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
};

// Sixteen sub-blocks of 16: x = d * scale * (q - 32), q of 6 bits: four in ql, two in qh.
struct BlockQ6_K {
  static constexpr int kSize = kSuperBlock;
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;
};
static_assert(sizeof(BlockQ2_K) == 84 && sizeof(BlockQ3_K) == 110 && sizeof(BlockQ4_K) == 144);
static_assert(sizeof(BlockQ5_K) == 176 && sizeof(BlockQ6_K) == 210);

// Values of the 4-bit codes of IQ4_NL and IQ4_XS.
inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

struct BlockIQ4_NL {  // x = d * value[q], nibbles as in Q4_0
  static constexpr int kSize = kBlock;
  uint16_t d;
  uint8_t qs[16];
};

// Eight sub-blocks of 32: x = (d * (scale - 32)) * value[q], nibbles of each sub-block as in Q4_0. The four low bits of
// the scales lie in scales_l, the two high ones in scales_h.
struct BlockIQ4_XS {
  static constexpr int kSize = kSuperBlock;
  uint16_t d;
  uint16_t scales_h;
  uint8_t scales_l[4];
  uint8_t qs[128];
};
static_assert(sizeof(BlockIQ4_NL) == 18 && sizeof(BlockIQ4_XS) == 136);

// The 4-bit NormalFloat of QLoRA (Dettmers et al. 2023) in blocks of 64 with scales in f32, as bitsandbytes has it: quantiles of the normal
// distribution, x = absmax * value[q], the first of two in the high nibble.
inline constexpr float kNf4Values[16] = {-1.0f, -0.6961928010f, -0.5250730515f, -0.3949174881f, -0.2844413817f, -0.1847734302f, -0.0910500363f, 0.0f,
                                         0.0795802996f, 0.1609302014f, 0.2461123019f, 0.3379152417f, 0.4407098293f, 0.5626170039f, 0.7229568362f, 1.0f};

struct BlockNF4 {
  static constexpr int kSize = 64;
  float absmax;
  uint8_t qs[32];
};
static_assert(sizeof(BlockNF4) == 36);

// Types whose codes choose points of a codebook (codebooks.h) for groups of eight or four values. In super-blocks of eight
// sub-blocks of 32. Seven bits hold the signs of eight values: the eighth makes their number even.

// Each 8 bytes of a sub-block: four points, then a u32 with 4 x 7 sign bits and the scale on top.
// x = d * (scale + 1/2) / 4 * value.
struct BlockIQ2_XXS {
  static constexpr int kSize = kSuperBlock;
  uint16_t d;
  uint8_t qs[64];
};
// Each u16: point in 9 bits, signs in 7. Two scales of 16 values in each byte. x as above.
struct BlockIQ2_XS {
  static constexpr int kSize = kSuperBlock;
  uint16_t d;
  uint16_t qs[32];
  uint8_t scales[8];
};
// Points: low 8 bits in qs, two high ones of each in qh. All eight signs are stored. x as above.
struct BlockIQ2_S {
  static constexpr int kSize = kSuperBlock;
  uint16_t d;
  uint8_t qs[32];
  uint8_t signs[32];
  uint8_t qh[8];
  uint8_t scales[8];
};
// Points of four; for each sub-block a u32 as in IQ2_XXS. x = d * (scale + 1/2) / 2 * value.
struct BlockIQ3_XXS {
  static constexpr int kSize = kSuperBlock;
  uint16_t d;
  uint8_t qs[64];
  uint8_t scales_and_signs[32];
};
// Points of four: low 8 bits in qs, the ninth in qh. x = d * (2 * scale + 1) * value.
struct BlockIQ3_S {
  static constexpr int kSize = kSuperBlock;
  uint16_t d;
  uint8_t qs[64];
  uint8_t qh[8];
  uint8_t signs[32];
  uint8_t scales[4];
};
// Points: low 8 bits in qs; in each u16 of qh 4 x 3 high ones, the scale, and the sign of the shift.
// x = d * (2 * scale + 1) * (value + shift), shift = 1/8 or -1/8.
struct BlockIQ1_S {
  static constexpr int kSize = kSuperBlock;
  uint16_t d;
  uint8_t qs[32];
  uint16_t qh[8];
};
// As IQ1_S; each nibble of qh has three high bits of a point and the sign of its shift; scales of 16 values have 3 bits,
// four in each u16, whose top nibbles together are d.
struct BlockIQ1_M {
  static constexpr int kSize = kSuperBlock;
  uint8_t qs[32];
  uint8_t qh[16];
  uint16_t scales[4];
};
static_assert(sizeof(BlockIQ2_XXS) == 66 && sizeof(BlockIQ2_XS) == 74 && sizeof(BlockIQ2_S) == 82);
static_assert(sizeof(BlockIQ3_XXS) == 98 && sizeof(BlockIQ3_S) == 110);
static_assert(sizeof(BlockIQ1_S) == 50 && sizeof(BlockIQ1_M) == 56);

// x = d * (digit - 1). Five base-3 digits in a byte, as a fraction of 256: see tq1_0_digit.
struct BlockTQ1_0 {
  static constexpr int kSize = kSuperBlock;
  uint8_t qs[48];
  uint8_t qh[4];
  uint16_t d;
};
struct BlockTQ2_0 {  // x = d * (q - 1); four planes of 32 elements in each 32 bytes of qs
  static constexpr int kSize = kSuperBlock;
  uint8_t qs[64];
  uint16_t d;
};
// 128 values of an I2_S tensor with the tensor's scale beside them, x = d * (q - 1), q = 3 counting as 1. Byte p holds
// elements p, p + 32, p + 64, p + 96 from its highest bits to its lowest. Only minnow's memory has these blocks: in a
// file the codes of the whole tensor come first and the scale after them.
struct BlockI2_S {
  static constexpr int kSize = 128;
  float d;
  uint8_t qs[32];
};
static_assert(sizeof(BlockTQ1_0) == 54 && sizeof(BlockTQ2_0) == 66 && sizeof(BlockI2_S) == 36);

// Values of E2M1 codes, doubled.
inline constexpr int8_t kE2M1Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

struct BlockMXFP4 {  // x = 2^(e - 128) * value[q], nibbles as in Q4_0; e = 255 is not a number
  static constexpr int kSize = kBlock;
  uint8_t e;
  uint8_t qs[16];
};
// Four groups of 16: x = e4m3(d[s]) / 2 * value[q]; byte j of a group's 8 holds elements j and j + 8.
struct BlockNVFP4 {
  static constexpr int kSize = 64;
  uint8_t d[4];
  uint8_t qs[32];
};
struct BlockQ1_0 {  // x = d or -d, by bit i % 8 of qs[i / 8]
  static constexpr int kSize = 128;
  uint16_t d;
  uint8_t qs[16];
};
struct BlockQ2_0 {  // x = d * (q - 1), bits 2 (i % 4) of qs[i / 4]
  static constexpr int kSize = 64;
  uint16_t d;
  uint8_t qs[16];
};
static_assert(sizeof(BlockMXFP4) == 17 && sizeof(BlockNVFP4) == 36 && sizeof(BlockQ1_0) == 18 && sizeof(BlockQ2_0) == 18);

// The 6-bit scale and min of sub-block g (0..7) of a Q4_K or Q5_K block.
struct ScaleMin {
  uint8_t scale, min;
};
constexpr ScaleMin q4_k_scale_min(const uint8_t (&s)[12], int g) {
  if (g < 4) return {static_cast<uint8_t>(s[g] & 63), static_cast<uint8_t>(s[g + 4] & 63)};
  return {static_cast<uint8_t>((s[g + 4] & 15) | (s[g - 4] >> 6) << 4),
          static_cast<uint8_t>((s[g + 4] >> 4) | (s[g] >> 6) << 4)};
}

// The code (0..3) of element i (0..255) of the two-bit planes of Q2_K and Q3_K.
constexpr uint8_t two_bit_plane(const uint8_t (&qs)[64], int i) {
  return static_cast<uint8_t>((qs[32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32))) & 3);
}

// The scale (-32..31) of sub-block g (0..15) and the code (-4..3) of element i of a Q3_K block.
constexpr int q3_k_scale(const BlockQ3_K& b, int g) {
  const int low = g < 8 ? b.scales[g] & 15 : b.scales[g - 8] >> 4;
  const int high = (b.scales[8 + g % 4] >> (2 * (g / 4))) & 3;
  return (low | high << 4) - 32;
}
constexpr int q3_k_code(const BlockQ3_K& b, int i) {
  return two_bit_plane(b.qs, i) - (((b.hmask[i % 32] >> (i / 32)) & 1) != 0 ? 0 : 4);
}

// The code (0..31) of element i of a five-bit block of 32 and of a Q5_K block.
template <typename Block>
constexpr uint8_t q5_code(const Block& b, int i) {
  const int low = i < 16 ? b.qs[i] & 15 : b.qs[i - 16] >> 4;
  return static_cast<uint8_t>(low | ((b.qh[i / 8] >> (i % 8)) & 1) << 4);
}
constexpr uint8_t q5_k_code(const BlockQ5_K& b, int i) {
  const int g = i / 32, l = i % 32;
  const int low = (b.qs[32 * (g / 2) + l] >> (4 * (g % 2))) & 15;
  return static_cast<uint8_t>(low | ((b.qh[l] >> g) & 1) << 4);
}

// The 6-bit code (0..63, not yet minus 32) of element i (0..255) of a Q6_K block.
constexpr uint8_t q6_k_code(const BlockQ6_K& b, int i) {
  const int n = i / 128, r = i % 128, j = r / 32, l = r % 32;
  const int low = (b.ql[64 * n + l + 32 * (j & 1)] >> (4 * (j >> 1))) & 15;
  const int high = (b.qh[32 * n + l] >> (2 * j)) & 3;
  return static_cast<uint8_t>(low | high << 4);
}

// The scale (-32..31) of sub-block g (0..7) of an IQ4_XS block.
constexpr int iq4_xs_scale(const BlockIQ4_XS& b, int g) {
  return ((b.scales_l[g / 2] >> (4 * (g % 2)) & 15) | ((b.scales_h >> (2 * g)) & 3) << 4) - 32;
}

// The f16 bits of the scale of an IQ1_M block.
constexpr uint16_t iq1_m_d(const BlockIQ1_M& b) {
  const uint16_t(&s)[4] = b.scales;
  return static_cast<uint16_t>(s[0] >> 12 | (s[1] >> 8 & 0x00F0) | (s[2] >> 4 & 0x0F00) | (s[3] & 0xF000));
}

// The digit (0..2) of element i (0..255) of a TQ1_0 block: elements 0-159 are five digits of the first 32 bytes, 160-239
// of the next 16, 240-255 four digits of qh.
constexpr int tq1_0_digit(const BlockTQ1_0& b, int i) {
  constexpr uint8_t kPowers[5] = {1, 3, 9, 27, 81};
  const auto digit = [&](uint8_t byte, int n) { return static_cast<uint8_t>(byte * kPowers[n]) * 3 >> 8; };
  if (i < 160) return digit(b.qs[i % 32], i / 32);
  if (i < 240) return digit(b.qs[32 + (i - 160) % 16], (i - 160) / 16);
  return digit(b.qh[(i - 240) % 4], (i - 240) / 4);
}

// The code (0..2) of element i (0..127) of an I2_S block.
constexpr int i2_s_code(const BlockI2_S& b, int i) {
  const int q = (b.qs[i % 32] >> (6 - 2 * (i / 32))) & 3;
  return q == 3 ? 1 : q;
}

}  // namespace minnow
