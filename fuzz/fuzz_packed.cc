// Any safetensors file taken for a packed checkpoint: plain tensors or an error. The first byte picks the method and its
// settings; the rest is the file.
#include <array>
#include <string_view>

#include "base/error.h"
#include "formats/packed/unpack_quantized.h"
#include "formats/safetensors.h"
#include "tensor/codec.h"

namespace {

constexpr std::array<std::string_view, 9> kConfigs = {
    R"({"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 8}})",
    R"({"quantization_config": {"quant_method": "gptq", "bits": 3, "group_size": -1, "checkpoint_format": "gptq_v2"}})",
    R"({"quantization_config": {"quant_method": "gptq", "bits": 8, "group_size": 4}})",
    R"({"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 2}})",
    R"({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true}, "torch_dtype": "bfloat16"})",
    R"({"quantization_config": {"quant_method": "compressed-tensors", "format": "pack-quantized"}})",
    R"({"quantization_config": {"quant_method": "compressed-tensors", "format": "int-quantized"}})",
    R"({"quantization_config": {"quant_method": "bitnet"}})",
    R"({"quantization_config": {"quant_method": "bitnet", "linear_class": "autobitlinear"}})"};

// Every value is there and decodes.
void touch(const std::vector<minnow::NamedTensor>& tensors) {
  double sum = 0;
  for (const minnow::NamedTensor& t : tensors) {
    if (!minnow::info(t.tensor.dtype).is_weight) continue;
    for (const float v : minnow::to_f32(t.tensor)) sum += v;
  }
  [[maybe_unused]] static volatile double sink;
  sink = sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  try {
    const minnow::Json config = minnow::parse_json(kConfigs[data[0] % kConfigs.size()], "config");
    const auto quantization = minnow::find_quantization(config, "/nowhere");
    const auto file = minnow::Safetensors::parse(std::as_bytes(std::span(data + 1, size - 1)), "fuzz");
    touch(minnow::unpack_quantized(file.tensors(), *quantization, "fuzz"));
  } catch (const minnow::Error&) {
  }
  return 0;
}
