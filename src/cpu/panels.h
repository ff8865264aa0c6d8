// How quantized matrices and activations lie in memory for the integer kernels.
//
// A weight matrix [N, K] is cut into panels of 32 rows, and a panel into steps along K, one for each block of the
// type. What the blocks of the 32 rows hold lies side by side within a step: the codes in blocks of 32 columns, then
// the scales. Rows past N are zero. A panel is one contiguous stream of whole cache lines, whoever reads it.
//
// The codes of 32 columns are 8 groups of 4: group g holds columns 4g .. 4g + 3. The 4 bytes of a group of one row are a
// 32-bit lane, and the 32 rows side by side are a plane of 128 bytes: two registers of 512 bits, four of 256. A dot
// product step multiplies them with 4 activation bytes that are the same in every lane. Narrow codes share their bytes
// with other groups, never with another row or column of the group, so that a shift and a mask give a group (CodeBits).
// Kernels read planes in the order in which they lie, which is what the hardware's prefetching follows.
//
// What sets the types apart is in a table of facts, panel_format. Packing and kernels are written once, for any row of
// it. Every type walks its sub-blocks in the same order and adds up each output by itself, so a result does not depend
// on how many rows or columns are computed together.
#pragma once

#include <cstdint>

#include "tensor/blocks.h"

namespace minnow {

inline constexpr int kPanelRows = 32;
inline constexpr int kPlaneBytes = 4 * kPanelRows;

// Named after their blocks. TQ1_0 is packed as TQ2_0. The types of codebooks (IQ1 to IQ3) have one form, in which each value
// has a byte of its own: three to five times the size of their blocks.
enum class PanelType : uint8_t {
  kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ8_0,
  kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K,
  kIQ4_NL, kIQ4_XS,
  kTQ2_0, kI2_S,
  kMXFP4, kNVFP4, kQ1_0, kQ2_0,
  kCodebook
};
inline constexpr int kNumPanelTypes = 19;

// Where the codes of the 8 groups lie in `bits` planes, which hold 32 columns. Each byte holds as many whole codes as
// fit, from bit 0 up: one group after another. What is left of the bytes, one plane after another, holds the other groups
// in pieces.
struct CodeBits {
  struct Piece {
    int plane = 0, from = 0;   // bit in the byte
    int bits = 0, to = 0;      // bit in the code
  };
  struct Group {
    int n = 0;
    Piece piece[3];
  };
  struct Groups {
    Group group[8];
  };

  int bits = 8;

  constexpr int bytes() const { return kPlaneBytes * bits; }
  constexpr int mask() const { return (1 << bits) - 1; }
  constexpr Groups groups() const {
    Groups all;
    const int whole = 8 / bits;
    int plane = 0, from = whole * bits;  // the next free bit
    for (int g = 0; g < 8; ++g) {
      Group& group = all.group[g];
      if (g < whole * bits) {
        group.n = 1;
        group.piece[0] = {g / whole, g % whole * bits, bits, 0};
        continue;
      }
      for (int to = 0; to < bits;) {
        const int n = bits - to < 8 - from ? bits - to : 8 - from;
        group.piece[group.n++] = {plane, from, n, to};
        to += n;
        from += n;
        if (from == 8) {
          ++plane;
          from = whole * bits;
        }
      }
    }
    return all;
  }
};

enum class PanelScale : uint8_t {
  kF16,   // one per step
  kF32,   // one per step for all rows
  kE8M0,  // one per sub-block: 2^(e - 128)
  kE4M3,  // one per sub-block, halved; no sign, no code for "not a number"
  kI8,    // one per sub-block, times an f16 of the step
  kU4     // the same in the low nibble of a byte; the high nibble is the minimum
};

enum class PanelValues : uint8_t { kCode, kIq4, kE2M1 };  // what a code stands for: itself, or a value of a table

// The values of 4-bit codes, with their offset.
struct PanelTable {
  uint8_t value[16];
  constexpr int max() const {
    int largest = 0;
    for (const int v : value) largest = v > largest ? v : largest;
    return largest;
  }
};
constexpr PanelTable with_offset(const int8_t (&values)[16], int offset) {
  PanelTable table{};
  for (int i = 0; i < 16; ++i) table.value[i] = static_cast<uint8_t>(values[i] + offset);
  return table;
}
inline constexpr int kIq4Offset = 128, kE2M1Offset = 16;  // powers of two
inline constexpr PanelTable kIq4Table = with_offset(kIq4Values, kIq4Offset);
inline constexpr PanelTable kE2M1Table = with_offset(kE2M1Values, kE2M1Offset);

// The form in which a product reads the rows of its input: floats, or blocks of activations x[i] = d * q[i] with the sums of
// codes that take offsets and minimums into account.
enum class MatMulInput : uint8_t { kF32, kBf16, kBlocks32, kBlocks256 };

struct alignas(16) ActBlock32 {
  static constexpr int kColumns = 32;
  int8_t q[32];
  float d;
  float d_sum;      // d times the sum of all codes
  int32_t neg_sum;  // minus the sum of all codes
  int32_t unused;
};
static_assert(sizeof(ActBlock32) == 48);

// For types whose blocks are longer than 32; the last block of a row is filled up with zeros.
struct alignas(64) ActBlock256 {
  static constexpr int kColumns = 256;
  int8_t q[256];
  int32_t neg_sum[16];  // minus the sum of 16 codes
  int16_t sum16[16];    // of 16 codes
  int16_t sum32[8];     // of 32
  float d;
  int32_t unused[3];
};
static_assert(sizeof(ActBlock256) == 384);

// A weight is scale * (value - offset) + min.
struct PanelFormat {
  int columns;  // of a step
  CodeBits codes;        // of each value, or of its place in a table
  int code_shift = 0;    // values are codes times 2^code_shift
  int offset = 0;
  PanelValues values = PanelValues::kCode;
  PanelScale scale = PanelScale::kF16;
  int sub_block = 32;    // columns that share a scale
  float unit = 1;        // a power of two that every scale is multiplied with (kI8 only)
  bool has_min = false;  // one beside each scale, of the same kind; an f16 of the step that multiplies it is negated

  constexpr int max_value() const {
    if (values == PanelValues::kIq4) return kIq4Table.max();
    if (values == PanelValues::kE2M1) return kE2M1Table.max();
    return codes.mask() << code_shift;
  }

  // Byte scales times an f16: their products with sums of codes are added up as integers over the step.
  constexpr bool integer_scales() const { return scale == PanelScale::kI8 || scale == PanelScale::kU4; }
  constexpr MatMulInput input() const { return columns == 32 ? MatMulInput::kBlocks32 : MatMulInput::kBlocks256; }

  // A step, in this order: the codes of each 32 columns; f16 scales (f32: a single one), f16 minimums, a byte scale for
  // each sub-block, a byte minimum for each (kI8 only). Each is 32 rows wide;
  // of integer scales and minimums, two sub-blocks lie together: those of a row are neighbours.
  constexpr int code_bytes() const { return codes.bytes(); }  // of 32 columns
  constexpr bool one_scale() const { return scale == PanelScale::kF32; }
  constexpr bool has_f16_scale() const {
    return scale == PanelScale::kF16 || scale == PanelScale::kI8 || scale == PanelScale::kU4;
  }
  constexpr bool has_byte_scales() const { return scale != PanelScale::kF16 && !one_scale(); }
  constexpr bool has_byte_mins() const { return has_min && scale == PanelScale::kI8; }
  constexpr int subs() const { return columns / sub_block; }

  constexpr int scale_at() const { return columns / 32 * code_bytes(); }
  constexpr int min_at() const { return scale_at() + (one_scale() ? 32 : has_f16_scale() ? 2 * kPanelRows : 0); }
  constexpr int byte_scales_at() const { return min_at() + (has_min ? 2 * kPanelRows : 0); }
  constexpr int byte_mins_at() const { return byte_scales_at() + (has_byte_scales() ? subs() * kPanelRows : 0); }
  constexpr int step_bytes() const {
    return (byte_mins_at() + (has_byte_mins() ? subs() * kPanelRows : 0) + 31) / 32 * 32;
  }
};

constexpr PanelFormat panel_format(PanelType type) {
  switch (type) {
    case PanelType::kQ4_0: return {.columns = 32, .codes = {4}, .offset = 8};
    case PanelType::kQ4_1: return {.columns = 32, .codes = {4}, .has_min = true};
    case PanelType::kQ5_0: return {.columns = 32, .codes = {5}, .offset = 16};
    case PanelType::kQ5_1: return {.columns = 32, .codes = {5}, .has_min = true};
    case PanelType::kQ8_0: return {.columns = 32, .codes = {8}, .offset = 128};
    case PanelType::kQ2_K:
      return {.columns = 256, .codes = {2}, .scale = PanelScale::kU4, .sub_block = 16, .has_min = true};
    case PanelType::kQ3_K:
      return {.columns = 256, .codes = {3}, .offset = 4, .scale = PanelScale::kI8, .sub_block = 16};
    case PanelType::kQ4_K: return {.columns = 256, .codes = {4}, .scale = PanelScale::kI8, .has_min = true};
    case PanelType::kQ5_K:
      return {.columns = 256, .codes = {5}, .scale = PanelScale::kI8, .has_min = true};
    case PanelType::kQ6_K:
      return {.columns = 256, .codes = {6}, .offset = 32, .scale = PanelScale::kI8, .sub_block = 16};
    case PanelType::kIQ4_NL: return {.columns = 32, .codes = {4}, .offset = kIq4Offset, .values = PanelValues::kIq4};
    case PanelType::kIQ4_XS:
      return {.columns = 256, .codes = {4}, .offset = kIq4Offset, .values = PanelValues::kIq4, .scale = PanelScale::kI8};
    case PanelType::kTQ2_0: return {.columns = 256, .codes = {2}, .offset = 1, .sub_block = 256};
    case PanelType::kI2_S: return {.columns = 128, .codes = {2}, .offset = 1, .scale = PanelScale::kF32, .sub_block = 128};
    case PanelType::kMXFP4:
      return {.columns = 32, .codes = {4}, .offset = kE2M1Offset, .values = PanelValues::kE2M1,
              .scale = PanelScale::kE8M0};
    case PanelType::kNVFP4:
      return {.columns = 64, .codes = {4}, .offset = kE2M1Offset, .values = PanelValues::kE2M1, .scale = PanelScale::kE4M3,
              .sub_block = 16};
    case PanelType::kQ1_0: return {.columns = 128, .codes = {1}, .code_shift = 1, .offset = 1, .sub_block = 128};  // codes 0 and 2
    case PanelType::kQ2_0: return {.columns = 64, .codes = {2}, .offset = 1, .sub_block = 64};
    case PanelType::kCodebook:
      return {.columns = 256, .codes = {8}, .offset = 128, .scale = PanelScale::kI8, .sub_block = 16, .unit = 0.125f};
  }
  return {};
}
static_assert(panel_format(PanelType::kQ4_0).step_bytes() == 32 * sizeof(BlockQ4_0));
static_assert(panel_format(PanelType::kQ2_K).step_bytes() == 32 * sizeof(BlockQ2_K));
static_assert(panel_format(PanelType::kQ4_K).step_bytes() == 32 * (sizeof(BlockQ4_K) + 4));  // scales in whole bytes
static_assert(panel_format(PanelType::kNVFP4).step_bytes() == 32 * sizeof(BlockNVFP4));

}  // namespace minnow
