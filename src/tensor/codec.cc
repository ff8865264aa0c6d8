#include "tensor/codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace minnow {
namespace {

void decode(const BlockQ8_0& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 32; ++i) x[i] = d * static_cast<float>(b.qs[i]);
}

void decode(const BlockQ4_0& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int j = 0; j < 16; ++j) {
    x[j] = d * static_cast<float>((b.qs[j] & 15) - 8);
    x[j + 16] = d * static_cast<float>((b.qs[j] >> 4) - 8);
  }
}

void decode(const BlockQ4_K& b, float* x) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int g = 0; g < 8; ++g) {
    const auto [scale, min] = q4_k_scale_min(b.scales, g);
    const float s = d * static_cast<float>(scale), m = dmin * static_cast<float>(min);
    const uint8_t* q = b.qs + 32 * (g / 2);
    const int shift = 4 * (g % 2);
    for (int l = 0; l < 32; ++l) x[32 * g + l] = s * static_cast<float>((q[l] >> shift) & 15) - m;
  }
}

void decode(const BlockQ6_K& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < kSuperBlock; ++i) {
    x[i] = d * static_cast<float>(b.scales[i / 16]) * static_cast<float>(q6_k_code(b, i) - 32);
  }
}

template <typename Block, int kSize>
void decode_blocks(const std::byte* src, float* dst, int64_t n) {
  for (int64_t i = 0; i < n / kSize; ++i) {
    Block block;
    std::memcpy(&block, src + i * static_cast<int64_t>(sizeof(Block)), sizeof(Block));
    decode(block, dst + i * kSize);
  }
}

template <typename T, typename F>
void convert_from(const std::byte* src, float* dst, int64_t n, F to_float) {
  for (int64_t i = 0; i < n; ++i) {
    T value;
    std::memcpy(&value, src + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    dst[i] = to_float(value);
  }
}

template <typename F>
void convert_to_16(const float* src, std::byte* dst, int64_t n, F from_float) {
  for (int64_t i = 0; i < n; ++i) {
    const uint16_t value = from_float(src[i]);
    std::memcpy(dst + 2 * i, &value, 2);
  }
}

// 0 for a scale so small that 1 / d is infinite: its f16 is 0, and any code decodes to 0.
float inverse_of(float d) { return std::abs(d) >= 0x1.0p-126f ? 1.0f / d : 0.0f; }

void encode(const float* x, BlockQ8_0& b) {
  float amax = 0;
  for (int i = 0; i < 32; ++i) amax = std::max(amax, std::abs(x[i]));
  const float d = amax / 127.0f;
  const float inverse = inverse_of(d);
  b.d = f32_to_f16(d);
  for (int i = 0; i < 32; ++i) b.qs[i] = static_cast<int8_t>(std::round(x[i] * inverse));
}

void encode(const float* x, BlockQ4_0& b) {
  float extreme = 0;
  for (int i = 0; i < 32; ++i) {
    if (std::abs(x[i]) > std::abs(extreme)) extreme = x[i];
  }
  const float d = extreme / -8.0f;
  const float inverse = inverse_of(d);
  b.d = f32_to_f16(d);
  const auto code = [&](float v) { return std::min(15, static_cast<int>(v * inverse + 8.5f)); };
  for (int j = 0; j < 16; ++j) b.qs[j] = static_cast<uint8_t>(code(x[j]) | code(x[j + 16]) << 4);
}

template <typename Block>
void encode_blocks(const float* src, std::byte* dst, int64_t n) {
  for (int64_t i = 0; i < n / kBlock; ++i) {
    Block block;
    encode(src + i * kBlock, block);
    std::memcpy(dst + i * static_cast<int64_t>(sizeof(Block)), &block, sizeof(Block));
  }
}

bool finite_f16(uint16_t bits) { return (bits & 0x7C00) != 0x7C00; }

template <typename Block, int kSize, typename F>
bool all_blocks(const std::byte* src, int64_t n, F predicate) {
  for (int64_t i = 0; i < n / kSize; ++i) {
    Block block;
    std::memcpy(&block, src + i * static_cast<int64_t>(sizeof(Block)), sizeof(Block));
    if (!predicate(block)) return false;
  }
  return true;
}

}  // namespace

void decode_row(DType dtype, const std::byte* src, float* dst, int64_t n) {
  switch (dtype) {
    case DType::kF32:
      std::memcpy(dst, src, static_cast<std::size_t>(n) * 4);
      return;
    case DType::kF16:
      return convert_from<uint16_t>(src, dst, n, f16_to_f32);
    case DType::kBF16:
      return convert_from<uint16_t>(src, dst, n, bf16_to_f32);
    case DType::kQ8_0:
      return decode_blocks<BlockQ8_0, 32>(src, dst, n);
    case DType::kQ4_0:
      return decode_blocks<BlockQ4_0, 32>(src, dst, n);
    case DType::kQ4_K:
      return decode_blocks<BlockQ4_K, 256>(src, dst, n);
    case DType::kQ6_K:
      return decode_blocks<BlockQ6_K, 256>(src, dst, n);
    default:
      fail(ErrorCode::kUnsupported, "cannot decode {} to f32", name(dtype));
  }
}

bool can_encode(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16 || dtype == DType::kQ8_0 ||
         dtype == DType::kQ4_0;
}

void encode_row(DType dtype, const float* src, std::byte* dst, int64_t n) {
  switch (dtype) {
    case DType::kF32:
      std::memcpy(dst, src, static_cast<std::size_t>(n) * 4);
      return;
    case DType::kF16:
      return convert_to_16(src, dst, n, f32_to_f16);
    case DType::kBF16:
      return convert_to_16(src, dst, n, f32_to_bf16);
    case DType::kQ8_0:
      return encode_blocks<BlockQ8_0>(src, dst, n);
    case DType::kQ4_0:
      return encode_blocks<BlockQ4_0>(src, dst, n);
    default:
      fail(ErrorCode::kUnsupported, "cannot encode to {}", name(dtype));
  }
}

bool has_finite_scales(DType dtype, const std::byte* src, int64_t n) {
  const auto one = [](const auto& b) { return finite_f16(b.d); };
  switch (dtype) {
    case DType::kQ8_0:
      return all_blocks<BlockQ8_0, 32>(src, n, one);
    case DType::kQ4_0:
      return all_blocks<BlockQ4_0, 32>(src, n, one);
    case DType::kQ6_K:
      return all_blocks<BlockQ6_K, 256>(src, n, one);
    case DType::kQ4_K:
      return all_blocks<BlockQ4_K, 256>(src, n,
                                        [](const auto& b) { return finite_f16(b.d) && finite_f16(b.dmin); });
    default:
      return true;
  }
}

std::vector<float> to_f32(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.shape.elements()));
  const int64_t n = tensor.shape.last();
  for (int64_t r = 0; r < tensor.shape.rows(); ++r) {
    decode_row(tensor.dtype, tensor.row(r), values.data() + r * n, n);
  }
  return values;
}

}  // namespace minnow
