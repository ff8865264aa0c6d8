// BitNet b1.58 as Transformers packs it: -1, 0, 1 in two bits, four rows of the weight in each row of bytes,
// and one scale.
#include <cstring>

#include "formats/packed/packed_layer.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace minnow::packed {
namespace {

float read_scale(const PackedLayer& layer) {
  const float scale = layer.require_scales(".weight_scale", 1)[0];
  // BitLinear divides its output by the scale, AutoBitLinear multiplies.
  if (layer.settings().text("linear_class", "bitlinear") == "autobitlinear") return scale;
  if (scale == 0) layer.refuse("weight_scale is zero");
  return 1 / scale;
}

// Row of codes 0, 1, 2 for -1, 0, 1 as blocks; those of blocks.h have the same codes.
void write_blocks(const std::vector<uint8_t>& codes, uint16_t scale, std::byte* data) {
  constexpr std::size_t kBlock = 256;
  for (std::size_t begin = 0; begin < codes.size(); begin += kBlock, data += sizeof(BlockTQ2_0)) {
    BlockTQ2_0 block{};
    for (std::size_t i = 0; i < kBlock; ++i) {
      block.qs[32 * (i / 128) + i % 32] |= static_cast<uint8_t>(codes[begin + i] << (2 * (i % 128 / 32)));
    }
    block.d = scale;
    std::memcpy(data, &block, sizeof(block));
  }
}

}  // namespace

Tensor unpack_bitnet(const PackedLayer& layer) {
  const Tensor& packed = layer.require(".weight", DType::kI8, 2);
  const int64_t quarter = packed.shape[0], in = packed.shape[1];
  const float scale = read_scale(layer);
  const DType dtype = in > 0 && in % info(DType::kTQ2_0).block_size == 0 ? DType::kTQ2_0 : DType::kF16;
  std::byte* data = nullptr;
  const Shape shape{4 * quarter, in};
  Tensor weight = Tensor::allocate(dtype, shape, &data);
  std::vector<uint8_t> codes(static_cast<std::size_t>(in));
  for (int64_t o = 0; o < shape[0]; ++o, data += row_bytes(dtype, in)) {
    const uint8_t* row = octets(packed) + o % quarter * in;
    const auto shift = static_cast<int>(2 * (o / quarter));
    for (std::size_t k = 0; k < codes.size(); ++k) {
      codes[k] = (row[k] >> shift) & 3;
      if (codes[k] == 3) layer.refuse(fmt::format("weight holds a code that is not ternary in row {}", o));
    }
    if (dtype == DType::kTQ2_0) {
      write_blocks(codes, f32_to_f16(scale), data);
    } else {
      const uint16_t values[3] = {f32_to_f16(-scale), 0, f32_to_f16(scale)};
      for (std::size_t k = 0; k < codes.size(); ++k) std::memcpy(data + 2 * k, &values[codes[k]], 2);
    }
  }
  return weight;
}

}  // namespace minnow::packed
