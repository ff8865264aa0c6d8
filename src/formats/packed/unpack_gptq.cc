// GPTQ (AutoGPTQ, GPTQModel) and AWQ (AutoAWQ): integers of a few bits in 32-bit words, a scale and a zero
// for each group of inputs of each output.
#include <array>

#include "formats/packed/packed_layer.h"

namespace minnow::packed {
namespace {

[[noreturn]] void refuse_variant(const PackedLayer& layer, std::string_view field, std::string_view value,
                                 std::string_view known) {
  throw Error(
      ErrorCode::kUnsupported,
      fmt::format("{}: {} \"{}\" is not unpacked, only {}", layer.quantization().source, field, value, known),
      "take the model in that layout, or unpacked");
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

int64_t group_size(const JsonFields& f, const char* key) { return f.integer(key, -1, -1, int64_t{1} << 40); }

}  // namespace

// qweight [in * bits / 32, out] is a stream of codes along the inputs, qzeros [groups, out * bits / 32] one
// along the outputs.
Tensor unpack_gptq(const PackedLayer& layer) {
  const JsonFields f = layer.settings();
  const auto bits = static_cast<int>(f.integer("bits", 4, 1, 32));
  if (bits != 2 && bits != 3 && bits != 4 && bits != 8)
    refuse_variant(layer, "bits", std::to_string(bits), "2, 3, 4 and 8");
  const std::string format = f.text("checkpoint_format", "gptq");
  if (format != "gptq" && format != "gptq_v2")
    refuse_variant(layer, "checkpoint_format", format, "gptq and gptq_v2");
  const Tensor& codes = layer.require(".qweight", DType::kI32, 2);
  const int64_t n_words = codes.shape[0], out = codes.shape[1];
  if (n_words * 32 % bits != 0 || out * bits % 32 != 0) {
    layer.refuse(fmt::format("qweight has shape {}, which is no whole number of {}-bit codes",
                             codes.shape.text(), bits));
  }
  const Tensor& zeros = layer.require(".qzeros", DType::kI32, 2);
  Grid grid{.out = out,
            .in = n_words * 32 / bits,
            .groups = zeros.shape[0],
            .dtype = scale_dtype(layer, ".scales")};
  layer.require(".qzeros", DType::kI32, Shape{grid.groups, out * bits / 32});
  const std::vector<float> scales = layer.require_scales(".scales", grid.groups * out);
  grid.group = group_of_inputs(layer, ".g_idx", grid.in, grid.groups, group_size(f, "group_size"));
  // The first version stores zeros minus one; the largest code stands for zero then.
  const int32_t offset = format == "gptq" ? 1 : 0, mask = (1 << bits) - 1;
  const int64_t zero_words = out * bits / 32;
  return grid_weight(
      grid, [&](int64_t o, int64_t g) { return scales[static_cast<std::size_t>(g * out + o)]; },
      [&](int64_t o, int64_t g) {
        return (static_cast<int32_t>(packed_code(words(zeros) + g * zero_words, 1, o, bits)) + offset) & mask;
      },
      [&](int64_t o, int64_t k) {
        return static_cast<int32_t>(packed_code(words(codes) + o, out, k, bits));
      });
}

// qweight [in, out / 8] and qzeros [groups, out / 8] hold eight outputs in each word, in an order of their
// own.
Tensor unpack_awq(const PackedLayer& layer) {
  const JsonFields f = layer.settings();
  const int64_t bits = f.integer("bits", f.integer("w_bit", 4, 1, 32), 1, 32);
  if (bits != 4) refuse_variant(layer, "bits", std::to_string(bits), "4");
  const std::string version = lower(f.text("version", "gemm"));
  if (version != "gemm") refuse_variant(layer, "version", version, "gemm");
  const Tensor& codes = layer.require(".qweight", DType::kI32, 2);
  const int64_t n_words = codes.shape[1], out = n_words * 8;
  const Tensor& zeros = layer.require(".qzeros", DType::kI32, 2);
  Grid grid{
      .out = out, .in = codes.shape[0], .groups = zeros.shape[0], .dtype = scale_dtype(layer, ".scales")};
  layer.require(".qzeros", DType::kI32, Shape{grid.groups, n_words});
  const std::vector<float> scales = layer.require_scales(".scales", grid.groups * out);
  const int64_t size = f.has("group_size") ? group_size(f, "group_size") : group_size(f, "q_group_size");
  grid.group = group_of_inputs(layer, ".g_idx", grid.in, grid.groups, size);
  // Output 8 w + j lies in nibble kNibble[j] of word w: the nibbles hold outputs 0 2 4 6 1 3 5 7.
  constexpr std::array<int, 8> kNibble = {0, 4, 1, 5, 2, 6, 3, 7};
  const auto nibble = [&](const Tensor& t, int64_t row, int64_t o) {
    return static_cast<int32_t>(words(t)[row * n_words + o / 8] >>
                                (4 * kNibble[static_cast<std::size_t>(o % 8)])) &
           15;
  };
  return grid_weight(
      grid, [&](int64_t o, int64_t g) { return scales[static_cast<std::size_t>(g * out + o)]; },
      [&](int64_t o, int64_t g) { return nibble(zeros, g, o); },
      [&](int64_t o, int64_t k) { return nibble(codes, k, o); });
}

}  // namespace minnow::packed
