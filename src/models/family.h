// An architecture family is a table of facts; decoder.cc builds the graph of any of them. docs: CONTRIBUTING.md,
// "add an architecture".
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "graph/graph.h"

namespace minnow {

// How one file format calls a tensor. "{}" stands for the layer.
struct TensorName {
  std::string_view gguf, hf;
};

struct Family {
  std::string_view gguf_name;        // general.architecture
  std::string_view hf_architecture;  // architectures[0] of config.json
  std::string_view hf_model_type;

  RopeLayout gguf_rope_layout = RopeLayout::kHalves;  // order of query and key rows in GGUF; HF always has halves
  bool qk_norm = false;            // RMS norm over each query and key head before the rotation
  bool post_norms = false;         // the output of attention and of the feed-forward part is normalised again
  bool scaled_embeddings = false;  // embeddings times sqrt(n_embd)
  bool hf_norm_minus_one = false;  // Hugging Face stores norm weights minus one
  UnaryFn activation = UnaryFn::kSilu;
  int window_pattern = 0;          // with a sliding window: every n-th layer is global; 0: none is
  double local_rope_base = 0;      // of sliding-window layers; 0: as the others
  double default_rope_base = 10000;
  double default_norm_eps = 1e-5;

  // Tensors whose Hugging Face names differ from the common ones (kCommonNames).
  std::span<const TensorName> names;
};

extern const Family kLlama, kQwen3, kGemma3;
inline constexpr std::array<const Family*, 3> kFamilies = {&kLlama, &kQwen3, &kGemma3};

extern const std::span<const TensorName> kCommonNames;

// nullptr when unknown.
const Family* family_from_gguf_name(std::string_view name);
const Family* family_from_hf(std::string_view architecture, std::string_view model_type);
// "llama, qwen3, gemma3", for errors.
std::string family_names();

// The GGUF name of a Hugging Face tensor (without file-specific prefixes such as "language_model."); empty when the
// family has no such tensor. And the other way.
std::string gguf_tensor_name(const Family& family, std::string_view hf_name);
std::string hf_tensor_name(const Family& family, std::string_view gguf_name);

}  // namespace minnow
