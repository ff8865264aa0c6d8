// Random values and weights for the tests of this room, and how they are compared.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "cpu/executor.h"
#include "cpu/pack.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace minnow::test {

// How often a property is tried. An emulated CPU is some thirty times slower, and gets fewer.
#ifdef MINNOW_EMULATED
constexpr int tries(int n) { return n < 10 ? 1 : n / 10; }
#else
constexpr int tries(int n) { return n; }
#endif

inline constexpr double kUnit =
    0x1.0p-24;  // half an ulp of 1.0f: the most that one f32 rounding is off, relatively

// A fixture per instruction set of this machine.
class EveryIsa : public testing::TestWithParam<Isa> {
 protected:
  const Kernels& kernels() const { return kernels_for(GetParam()); }
};
inline std::string isa_name(const testing::TestParamInfo<Isa>& info) { return std::string(name(info.param)); }

inline int64_t between(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random.below(static_cast<uint64_t>(high - low + 1)));
}

inline std::vector<float> normals(Random& random, int64_t n, double deviation = 1) {
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& v : values) v = static_cast<float>(random.normal() * deviation);
  return values;
}

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

// Bits of a float type that are a number, not too large to be summed in f32; zeros and subnormals included.
inline void random_numbers(Random& random, DType dtype, std::span<std::byte> out) {
  for (std::size_t i = 0; i < out.size(); i += dtype == DType::kF32 ? 4 : 2) {
    if (dtype == DType::kF32) {
      const auto v = static_cast<float>(random.normal());
      std::memcpy(out.data() + i, &v, 4);
      continue;
    }
    auto bits = static_cast<uint16_t>(random.next());
    if (dtype == DType::kF16 && (bits & 0x7C00) == 0x7C00) bits &= 0x83FF;
    if (dtype == DType::kBF16 && (bits & 0x6000) == 0x6000) bits &= 0x9FFF;  // below 2^64
    if (dtype == DType::kBF16 && (bits & 0x7F80) == 0x3F80) bits &= 0x807F;  // some subnormals, too
    std::memcpy(out.data() + i, &bits, 2);
  }
}

// The scales of a block that must be numbers: set_scales(block, d, min) gives it these. Everything else may be any bits.
template <typename Block>
void set_scales(Block& b, float d, float min) {
  b.d = f32_to_f16(d);
  if constexpr (requires { b.m; }) b.m = f32_to_f16(min);
  if constexpr (requires { b.dmin; }) b.dmin = f32_to_f16(min);
}
inline void set_scales(BlockI2_S& b, float d, float) { b.d = d; }
inline void set_scales(BlockMXFP4& b, float d, float) {  // the power of two below |d|, times 2
  b.e = static_cast<uint8_t>(std::clamp(std::ilogb(d) + 128, 0, 254));
}
inline void set_scales(BlockNVFP4&, float, float) {}

// Calls f with a block of the type.
template <typename Fn>
void with_block(DType dtype, Fn f) {
  switch (dtype) {
    case DType::kQ4_0: return f(BlockQ4_0{});
    case DType::kQ4_1: return f(BlockQ4_1{});
    case DType::kQ5_0: return f(BlockQ5_0{});
    case DType::kQ5_1: return f(BlockQ5_1{});
    case DType::kQ8_0: return f(BlockQ8_0{});
    case DType::kQ2_K: return f(BlockQ2_K{});
    case DType::kQ3_K: return f(BlockQ3_K{});
    case DType::kQ4_K: return f(BlockQ4_K{});
    case DType::kQ5_K: return f(BlockQ5_K{});
    case DType::kQ6_K: return f(BlockQ6_K{});
    case DType::kIQ4_NL: return f(BlockIQ4_NL{});
    case DType::kIQ4_XS: return f(BlockIQ4_XS{});
    case DType::kTQ1_0: return f(BlockTQ1_0{});
    case DType::kTQ2_0: return f(BlockTQ2_0{});
    case DType::kI2_S: return f(BlockI2_S{});
    case DType::kMXFP4: return f(BlockMXFP4{});
    case DType::kNVFP4: return f(BlockNVFP4{});
    case DType::kQ1_0: return f(BlockQ1_0{});
    case DType::kQ2_0: return f(BlockQ2_0{});
    default: FAIL() << "no blocks of type " << name(dtype);
  }
}
inline constexpr DType kWeightTypes[] = {
    DType::kF32,    DType::kF16,   DType::kBF16,  DType::kQ4_0, DType::kQ4_1,  DType::kQ5_0,
    DType::kQ5_1,   DType::kQ8_0,  DType::kQ2_K,  DType::kQ3_K, DType::kQ4_K,  DType::kQ5_K,
    DType::kQ6_K,   DType::kIQ4_NL, DType::kIQ4_XS, DType::kTQ1_0, DType::kTQ2_0, DType::kI2_S,
    DType::kMXFP4,  DType::kNVFP4, DType::kQ1_0,  DType::kQ2_0};
inline constexpr std::span<const DType> kBlockTypes = std::span(kWeightTypes).subspan(3);

// Fills blocks with bytes of `byte()` and scales of `scale()`. I2_S gets one scale for all.
template <typename Byte, typename Scale>
void fill_blocks(DType dtype, std::span<std::byte> out, Byte byte, Scale scale) {
  with_block(dtype, [&](auto block) {
    const float first = scale();
    for (std::size_t i = 0; i < out.size(); i += sizeof(block)) {
      for (auto& b : std::span(reinterpret_cast<uint8_t*>(&block), sizeof(block))) b = byte();
      const float d = scale(), min = scale();
      set_scales(block, dtype == DType::kI2_S ? first : d, min);
      std::memcpy(out.data() + i, &block, sizeof(block));
    }
  });
}

// The scale that makes values of random blocks about 1 in size.
inline double unit_scale(DType dtype) {
  switch (dtype) {
    case DType::kQ8_0:
    case DType::kIQ4_NL: return 1.0 / 74;
    case DType::kQ5_0:
    case DType::kQ5_1: return 1 / 9.2;
    case DType::kQ2_K: return 1.0 / 17;
    case DType::kQ3_K: return 1.0 / 42;
    case DType::kQ4_K: return 1.0 / 320;
    case DType::kQ5_K: return 1.0 / 640;
    case DType::kQ6_K:
    case DType::kIQ4_XS: return 1.0 / 1370;
    case DType::kTQ1_0:
    case DType::kTQ2_0:
    case DType::kI2_S:
    case DType::kQ1_0:
    case DType::kQ2_0: return 1;
    default: return 1 / 4.6;
  }
}

// A matrix of any dtype that can be multiplied. `deviation` is about that of its values for quantized types but NVFP4,
// whose scales have few bits and take all magnitudes, as do floats of 16 bits.
inline Tensor random_matrix(Random& random, DType dtype, int64_t rows, int64_t k, double deviation = 1) {
  std::byte* data = nullptr;
  Tensor tensor = Tensor::allocate(dtype, {rows, k}, &data);
  const std::span<std::byte> out(data, tensor.bytes());
  if (is_quantized(dtype)) {
    const double scale = deviation * unit_scale(dtype);
    fill_blocks(
        dtype, out, [&] { return static_cast<uint8_t>(random.next()); },
        [&] { return static_cast<float>(random.normal() * scale); });
  } else {
    random_numbers(random, dtype, out);
  }
  return tensor;
}

// Memory for a packed matrix, aligned as it wants.
class PackedMemory {
 public:
  explicit PackedMemory(const Tensor& t) : bytes_(packed_bytes_of(t) + 64) {}
  std::byte* data() {
    const auto address = reinterpret_cast<uintptr_t>(bytes_.data());
    return bytes_.data() + (64 - address % 64) % 64;
  }

 private:
  static std::size_t packed_bytes_of(const Tensor& t) {
    return static_cast<std::size_t>(packed_bytes(t.dtype, t.shape));
  }
  std::vector<std::byte> bytes_;
};

}  // namespace minnow::test
