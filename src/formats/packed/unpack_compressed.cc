// compressed-tensors (llm-compressor): signed integers packed along the inputs ("pack-quantized") or as bytes
// ("int-quantized"), a scale for each row or group, zeros where the grid is not symmetric.
#include "formats/packed/packed_layer.h"

namespace minnow::packed {
namespace {

int num_bits(const PackedLayer& layer) {
  const Json& settings = layer.quantization().settings;
  int bits = 0;
  if (settings.contains("config_groups") && settings["config_groups"].is_object()) {
    for (const Json& group : settings["config_groups"]) {
      if (!group.is_object() || !group.contains("weights") || !group["weights"].is_object()) continue;
      const JsonFields f{group["weights"], layer.quantization().source + ": config_groups"};
      const auto own = static_cast<int>(f.integer("num_bits", 4, 1, 32));
      if (bits != 0 && own != bits) {
        throw Error(ErrorCode::kUnsupported,
                    fmt::format("{}: groups of {} and of {} bits in one checkpoint are not unpacked",
                                layer.quantization().source, bits, own),
                    "take the unpacked model and quantize it with minnow");
      }
      bits = own;
    }
  }
  if (bits == 0) bits = 4;
  if (bits > 8) layer.refuse(fmt::format("{} bits in one code", bits));
  return bits;
}

// Scales [out, groups], or one for all; `in` in groups of equal size.
Grid grid_of(const PackedLayer& layer, int64_t out, int64_t in) {
  const Tensor* scale = layer.find(".weight_scale");
  if (scale == nullptr) layer.refuse("its tensor weight_scale is missing");
  const bool one = scale->shape.elements() == 1;
  const int64_t groups = one ? 1 : scale->shape.rank() == 2 ? scale->shape[1] : 1;
  if (out < 1 || in < 1 || groups < 1 || groups > in) {
    layer.refuse(fmt::format("weight_scale of shape {} does not fit a weight of {} x {}", scale->shape.text(),
                             out, in));
  }
  Grid grid{.out = out, .in = in, .groups = groups, .dtype = scale->dtype};
  grid.group = group_of_inputs(layer, ".weight_g_idx", in, groups, (in + groups - 1) / groups);
  return grid;
}

std::vector<float> scales_of(const PackedLayer& layer, const Grid& grid) {
  const bool one = layer.find(".weight_scale")->shape.elements() == 1;
  std::vector<float> scales = layer.require_scales(".weight_scale", one ? 1 : grid.out * grid.groups);
  if (one) scales.assign(static_cast<std::size_t>(grid.out), scales[0]);
  return scales;
}

// Zeros [out, groups]: none, as bytes, or packed along the outputs.
std::vector<int32_t> zeros_of(const PackedLayer& layer, const Grid& grid, int bits) {
  std::vector<int32_t> zeros(static_cast<std::size_t>(grid.out * grid.groups), 0);
  const Tensor* t = layer.find(".weight_zero_point");
  if (t == nullptr) return zeros;
  if (t->dtype == DType::kI8 && t->shape.elements() == static_cast<int64_t>(zeros.size())) {
    for (std::size_t i = 0; i < zeros.size(); ++i) zeros[i] = static_cast<int8_t>(t->data[i]);
    return zeros;
  }
  const int per_word = 32 / bits;
  layer.require(".weight_zero_point", DType::kI32, Shape{(grid.out + per_word - 1) / per_word, grid.groups});
  for (int64_t o = 0; o < grid.out; ++o) {
    for (int64_t g = 0; g < grid.groups; ++g) {
      const uint32_t code = words(*t)[o / per_word * grid.groups + g] >> (o % per_word * bits);
      zeros[static_cast<std::size_t>(o * grid.groups + g)] =
          static_cast<int32_t>(code & ((1u << bits) - 1)) - (1 << (bits - 1));
    }
  }
  return zeros;
}

template <typename Code>
Tensor weight_of(const PackedLayer& layer, const Grid& grid, int bits, Code code) {
  const std::vector<float> scales = scales_of(layer, grid);
  const std::vector<int32_t> zeros = zeros_of(layer, grid, bits);
  const auto at = [&](int64_t o, int64_t g) { return static_cast<std::size_t>(o * grid.groups + g); };
  return grid_weight(
      grid, [&](int64_t o, int64_t g) { return scales[at(o, g)]; },
      [&](int64_t o, int64_t g) { return zeros[at(o, g)]; }, code);
}

}  // namespace

// weight_packed [out, words of 32 / bits codes], codes raised by half their range; weight_shape says where a
// row ends.
Tensor unpack_compressed_ints(const PackedLayer& layer) {
  const int bits = num_bits(layer), per_word = 32 / bits;
  const Tensor& packed = layer.require(".weight_packed", DType::kI32, 2);
  const int64_t out = packed.shape[0], n_words = packed.shape[1];
  int64_t in = n_words * per_word;
  if (const Tensor* shape = layer.find(".weight_shape")) {
    int64_t rows = 0;
    if (shape->shape.elements() == 2 && shape->dtype == DType::kI64) {
      rows = reinterpret_cast<const int64_t*>(shape->data)[0];
      in = reinterpret_cast<const int64_t*>(shape->data)[1];
    } else if (shape->shape.elements() == 2 && shape->dtype == DType::kI32) {
      rows = reinterpret_cast<const int32_t*>(shape->data)[0];
      in = reinterpret_cast<const int32_t*>(shape->data)[1];
    }
    if (rows != out || in < 1 || in > n_words * per_word || in <= (n_words - 1) * per_word) {
      layer.refuse(
          fmt::format("weight_shape does not fit weight_packed of {} in {} bits", packed.shape.text(), bits));
    }
  }
  const Grid grid = grid_of(layer, out, in);
  return weight_of(layer, grid, bits, [&](int64_t o, int64_t k) {
    const uint32_t code = words(packed)[o * n_words + k / per_word] >> (k % per_word * bits);
    return static_cast<int32_t>(code & ((1u << bits) - 1)) - (1 << (bits - 1));
  });
}

Tensor unpack_compressed_bytes(const PackedLayer& layer) {
  const Tensor& codes = layer.require(".weight", DType::kI8, 2);
  const Grid grid = grid_of(layer, codes.shape[0], codes.shape[1]);
  const auto* values = reinterpret_cast<const int8_t*>(codes.data);
  return weight_of(layer, grid, 8, [&](int64_t o, int64_t k) { return int32_t{values[o * grid.in + k]}; });
}

}  // namespace minnow::packed
