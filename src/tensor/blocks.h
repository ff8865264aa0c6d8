// Bit layouts of the quantized blocks, as they lie in GGUF files (little-endian; f16 as bit patterns).
#pragma once

#include <cstdint>

namespace minnow {

inline constexpr int kBlock = 32;        // elements of a simple block
inline constexpr int kSuperBlock = 256;  // elements of a K block

// x[i] = d * qs[i]
struct BlockQ8_0 {
  uint16_t d;
  int8_t qs[32];
};
static_assert(sizeof(BlockQ8_0) == 34);

// x[i] = d * (q - 8); byte j holds q of element j (low nibble) and of element j + 16 (high nibble).
struct BlockQ4_0 {
  uint16_t d;
  uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_0) == 18);

// Eight sub-blocks of 32: x = (d * scale) * q - (dmin * min). `scales` packs eight 6-bit scales and mins.
// In each chunk of 64 elements, 32 bytes of qs: low nibbles first half, high nibbles second half.
struct BlockQ4_K {
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t qs[128];
};
static_assert(sizeof(BlockQ4_K) == 144);

// Sixteen sub-blocks of 16: x = d * scale * (q - 32), q of 6 bits: four in ql, two in qh.
struct BlockQ6_K {
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;
};
static_assert(sizeof(BlockQ6_K) == 210);

// The 6-bit scale and min of sub-block g (0..7) of a Q4_K block.
struct ScaleMin {
  uint8_t scale, min;
};
constexpr ScaleMin q4_k_scale_min(const uint8_t (&s)[12], int g) {
  if (g < 4) return {static_cast<uint8_t>(s[g] & 63), static_cast<uint8_t>(s[g + 4] & 63)};
  return {static_cast<uint8_t>((s[g + 4] & 15) | (s[g - 4] >> 6) << 4),
          static_cast<uint8_t>((s[g + 4] >> 4) | (s[g] >> 6) << 4)};
}

// The 6-bit code (0..63, not yet minus 32) of element i (0..255) of a Q6_K block.
constexpr uint8_t q6_k_code(const BlockQ6_K& b, int i) {
  const int n = i / 128, r = i % 128, j = r / 32, l = r % 32;
  const int low = (b.ql[64 * n + l + 32 * (j & 1)] >> (4 * (j >> 1))) & 15;
  const int high = (b.qh[32 * n + l] >> (2 * j)) & 3;
  return static_cast<uint8_t>(low | high << 4);
}

}  // namespace minnow
