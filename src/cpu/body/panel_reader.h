// What a kernel reads from a step of a panel (panels.h): codes as bytes, scales and minimums as floats. `row` is the
// first of the V::kLanes rows that fill a vector.
#pragma once

#include "cpu/kernels.h"

namespace minnow::body {

template <class V, PanelType kType>
struct PanelReader {
  static constexpr PanelFormat kFormat = panel_format(kType);
  static constexpr int kBlocks = kFormat.columns / 32;  // of 32 columns in a step
  static constexpr int kStepBytes = kFormat.step_bytes();
  static constexpr int kSubBlock = kFormat.sub_block;
  // Values of eight bits need a dot product of their own.
  static constexpr bool kFull = kFormat.offset == 128;
  // What the dot products leave in for each unit of activation.
  static constexpr int kOffset = kFull ? V::kFullBias : kFormat.offset;
  // Groups whose products with activations of 127 add up to less than 2^15, by pairs of columns.
  static constexpr int kRun = kFull ? 1 : 32767 / (2 * 127 * kFormat.max_value());

  // Four columns of each row, weight / scale + kFormat.offset: group g of the step's 32 columns from 32 * block on.
  static inline __attribute__((always_inline)) typename V::B codes(const uint8_t* step, int block, int g, int row) {
    const uint8_t* low = step + block * kCodeBytes;
    auto code = group<kFormat.low.bits, kFormat.low.at>(low, g, row);
    if constexpr (kFormat.high.bits > 0) {
      code = V::or_b(code, group<kFormat.high.bits, kFormat.high.at>(low + kLowBytes, g, row));
    }
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
    } else if constexpr (kFormat.scale == PanelScale::kE4M3) {
      // As the topmost bits of an f32's exponent and fraction, subnormals are right, too; only the bias is not.
      return V::mul(V::as_f(V::bits_i(V::load_u8(byte), -20, -1)), V::set(0x1p119f));
    } else if constexpr (kFormat.scale == PanelScale::kI8) {
      const auto scale = V::mul(f16(step + kScaleAt, row), V::load_i8(reinterpret_cast<const int8_t*>(byte)));
      return kFormat.unit == 1 ? scale : V::mul(scale, V::set(kFormat.unit));
    } else {
      return V::mul(f16(step + kScaleAt, row), V::to_f(V::bits_i(V::load_u8(byte), 0, 15)));
    }
  }

  // For formats that have one.
  static inline __attribute__((always_inline)) typename V::F min(const uint8_t* step, int sub, int row) {
    const auto all = f16(step + kMinAt, row);
    if constexpr (kFormat.scale == PanelScale::kI8) {
      const uint8_t* byte = step + kByteMinsAt + sub * kPanelRows + row;
      return V::mul(all, V::load_i8(reinterpret_cast<const int8_t*>(byte)));
    } else if constexpr (kFormat.scale == PanelScale::kU4) {
      const uint8_t* byte = step + kByteScalesAt + sub * kPanelRows + row;
      return V::mul(all, V::to_f(V::bits_i(V::load_u8(byte), 4, 15)));
    } else {
      return all;
    }
  }

 private:
  // Constants, since a function that is called could be linked in for the whole program.
  static constexpr int kCodeBytes = kFormat.code_bytes(), kLowBytes = kFormat.low.bytes();
  static constexpr int kScaleAt = kFormat.scale_at(), kMinAt = kFormat.min_at();
  static constexpr int kByteScalesAt = kFormat.byte_scales_at(), kByteMinsAt = kFormat.byte_mins_at();

  // The plane's bits of group g, where they belong in a code.
  template <int kBits, int kAt>
  static inline __attribute__((always_inline)) typename V::B group(const uint8_t* plane, int g, int row) {
    constexpr Plane kPlane{kBits, kAt};
    const auto packed = V::load_b(plane + 64 * kPlane.vector(g) + 4 * row);
    return V::bits(packed, kPlane.shift(g) - kAt, kPlane.mask() << kAt);
  }

  static inline __attribute__((always_inline)) typename V::F f16(const uint8_t* rows, int row) {
    return V::load_f16(reinterpret_cast<const uint16_t*>(rows) + row);
  }
};

}  // namespace minnow::body
