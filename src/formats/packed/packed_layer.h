// The tensors of one packed layer, and what the methods share in reading them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "formats/packed/unpack_quantized.h"
#include "tensor/codec.h"

namespace minnow::packed {

class PackedLayer {
 public:
  PackedLayer(const TensorList& tensors, std::string name, const Quantization& quantization,
              const std::string& source)
      : tensors_(tensors), name_(std::move(name)), quantization_(quantization), source_(source) {}

  const Quantization& quantization() const { return quantization_; }
  JsonFields settings() const { return {quantization_.settings, quantization_.source}; }
  // nullptr when absent; `part` begins with a point.
  const Tensor* find(std::string_view part) const { return tensors_.find(name_ + std::string(part)); }
  // These two throw kInvalidInput when the tensor is absent, empty, or of another type or shape.
  const Tensor& require(std::string_view part, DType dtype, int rank) const;
  const Tensor& require(std::string_view part, DType dtype, const Shape& shape) const;
  // A tensor of F32, F16 or BF16 with `n` elements, as f32; all must be finite.
  std::vector<float> require_scales(std::string_view part, int64_t n) const;
  // kInvalidInput: the layer's name, what is wrong, and what to do.
  [[noreturn]] void refuse(const std::string& what) const;

 private:
  const TensorList& tensors_;
  std::string name_;
  const Quantization& quantization_;
  const std::string& source_;
};

inline const uint32_t* words(const Tensor& t) { return reinterpret_cast<const uint32_t*>(t.data); }
inline const uint8_t* octets(const Tensor& t) { return reinterpret_cast<const uint8_t*>(t.data); }

// Code number `i` of a stream of 32-bit words, lowest bits first, where codes may straddle two words. Word w
// of the stream is words[w * stride].
inline uint32_t packed_code(const uint32_t* words, int64_t stride, int64_t i, int bits) {
  const int64_t bit = i * bits;
  const int shift = static_cast<int>(bit % 32);
  uint32_t code = words[(bit / 32) * stride] >> shift;
  if (shift + bits > 32) code |= words[(bit / 32 + 1) * stride] << (32 - shift);
  return code & ((1u << bits) - 1);
}

// A weight on a grid: value(o, k) = scale(o, group[k]) * (code(o, k) - zero(o, group[k])), in `dtype`.
struct Grid {
  int64_t out = 0, in = 0, groups = 0;
  std::vector<int32_t> group;  // [in]
  DType dtype = DType::kF16;
};

template <typename Scale, typename Zero, typename Code>
Tensor grid_weight(const Grid& grid, Scale scale, Zero zero, Code code) {
  std::byte* data = nullptr;
  const Shape shape{grid.out, grid.in};
  checked_tensor_bytes(grid.dtype, shape, "an unpacked weight");
  Tensor weight = Tensor::allocate(grid.dtype, shape, &data);
  std::vector<float> scales(static_cast<std::size_t>(grid.groups)), row(static_cast<std::size_t>(grid.in));
  std::vector<int32_t> zeros(scales.size());
  for (int64_t o = 0; o < grid.out; ++o) {
    for (int64_t g = 0; g < grid.groups; ++g) {
      scales[static_cast<std::size_t>(g)] = scale(o, g);
      zeros[static_cast<std::size_t>(g)] = zero(o, g);
    }
    for (int64_t k = 0; k < grid.in; ++k) {
      const auto i = static_cast<std::size_t>(k), g = static_cast<std::size_t>(grid.group[i]);
      row[i] = scales[g] * static_cast<float>(code(o, k) - zeros[g]);
    }
    encode_row(grid.dtype, row.data(), data + static_cast<uint64_t>(o) * row_bytes(grid.dtype, grid.in),
               grid.in);
  }
  return weight;
}

// Which group each input belongs to. From the tensor `part` (i32 [in]) where it is there, each within
// `groups`; else in runs of group_size, or all in one when that is -1. Throws when the groups do not come
// out.
std::vector<int32_t> group_of_inputs(const PackedLayer& layer, std::string_view part, int64_t in,
                                     int64_t groups, int64_t group_size);

// The type that results are rounded to: that of the scales.
DType scale_dtype(const PackedLayer& layer, std::string_view part);
// "float16", "torch.bfloat16", …; F16 for an empty or unknown word.
DType dtype_of_torch(std::string_view word);

Tensor unpack_gptq(const PackedLayer& layer);
Tensor unpack_awq(const PackedLayer& layer);
Tensor unpack_bitsandbytes_4bit(const PackedLayer& layer);
Tensor unpack_bitsandbytes_8bit(const PackedLayer& layer);
Tensor unpack_compressed_ints(const PackedLayer& layer);   // "pack-quantized"
Tensor unpack_compressed_bytes(const PackedLayer& layer);  // "int-quantized"
Tensor unpack_bitnet(const PackedLayer& layer);

}  // namespace minnow::packed
