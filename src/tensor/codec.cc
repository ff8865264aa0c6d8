#include "tensor/codec.h"

#include <cstring>

#include "base/error.h"
#include "tensor/decode.h"
#include "tensor/encode.h"
#include "tensor/half.h"
#include "tensor/ternary.h"

namespace minnow {
namespace {

template <typename Block>
Block block_at(const std::byte* src, int64_t i) {
  Block block;
  std::memcpy(&block, src + i * static_cast<int64_t>(sizeof(Block)), sizeof(Block));
  return block;
}

template <typename Block>
void decode_blocks(const std::byte* src, float* dst, int64_t n) {
  for (int64_t i = 0; i < n / Block::kSize; ++i) decode(block_at<Block>(src, i), dst + i * Block::kSize);
}

template <typename Block>
void put_block(const Block& block, std::byte* dst, int64_t i) {
  std::memcpy(dst + i * static_cast<int64_t>(sizeof(Block)), &block, sizeof(Block));
}

template <typename Block>
void encode_blocks(const float* src, std::byte* dst, int64_t n, std::span<const float> weights) {
  Importance importance;
  if (!weights.empty()) {
    float sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += src[i] * src[i];
    importance.row_mean_square = sum / static_cast<float>(n);
  }
  for (int64_t i = 0; i < n / Block::kSize; ++i) {
    const int64_t at = i * Block::kSize;
    Block block;
    if constexpr (requires { encode(src, importance, block); }) {
      if (!weights.empty()) importance.columns = weights.data() + at;
      encode(src + at, importance, block);
    } else {
      encode(src + at, block);
    }
    put_block(block, dst, i);
  }
}

// A row alone is a tensor of one row.
void encode_ternary_row(const float* src, std::byte* dst, int64_t n, std::span<const float>) {
  TernaryScale scale;
  scale.add({src, static_cast<std::size_t>(n)});
  encode_i2_s(src, scale.value(), dst, n);
}

template <typename Block>
bool finite_blocks(const std::byte* src, int64_t n) {
  for (int64_t i = 0; i < n / Block::kSize; ++i) {
    if (!has_finite_scale(block_at<Block>(src, i))) return false;
  }
  return true;
}

template <typename T, float (*kToFloat)(T)>
void decode_values(const std::byte* src, float* dst, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    T value;
    std::memcpy(&value, src + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    dst[i] = kToFloat(value);
  }
}

template <typename T, T (*kFromFloat)(float)>
void encode_values(const float* src, std::byte* dst, int64_t n, std::span<const float>) {
  for (int64_t i = 0; i < n; ++i) {
    const T value = kFromFloat(src[i]);
    std::memcpy(dst + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
  }
}

constexpr float same(float x) { return x; }

struct Codec {
  void (*decode)(const std::byte* src, float* dst, int64_t n) = nullptr;
  void (*encode)(const float* src, std::byte* dst, int64_t n, std::span<const float> weights) = nullptr;
  bool (*finite)(const std::byte* src, int64_t n) = nullptr;  // nullptr: has no scales
};

template <typename Block>
constexpr Codec codec_of() {
  return {decode_blocks<Block>, encode_blocks<Block>, finite_blocks<Block>};
}

// Types that are read only: finding good points for their codes takes importance weights and long searches.
template <typename Block>
constexpr Codec decoder_of() {
  return {decode_blocks<Block>, nullptr, finite_blocks<Block>};
}

Codec codec_for(DType dtype) {
  switch (dtype) {
    case DType::kF32: return {decode_values<float, same>, encode_values<float, same>, nullptr};
    case DType::kF16: return {decode_values<uint16_t, f16_to_f32>, encode_values<uint16_t, f32_to_f16>, nullptr};
    case DType::kBF16: return {decode_values<uint16_t, bf16_to_f32>, encode_values<uint16_t, f32_to_bf16>, nullptr};
    case DType::kQ4_0: return codec_of<BlockQ4_0>();
    case DType::kQ4_1: return codec_of<BlockQ4_1>();
    case DType::kQ5_0: return codec_of<BlockQ5_0>();
    case DType::kQ5_1: return codec_of<BlockQ5_1>();
    case DType::kQ8_0: return codec_of<BlockQ8_0>();
    case DType::kQ2_K: return codec_of<BlockQ2_K>();
    case DType::kQ3_K: return codec_of<BlockQ3_K>();
    case DType::kQ4_K: return codec_of<BlockQ4_K>();
    case DType::kQ5_K: return codec_of<BlockQ5_K>();
    case DType::kQ6_K: return codec_of<BlockQ6_K>();
    case DType::kIQ4_NL: return codec_of<BlockIQ4_NL>();
    case DType::kIQ4_XS: return codec_of<BlockIQ4_XS>();
    case DType::kIQ1_S: return decoder_of<BlockIQ1_S>();
    case DType::kIQ1_M: return decoder_of<BlockIQ1_M>();
    case DType::kIQ2_XXS: return decoder_of<BlockIQ2_XXS>();
    case DType::kIQ2_XS: return decoder_of<BlockIQ2_XS>();
    case DType::kIQ2_S: return decoder_of<BlockIQ2_S>();
    case DType::kIQ3_XXS: return decoder_of<BlockIQ3_XXS>();
    case DType::kIQ3_S: return decoder_of<BlockIQ3_S>();
    case DType::kTQ1_0: return codec_of<BlockTQ1_0>();
    case DType::kTQ2_0: return codec_of<BlockTQ2_0>();
    case DType::kI2_S: return {decode_blocks<BlockI2_S>, encode_ternary_row, finite_blocks<BlockI2_S>};
    case DType::kMXFP4: return codec_of<BlockMXFP4>();
    case DType::kNVFP4: return codec_of<BlockNVFP4>();
    case DType::kQ1_0: return codec_of<BlockQ1_0>();
    case DType::kQ2_0: return codec_of<BlockQ2_0>();
    case DType::kNF4: return codec_of<BlockNF4>();
    default: return {};
  }
}

}  // namespace

void decode_row(DType dtype, const std::byte* src, float* dst, int64_t n) {
  const Codec codec = codec_for(dtype);
  if (codec.decode == nullptr) fail(ErrorCode::kUnsupported, "cannot decode {} to f32", name(dtype));
  codec.decode(src, dst, n);
}

bool can_encode(DType dtype) { return codec_for(dtype).encode != nullptr; }

void encode_row(DType dtype, const float* src, std::byte* dst, int64_t n, std::span<const float> weights) {
  const Codec codec = codec_for(dtype);
  if (codec.encode == nullptr) fail(ErrorCode::kUnsupported, "cannot encode to {}", name(dtype));
  if (!weights.empty() && static_cast<int64_t>(weights.size()) != n) {
    fail(ErrorCode::kInternal, "{} importance weights for a row of {}", weights.size(), n);
  }
  codec.encode(src, dst, n, weights);
}

void encode_i2_s(const float* src, float scale, std::byte* dst, int64_t n) {
  for (int64_t i = 0; i < n / BlockI2_S::kSize; ++i) {
    BlockI2_S block;
    encode(src + i * BlockI2_S::kSize, scale, block);
    put_block(block, dst, i);
  }
}

bool has_finite_scales(DType dtype, const std::byte* src, int64_t n) {
  const Codec codec = codec_for(dtype);
  return codec.finite == nullptr || codec.finite(src, n);
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
