// Random values and weights for the tests of this room, and how they are compared.
#pragma once

#include <gtest/gtest.h>

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

// Any bits are valid codes and sub-block scales; only the f16 scales must be finite.
template <typename Block>
void random_blocks(Random& random, std::span<std::byte> out, double scale) {
  for (std::size_t i = 0; i < out.size(); i += sizeof(Block)) {
    Block block;
    for (auto& byte : std::span(reinterpret_cast<uint8_t*>(&block), sizeof(Block)))
      byte = static_cast<uint8_t>(random.next());
    block.d = f32_to_f16(static_cast<float>(random.normal() * scale));
    if constexpr (requires { block.dmin; })
      block.dmin = f32_to_f16(static_cast<float>(random.normal() * scale));
    std::memcpy(out.data() + i, &block, sizeof(Block));
  }
}

// A matrix of any dtype that can be multiplied. `deviation` is about that of its values for quantized types;
// float types of 16 bits take all magnitudes.
inline Tensor random_matrix(Random& random, DType dtype, int64_t rows, int64_t k, double deviation = 1) {
  std::byte* data = nullptr;
  Tensor tensor = Tensor::allocate(dtype, {rows, k}, &data);
  const std::span<std::byte> out(data, tensor.bytes());
  switch (dtype) {
    case DType::kQ8_0:
      random_blocks<BlockQ8_0>(random, out, deviation / 74);
      break;
    case DType::kQ4_0:
      random_blocks<BlockQ4_0>(random, out, deviation / 4.6);
      break;
    case DType::kQ4_K:
      random_blocks<BlockQ4_K>(random, out, deviation / 320);
      break;
    case DType::kQ6_K:
      random_blocks<BlockQ6_K>(random, out, deviation / 1370);
      break;
    default:
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
