// bitsandbytes: 4-bit codes into a table of 16 values (NF4, FP4) with a scale for each block of the flattened
// weight, scales perhaps packed once more; and 8-bit integers with a scale for each row.
#include <cmath>

#include "formats/packed/packed_layer.h"

namespace minnow::packed {
namespace {

constexpr std::string_view kStateNf4 = ".weight.quant_state.bitsandbytes__nf4";
constexpr std::string_view kStateFp4 = ".weight.quant_state.bitsandbytes__fp4";

// The state is JSON in a tensor of bytes.
Json read_state(const PackedLayer& layer) {
  const std::string_view part = layer.find(kStateNf4) != nullptr ? kStateNf4 : kStateFp4;
  const Tensor& t = layer.require(part, DType::kI8, 1);
  const std::string_view text(reinterpret_cast<const char*>(t.data), t.bytes());
  Json state = parse_json(text, layer.quantization().source + ": quant_state");
  if (!state.is_object()) layer.refuse("its quant_state is not an object");
  return state;
}

Shape read_shape(const PackedLayer& layer, const Json& state) {
  const auto it = state.find("shape");
  if (it == state.end() || !it->is_array() || it->size() != 2 || !(*it)[0].is_number_integer() ||
      !(*it)[1].is_number_integer()) {
    layer.refuse("its quant_state has no \"shape\" of two numbers");
  }
  const Shape shape{(*it)[0].get<int64_t>(), (*it)[1].get<int64_t>()};
  constexpr int64_t kMax = int64_t{1} << 40;
  if (shape[0] < 1 || shape[1] < 1 || shape[0] > kMax || shape[1] > kMax / shape[0]) {
    layer.refuse(fmt::format("its quant_state says a shape of {}", shape.text()));
  }
  return shape;
}

// One scale for each block; with double quantization themselves a table's values times scales, plus an
// offset.
std::vector<float> read_absmax(const PackedLayer& layer, const JsonFields& state, int64_t n_blocks) {
  if (layer.find(".weight.nested_absmax") == nullptr) return layer.require_scales(".weight.absmax", n_blocks);
  const Tensor& codes = layer.require(".weight.absmax", DType::kI8, Shape{n_blocks});
  const std::vector<float> table = layer.require_scales(".weight.nested_quant_map", 256);
  const int64_t block = state.integer("nested_blocksize", 256, 1, 1 << 20);
  const std::vector<float> scales =
      layer.require_scales(".weight.nested_absmax", (n_blocks + block - 1) / block);
  const auto offset = static_cast<float>(state.number("nested_offset", 0));
  if (!std::isfinite(offset)) layer.refuse("its nested_offset is not finite");
  std::vector<float> absmax(static_cast<std::size_t>(n_blocks));
  for (std::size_t i = 0; i < absmax.size(); ++i) {
    absmax[i] = table[octets(codes)[i]] * scales[i / static_cast<std::size_t>(block)] + offset;
  }
  return absmax;
}

}  // namespace

Tensor unpack_bitsandbytes_4bit(const PackedLayer& layer) {
  const Json json = read_state(layer);
  const JsonFields state{json, layer.quantization().source + ": quant_state"};
  const Shape shape = read_shape(layer, json);
  const Tensor* packed = layer.find(".weight");
  if (packed == nullptr || packed->dtype != DType::kI8 ||
      packed->shape.elements() != (shape.elements() + 1) / 2) {
    layer.refuse(fmt::format("its weight does not hold the {} 4-bit codes of shape {}", shape.elements(),
                             shape.text()));
  }
  const int64_t block = state.integer("blocksize", 64, 1, 1 << 20);
  const std::vector<float> absmax = read_absmax(layer, state, (shape.elements() + block - 1) / block);
  const std::vector<float> table = layer.require_scales(".weight.quant_map", 16);
  const DType dtype = dtype_of_torch(state.text("dtype", layer.quantization().dtype));
  std::byte* data = nullptr;
  Tensor weight = Tensor::allocate(dtype, shape, &data);
  std::vector<float> row(static_cast<std::size_t>(shape[1]));
  std::size_t i = 0;  // in the flattened weight; the even one of two has the high nibble
  for (int64_t o = 0; o < shape[0]; ++o) {
    for (float& value : row) {
      const uint8_t byte = octets(*packed)[i / 2];
      value = table[i % 2 == 0 ? byte >> 4 : byte & 15] * absmax[i / static_cast<std::size_t>(block)];
      ++i;
    }
    encode_row(dtype, row.data(), data + static_cast<uint64_t>(o) * row_bytes(dtype, shape[1]), shape[1]);
  }
  return weight;
}

// Row r is weight[r] * SCB[r] / 127.
Tensor unpack_bitsandbytes_8bit(const PackedLayer& layer) {
  const Tensor& codes = layer.require(".weight", DType::kI8, 2);
  Grid grid{.out = codes.shape[0],
            .in = codes.shape[1],
            .groups = 1,
            .dtype = dtype_of_torch(layer.quantization().dtype)};
  grid.group.resize(static_cast<std::size_t>(grid.in));
  const std::vector<float> scales = layer.require_scales(".SCB", grid.out);
  const auto* values = reinterpret_cast<const int8_t*>(codes.data);
  return grid_weight(
      grid, [&](int64_t o, int64_t) { return scales[static_cast<std::size_t>(o)] / 127.0f; },
      [](int64_t, int64_t) { return 0; },
      [&](int64_t o, int64_t k) { return int32_t{values[o * grid.in + k]}; });
}

}  // namespace minnow::packed
