// What a model is, in numbers: read from GGUF metadata, a Hugging Face config.json or a llama2.c header.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/gguf.h"
#include "formats/llama2c.h"
#include "graph/graph.h"

namespace minnow {

enum class RopeScaling : uint8_t { kNone, kLinear, kDynamic, kLlama3, kYarn };

struct RopeConfig {
  double base = 10000;
  int64_t n_rot = 0;  // rotated features of a head
  RopeLayout layout = RopeLayout::kHalves;  // how the query and key weights at hand are ordered
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;
  int64_t original_context = 0;       // what the model was trained on before it was stretched
  double low_freq = 1, high_freq = 4; // Llama 3
  double beta_fast = 32, beta_slow = 1, attention_factor = 0;  // YaRN; 0: 1 + 0.1 ln(factor)
};

struct Family;

struct ModelConfig {
  const Family* family = nullptr;
  std::string name;  // general.name, may be empty
  int64_t n_layers = 0, n_embd = 0, n_ff = 0, n_vocab = 0, n_ctx_train = 0;
  int64_t n_heads = 0, n_kv_heads = 0, head_dim = 0;
  float norm_eps = 1e-5f;
  RopeConfig rope;            // of layers that see the whole context
  double local_rope_base = 0; // of sliding-window layers, without scaling; 0: as the others
  int64_t sliding_window = 0; // 0: every layer sees the whole context
  int64_t window_pattern = 0; // every n-th layer is global; 0: all layers have the window
  double attention_scale = 0; // 0: 1 / sqrt(head_dim)
  double logit_softcap = 0, attention_softcap = 0;

  bool is_local(int64_t layer) const {
    return sliding_window > 0 && (window_pattern == 0 || (layer + 1) % window_pattern != 0);
  }
};

// Each throws kInvalidInput for missing, contradictory or absurd numbers and kUnsupported for families and features
// that minnow does not run, naming the source and the field.
ModelConfig config_from_gguf(const GgufMetadata& metadata);
ModelConfig config_from_hf(const Json& config, const std::string& source);
ModelConfig config_from_llama2c(const Llama2cHeader& header, const std::string& source);

// The other direction, for convert.
void config_to_gguf(const ModelConfig& config, GgufMetadata& metadata);
Json config_to_hf(const ModelConfig& config);

// Rotation frequencies (radians per position) and magnitude for a context of n_ctx positions. `divisors` (may be
// empty) divide the frequencies one by one: GGUF's rope_freqs.weight.
RopeTableAttrs rope_frequencies(const RopeConfig& rope, int64_t n_ctx, const std::vector<float>& divisors);
// The divisors that Llama 3's scaling amounts to.
std::vector<float> llama3_divisors(const RopeConfig& rope);

}  // namespace minnow
