// How quantized matrices and activations lie in memory for the integer kernels.
//
// A weight matrix [N, K] is cut into panels of 16 rows. Within a panel, memory runs along K in blocks of 32 columns,
// and within a block in groups of 4: the 16 rows' 4 bytes lie side by side, so that one 512-bit register holds one
// group of all rows (a 256-bit one half of them, a 128-bit one a quarter) and each 32-bit lane is one row. A dot
// product step multiplies it with 4 activation bytes that are the same in every lane. Rows past N are zero.
//
// Group g (0..7) of a block holds columns 4g .. 4g + 3. Two 4-bit codes share a byte: group g in the low nibbles,
// group g + 4 in the high ones.
//
// Every type walks blocks of 32 in the same order and adds each block's product to one f32 accumulator per output,
// so a result does not depend on how many rows or columns are computed together.
#pragma once

#include <cstdint>

namespace minnow {

inline constexpr int kPanelRows = 16;

struct PanelQ8_0 {
  uint16_t d[16];      // f16
  uint8_t q[8][16][4]; // code + 128
};
struct PanelQ4_0 {
  uint16_t d[16];
  uint8_t q[4][16][4];  // code 0..15; minus 8 to get the value
};
struct PanelQ4_K {  // 256 columns
  uint16_t d[16], dmin[16];
  struct Sub {
    uint8_t scale[16], min[16];
    uint8_t q[4][16][4];
  } sub[8];
};
struct PanelQ6_K {  // 256 columns
  uint16_t d[16];
  struct Sub {
    int8_t scale[2][16];      // of columns 0..15 and 16..31
    uint8_t low[4][16][4];    // low four bits as above
    uint8_t high[2][16][4];   // two high bits of groups 0..3 and of groups 4..7, group g at bits 2 (g mod 4)
  } sub[8];
};
static_assert(sizeof(PanelQ8_0) == 16 * 34 && sizeof(PanelQ4_0) == 16 * 18);
static_assert(sizeof(PanelQ4_K) == 2368 && sizeof(PanelQ6_K) == 16 * 210);

inline constexpr int kActColumns = 32;

// 32 activations: x[i] = d * q[i]; sum[h] is the sum of the 16 codes of half h.
struct alignas(16) ActBlock {
  int8_t q[kActColumns];
  float d;
  int32_t sum[2];
  int32_t unused;
};
static_assert(sizeof(ActBlock) == 48);

}  // namespace minnow
