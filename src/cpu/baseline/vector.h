// Four lanes in plain C++: what every CPU of the architecture can do. The compiler vectorises the loops.
#pragma once

#include <cstdint>

#include "tensor/half.h"

namespace minnow::baseline {

struct Vector {
  struct F {
    float v[4];
  };
  struct I {
    int32_t v[4];
  };
  struct B {
    uint8_t v[16];
  };
  static constexpr int kLanes = 4;
  static constexpr int kTileRows = 2, kTileColumns = 4;    // float products
  static constexpr int kPanelColumns = 2;                  // integer products
  static constexpr bool kPanelPair = false;
  static constexpr int kScoreRows = 2, kScoreVectors = 2;  // attention
  static constexpr int kFullBias = 0;                      // dot_full removes the offset of 128 itself

  template <class Fn>
  static F each(Fn f) {
    F r;
    for (int i = 0; i < 4; ++i) r.v[i] = f(i);
    return r;
  }

  static F zero() { return set(0); }
  static F set(float x) { return {{x, x, x, x}}; }
  static F load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
  static void store(float* p, F x) { store_n(p, x, 4); }
  static F load_n(const float* p, int n) {
    return each([&](int i) { return i < n ? p[i] : 0.0f; });
  }
  static void store_n(float* p, F x, int n) {
    for (int i = 0; i < n; ++i) p[i] = x.v[i];
  }
  static F load_f16(const uint16_t* p) {
    return each([&](int i) { return f16_to_f32(p[i]); });
  }
  static void store_f16(uint16_t* p, F x) {
    for (int i = 0; i < 4; ++i) p[i] = f32_to_f16(x.v[i]);
  }
  static F load_bf16(const uint16_t* p) {
    return each([&](int i) { return bf16_to_f32(p[i]); });
  }
  static F load_i8(const int8_t* p) {
    return each([&](int i) { return static_cast<float>(p[i]); });
  }
  // Rounds to nearest even and saturates.
  static void store_i8(int8_t* p, F x) {
    const F r = round(min(max(x, set(-128)), set(127)));
    for (int i = 0; i < 4; ++i) p[i] = static_cast<int8_t>(r.v[i]);
  }

  static F add(F a, F b) {
    return each([&](int i) { return a.v[i] + b.v[i]; });
  }
  static F sub(F a, F b) {
    return each([&](int i) { return a.v[i] - b.v[i]; });
  }
  static F mul(F a, F b) {
    return each([&](int i) { return a.v[i] * b.v[i]; });
  }
  static F div(F a, F b) {
    return each([&](int i) { return a.v[i] / b.v[i]; });
  }
  static F fma(F a, F b, F c) {
    return each([&](int i) { return a.v[i] * b.v[i] + c.v[i]; });
  }
  static F min(F a, F b) {
    return each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F max(F a, F b) {
    return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F abs(F x) {
    return each([&](int i) { return x.v[i] < 0 ? -x.v[i] : x.v[i]; });
  }
  // To nearest even for |x| < 2^22: adding 1.5 * 2^23 pushes the fraction out.
  static F round(F x) {
    return each([&](int i) {
      volatile float shifted = x.v[i] + 12582912.0f;
      return shifted - 12582912.0f;
    });
  }
  // 2^n for whole n in [-126, 127]
  static F pow2(F n) {
    return each([&](int i) { return __builtin_bit_cast(float, (static_cast<int32_t>(n.v[i]) + 127) << 23); });
  }
  // a < b ? yes : no, lane by lane
  static F select_less(F a, F b, F yes, F no) {
    return each([&](int i) { return a.v[i] < b.v[i] ? yes.v[i] : no.v[i]; });
  }
  static float sum(F x) { return (x.v[0] + x.v[2]) + (x.v[1] + x.v[3]); }
  static float max_lane(F x) {
    const float a = x.v[0] > x.v[1] ? x.v[0] : x.v[1], b = x.v[2] > x.v[3] ? x.v[2] : x.v[3];
    return a > b ? a : b;
  }

  static I set_i(int32_t x) { return {{x, x, x, x}}; }
  static F to_f(I x) {
    return each([&](int i) { return static_cast<float>(x.v[i]); });
  }
  static F as_f(I x) {
    return each([&](int i) { return __builtin_bit_cast(float, x.v[i]); });
  }
  static I load_u8(const uint8_t* p) { return {{p[0], p[1], p[2], p[3]}}; }
  // Each lane, not negative, moved right by `shift` (left when negative), then masked.
  static I bits_i(I x, int shift, int mask) {
    for (auto& lane : x.v) lane = (shift < 0 ? lane << -shift : lane >> shift) & mask;
    return x;
  }
  static B load_b(const void* p) {
    B b;
    __builtin_memcpy(b.v, p, 16);
    return b;
  }
  static B or_b(B a, B b) {
    for (int i = 0; i < 16; ++i) a.v[i] |= b.v[i];
    return a;
  }
  // Each byte moved right by `shift` (left when negative), then masked.
  static B bits(B x, int shift, int mask) {
    for (auto& b : x.v) b = static_cast<uint8_t>((shift < 0 ? b << -shift : b >> shift) & mask);
    return x;
  }
  // table[code] for codes below 16
  static B lookup(const uint8_t* table, B codes) {
    for (auto& b : codes.v) b = table[b];
    return codes;
  }
  // acc + sum over the lane's four bytes of code * x[0..3]; codes below 64.
  static I dot(I acc, B codes, const int8_t* x) { return multiply(acc, codes, x, 0); }
  // The same for codes of 8 bits that carry an offset of 128.
  static I dot_full(I acc, B codes, const int8_t* x) { return multiply(acc, codes, x, 128); }

 private:
  static I multiply(I acc, B codes, const int8_t* x, int offset) {
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) acc.v[i] += (codes.v[4 * i + j] - offset) * x[j];
    }
    return acc;
  }
};

}  // namespace minnow::baseline
