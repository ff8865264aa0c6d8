// Checkpoints of Hugging Face whose linear layers are packed in a few bits (GPTQ, AWQ, bitsandbytes,
// compressed-tensors, BitNet), given as plain weights.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/named_tensor.h"

namespace minnow {

struct Quantization {
  std::string method;  // "gptq", "awq", "bitsandbytes", "compressed-tensors" or "bitnet"
  Json settings;       // an object
  std::string source;  // of the settings, for errors
  std::string dtype;   // the type that the model computes in, as config.json says; may be empty
};

// From quantization_config of the config, else from quantize_config.json (older GPTQ) or quant_config.json
// (older AWQ) in the folder; nullopt when the weights are not packed. Throws kUnsupported for methods that
// minnow does not unpack, by name.
std::optional<Quantization> find_quantization(const Json& config, const std::filesystem::path& folder);

// The tensors with every packed layer replaced by its weight [out, in] under the name LAYER.weight. `source`
// begins the errors, which name the layer: kInvalidInput for missing or contradicting tensors, kUnsupported
// for variants.
//
// Values are those of the reference implementations: computed exactly in f32 and rounded once to the type
// that they use (the type of the scales; for bitsandbytes that of its state or of the model). Ternary weights
// whose rows are whole blocks become TQ2_0. Takes memory of its own for what is unpacked, at most 32 times
// the packed bytes.
std::vector<NamedTensor> unpack_quantized(const std::vector<NamedTensor>& tensors,
                                          const Quantization& quantization, const std::string& source);

}  // namespace minnow
