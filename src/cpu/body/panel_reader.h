// What a kernel reads from a step of a panel (panels.h): codes as bytes, scales and minimums. `row` is the first of the
// V::kLanes rows that fill a vector.
#pragma once

#include "cpu/kernels.h"

namespace minnow::body {

template <MatMulInput kForm>
struct ActOf {
  using Block = ActBlock256;
};
template <>
struct ActOf<MatMulInput::kBlocks32> {
  using Block = ActBlock32;
};

template <class V, PanelType kType>
struct PanelReader {
  static constexpr PanelFormat kFormat = panel_format(kType);
  using Act = typename ActOf<kFormat.input()>::Block;
  static constexpr int kStepBytes = kFormat.step_bytes();
  static constexpr int kSubBlock = kFormat.sub_block, kSubs = kFormat.subs();
  // Values of eight bits need a dot product of their own.
  static constexpr bool kFull = kFormat.offset == 128;
  // What the dot products leave in for each unit of activation: 0 or a power of two.
  static constexpr int kOffset = kFull ? V::kFullBias : kFormat.offset;
  static_assert((kOffset & (kOffset - 1)) == 0);
  // Groups whose products with activations of 127 add up to less than 2^15, by pairs of columns.
  static constexpr int kRun = kFull ? 1 : 32767 / (2 * 127 * kFormat.max_value());

  // Four columns of each row, weight / scale + kFormat.offset: group g of the step's 32 columns from 32 * block on.
  static inline __attribute__((always_inline)) typename V::B codes(const uint8_t* step, int block, int g, int row) {
    const uint8_t* block_codes = step + block * kCodeBytes + 4 * row;
    auto code = piece(block_codes, kGroups.group[g].piece[0]);
    if (kGroups.group[g].n > 1) code = V::or_b(code, piece(block_codes, kGroups.group[g].piece[1]));
    if (kGroups.group[g].n > 2) code = V::or_b(code, piece(block_codes, kGroups.group[g].piece[2]));
    if constexpr (kFormat.values == PanelValues::kIq4) return V::lookup(kIq4Table.value, code);
    if constexpr (kFormat.values == PanelValues::kE2M1) return V::lookup(kE2M1Table.value, code);
    return code;
  }

  static inline __attribute__((always_inline)) typename V::Sums dot(typename V::Sums sums, typename V::B codes,
                                                                    const int8_t* x) {
    if constexpr (kFull) {
      return V::dot_full(sums, codes, x);
    } else {
      return V::dot(sums, codes, x);
    }
  }

  // Where the dot products of a sub-block start, which takes their offset out again. The step is `at` columns into x.
  static inline __attribute__((always_inline)) typename V::I start(const Act* x, int at, int sub) {
    if constexpr (kOffset == 0) {
      return V::set_i(0);
    } else if constexpr (kFormat.input() == MatMulInput::kBlocks32) {
      return times_offset(V::load_all(&x->neg_sum));
    } else {
      const int32_t* sums = x->neg_sum + at / 16 + sub * (kSubBlock / 16);
      if constexpr (kSubBlock == 16) {
        return times_offset(V::load_all(sums));
      } else if constexpr (kSubBlock == 32) {
        return times_offset(V::add_i(V::load_all(sums), V::load_all(sums + 1)));
      } else {
        int32_t sum = 0;
        for (int i = 0; i < kSubBlock / 16; ++i) sum += sums[i];
        return V::set_i(kOffset * sum);
      }
    }
  }

  // The scale of a sub-block, for formats without integer scales.
  static inline __attribute__((always_inline)) typename V::F scale(const uint8_t* step, int sub, int row) {
    const uint8_t* byte = step + kByteScalesAt + sub * kPanelRows + row;
    if constexpr (kFormat.scale == PanelScale::kF16) {
      return f16(step + kScaleAt, row);
    } else if constexpr (kFormat.scale == PanelScale::kF32) {
      float all;
      __builtin_memcpy(&all, step + kScaleAt, 4);
      return V::set(all);
    } else if constexpr (kFormat.scale == PanelScale::kE8M0) {
      // As the exponent of an f32, e is 2^(e - 127), but 0 for e = 0.
      const auto twice = V::as_f(V::bits_i(V::load_u8(byte), -23, -1));
      return V::max(V::mul(twice, V::set(0.5f)), V::set(0x1p-128f));
    } else {
      // As the topmost bits of an f32's exponent and fraction, subnormals are right, too; only the bias is not.
      return V::mul(V::as_f(V::bits_i(V::load_u8(byte), -20, -1)), V::set(0x1p119f));
    }
  }
  // Those of sub-blocks 2 * pair and 2 * pair + 1 as 16-bit halves of each row's lane, for formats that have them; times
  // this factor of the step.
  static inline __attribute__((always_inline)) typename V::I scale_pair(const uint8_t* step, int pair, int row) {
    const auto both = V::load_pairs(step + kByteScalesAt + 2 * (pair * kPanelRows + row));
    return kFormat.scale == PanelScale::kU4 ? V::bits_i(both, 0, 0x000F000F) : both;
  }
  static inline __attribute__((always_inline)) typename V::F scale_factor(const uint8_t* step, int row) {
    const auto d = f16(step + kScaleAt, row);
    return kFormat.unit == 1 ? d : V::mul(d, V::set(kFormat.unit));
  }

  // The minimum of the step (no integer scales), and the same as for scales (with integer scales).
  static inline __attribute__((always_inline)) typename V::F min(const uint8_t* step, int row) {
    return f16(step + kMinAt, row);
  }
  static inline __attribute__((always_inline)) typename V::I min_pair(const uint8_t* step, int pair, int row) {
    if constexpr (kFormat.scale == PanelScale::kU4) {
      return V::bits_i(V::load_pairs(step + kByteScalesAt + 2 * (pair * kPanelRows + row)), 4, 0x000F000F);
    } else {
      return V::load_pairs(step + kByteMinsAt + 2 * (pair * kPanelRows + row));
    }
  }

  // The sums of the codes of x that a pair of sub-blocks meets, as 16-bit halves.
  static inline __attribute__((always_inline)) typename V::I sum_pair(const Act* x, int pair) {
    return V::load_all(kSubBlock == 16 ? x->sum16 + 2 * pair : x->sum32 + 2 * pair);
  }

  static inline __attribute__((always_inline)) typename V::I times_offset(typename V::I x) {
    return V::bits_i(x, -kOffsetBits, -1);
  }

 private:
  // Constants, since a function that is called could be linked in for the whole program.
  static constexpr int kCodeBytes = kFormat.code_bytes();
  static constexpr CodeBits::Groups kGroups = kFormat.codes.groups();
  static constexpr int kScaleAt = kFormat.scale_at(), kMinAt = kFormat.min_at();
  static constexpr int kByteScalesAt = kFormat.byte_scales_at(), kByteMinsAt = kFormat.byte_mins_at();
  static constexpr int kOffsetBits = __builtin_ctz(kOffset | 256);

  static inline __attribute__((always_inline)) typename V::B piece(const uint8_t* codes, const CodeBits::Piece& p) {
    const int to = p.to + kFormat.code_shift;
    return V::bits(V::load_b(codes + kPlaneBytes * p.plane), p.from - to, ((1 << p.bits) - 1) << to);
  }

  static inline __attribute__((always_inline)) typename V::F f16(const uint8_t* rows, int row) {
    return V::load_f16(reinterpret_cast<const uint16_t*>(rows) + row);
  }
};

}  // namespace minnow::body
