#include "formats/packed/unpack_quantized.h"

#include <algorithm>
#include <array>

#include "base/file.h"
#include "base/limits.h"
#include "formats/packed/packed_layer.h"
#include "formats/quote_name.h"

namespace minnow {
namespace {

using packed::PackedLayer;

constexpr std::string_view kUnpacked =
    "gptq, awq, bitsandbytes, compressed-tensors (pack-quantized, int-quantized) and bitnet";

// How the parts of a packed layer are called, and who reads them. A layer is packed when it has the first
// part.
struct Method {
  std::string_view name, format;  // format: of compressed-tensors, else empty
  std::array<std::string_view, 8> parts;
  Tensor (*unpack)(const PackedLayer&);
};

constexpr Method kMethods[] = {
    {"gptq", "", {".qweight", ".qzeros", ".scales", ".g_idx"}, packed::unpack_gptq},
    {"awq", "", {".qweight", ".qzeros", ".scales", ".g_idx"}, packed::unpack_awq},
    {"bitsandbytes",
     "",
     {".weight.absmax", ".weight", ".weight.quant_map", ".weight.nested_absmax", ".weight.nested_quant_map",
      ".weight.quant_state.bitsandbytes__nf4", ".weight.quant_state.bitsandbytes__fp4"},
     packed::unpack_bitsandbytes_4bit},
    {"bitsandbytes", "", {".SCB", ".weight", ".weight_format"}, packed::unpack_bitsandbytes_8bit},
    {"compressed-tensors",
     "pack-quantized",
     {".weight_packed", ".weight_scale", ".weight_zero_point", ".weight_g_idx", ".weight_shape"},
     packed::unpack_compressed_ints},
    {"compressed-tensors",
     "int-quantized",
     {".weight_scale", ".weight", ".weight_zero_point", ".weight_g_idx", ".weight_shape", ".input_scale",
      ".input_zero_point"},
     packed::unpack_compressed_bytes},
    {"bitnet", "", {".weight_scale", ".weight"}, packed::unpack_bitnet},
};

[[noreturn]] void refuse(const std::string& source, std::string_view what, const std::string& word) {
  throw Error(ErrorCode::kUnsupported,
              fmt::format("{}: weights packed by {} {} are not read", source, what, quote_name(word)),
              fmt::format("take the unpacked model, or one packed by {}", kUnpacked));
}

// Older files do not name their method.
std::string method_of(const JsonFields& f, const std::string& fallback) {
  std::string method = f.text("quant_method", "");
  if (!method.empty()) return method;
  if (f.has("load_in_4bit") || f.has("load_in_8bit")) return "bitsandbytes";
  if (f.has("w_bit")) return "awq";
  return fallback;
}

void check_variant(const Quantization& q) {
  const JsonFields f{q.settings, q.source};
  const auto has_method = [&](const Method& m) { return m.name == q.method; };
  if (std::none_of(std::begin(kMethods), std::end(kMethods), has_method))
    refuse(q.source, "the method", q.method);
  if (q.method == "compressed-tensors") {
    const std::string format = f.text("format", "");
    const auto has_format = [&](const Method& m) { return m.name == q.method && m.format == format; };
    if (std::none_of(std::begin(kMethods), std::end(kMethods), has_format))
      refuse(q.source, "compressed-tensors in the format", format);
  }
  if (q.method == "bitnet" && f.text("quantization_mode", "offline") != "offline") {
    refuse(q.source, "bitnet in the mode", f.text("quantization_mode", ""));
  }
}

// The layer that a tensor of this name is the given part of, or nothing.
std::optional<std::string> layer_with(const std::string& name, std::string_view part) {
  if (part.empty() || !name.ends_with(part) || name.size() == part.size()) return std::nullopt;
  return name.substr(0, name.size() - part.size());
}

bool belongs_to_packed_layer(const std::string& name, const Method& method, const TensorList& tensors) {
  for (const std::string_view part : method.parts) {
    const auto layer = layer_with(name, part);
    if (layer && tensors.find(*layer + std::string(method.parts[0])) != nullptr) return true;
  }
  return false;
}

}  // namespace

std::optional<Quantization> find_quantization(const Json& config, const std::filesystem::path& folder) {
  Quantization q{.source = (folder / "config.json").string()};
  const JsonFields model{config, q.source};
  std::string fallback;
  if (config.contains("quantization_config") && !config["quantization_config"].is_null()) {
    q.settings = config["quantization_config"];
    q.source += ": quantization_config";
  } else if (std::filesystem::exists(folder / "quantize_config.json")) {
    q.source = (folder / "quantize_config.json").string();
    fallback = "gptq";
  } else if (std::filesystem::exists(folder / "quant_config.json")) {
    q.source = (folder / "quant_config.json").string();
    fallback = "awq";
  } else {
    return std::nullopt;
  }
  if (!fallback.empty())
    q.settings = parse_json(read_text_file(q.source, limits::kMaxJsonFileBytes), q.source);
  if (!q.settings.is_object()) fail(ErrorCode::kInvalidInput, "{}: must be an object", q.source);
  q.dtype = model.text("torch_dtype", model.text("dtype", ""));
  q.method = method_of({q.settings, q.source}, fallback);
  check_variant(q);
  return q;
}

std::vector<NamedTensor> unpack_quantized(const std::vector<NamedTensor>& tensors,
                                          const Quantization& quantization, const std::string& source) {
  const TensorList list(tensors, source);
  const std::string format = JsonFields{quantization.settings, quantization.source}.text("format", "");
  std::vector<const Method*> methods;
  for (const Method& m : kMethods) {
    if (m.name == quantization.method && (m.format.empty() || m.format == format)) methods.push_back(&m);
  }
  std::vector<NamedTensor> plain;
  for (const NamedTensor& t : tensors) {
    bool is_part = false;
    for (const Method* method : methods) {
      if (const auto layer = layer_with(t.name, method->parts[0])) {
        plain.push_back(
            {*layer + ".weight", method->unpack(PackedLayer(list, *layer, quantization, source))});
      }
      is_part = is_part || belongs_to_packed_layer(t.name, *method, list);
    }
    if (!is_part) plain.push_back(t);
  }
  return plain;
}

}  // namespace minnow
