// What a model is, in numbers: read from GGUF metadata, a Hugging Face config.json or a llama2.c header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "formats/gguf.h"
#include "formats/llama2c.h"
#include "graph/graph.h"
#include "models/family.h"

namespace minnow {

enum class RopeScaling : uint8_t { kNone, kLinear, kDynamic, kLlama3, kYarn, kLongRope };

struct RopeConfig {
  double base = 10000;
  int64_t n_rot = 0;  // rotated features of a head
  RopeLayout layout = RopeLayout::kHalves;  // how the query and key weights at hand are ordered
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;
  int64_t original_context = 0;       // what the model was trained on before it was stretched
  double low_freq = 1, high_freq = 4; // Llama 3
  double beta_fast = 32, beta_slow = 1;
  double attention_factor = 0;        // of YaRN and LongRoPE; 0: YaRN's 1 + 0.1 ln(factor), LongRoPE's 1
};

// How the vectors of a text's tokens become one; the numbers are GGUF's pooling_type.
enum class Pooling : uint8_t { kNone = 0, kMean = 1, kCls = 2, kLast = 3, kRank = 4 };
std::string_view name(Pooling pooling);  // "none", "mean", "cls", "last", "rank"
std::optional<Pooling> pooling_from_name(std::string_view name);

struct ModelConfig {
  const Family* family = nullptr;
  std::string name;  // general.name, may be empty
  int64_t n_layers = 0, n_embd = 0, n_ff = 0, n_vocab = 0, n_ctx_train = 0;
  int64_t n_heads = 0, n_kv_heads = 0, head_dim = 0;
  float norm_eps = 1e-5f;
  BlockForm form = BlockForm::kPreNorm;
  UnaryFn activation = UnaryFn::kSilu;
  RopeConfig rope;            // of layers that see the whole context
  double local_rope_base = 0; // of sliding-window layers, without scaling; 0: as the others
  int64_t sliding_window = 0; // 0: every layer sees the whole context
  std::vector<bool> local_layers;  // by layer: whether it has the window; empty: none
  std::vector<bool> conv_layers;   // by layer: a short convolution instead of attention; empty: none
  int64_t n_conv_taps = 0;
  std::vector<bool> nope_layers;   // by layer: no rotary positions; empty: none
  int64_t n_experts = 0, n_experts_used = 0, n_ff_expert = 0;  // 0: no experts
  bool normalized_experts = false;
  double attention_scale = 0; // 0: 1 / sqrt(head_dim)
  double logit_softcap = 0, attention_softcap = 0;
  double embedding_scale = 0; // 0: as the family says
  double residual_scale = 1, logit_scale = 1;  // logits are divided by logit_scale
  double temperature_beta = 0;  // queries times 1 + beta ln(1 + floor(position / rope.original_context))
  Pooling pooling = Pooling::kNone;  // of embeddings; kNone: not said
  bool normalized_embeddings = true;

  bool is_local(int64_t layer) const { return flag(local_layers, layer) && sliding_window > 0; }
  bool is_conv(int64_t layer) const { return flag(conv_layers, layer); }
  bool has_rope(int64_t layer) const { return !flag(nope_layers, layer); }
  bool makes_text() const;  // has a language model's output

 private:
  static bool flag(const std::vector<bool>& flags, int64_t layer) {
    return !flags.empty() && flags[static_cast<std::size_t>(layer)];
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
// Every n-th of n_layers layers; 0: none. And all layers but every n-th, as the windows of many families: 0: all of
// them, 1: none.
std::vector<bool> every_nth(int64_t n_layers, int64_t n);
std::vector<bool> all_but_every_nth(int64_t n_layers, int64_t n);

// The divisors that Llama 3's scaling amounts to.
std::vector<float> llama3_divisors(const RopeConfig& rope);

}  // namespace minnow
