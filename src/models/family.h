// An architecture family is a table of facts; build_graph.cc makes the graph of any of them. docs: CONTRIBUTING.md,
// "add an architecture".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "graph/graph.h"

namespace minnow {

// How one file format calls a tensor. The first "{}" stands for the layer, a second one (Hugging Face only) for the expert
// or the head: those tensors are one tensor in GGUF, stacked along a new first dimension.
struct TensorName {
  std::string_view gguf, hf;
};

enum class NormKind : uint8_t { kRms, kLayer };

// Where the norms of a block are; f is attention, then the feed-forward part.
enum class BlockForm : uint8_t {
  kPreNorm,    // x + f(norm(x))
  kSandwich,   // x + norm(f(norm(x)))
  kPostNorm,   // x + norm(f(x))
  kNormOfSum,  // norm(x + f(x))
  kParallel,   // x + attention(norm(x)) + feed_forward(norm'(x)); norm' is norm where the file has no other
};

enum class QkNorm : uint8_t { kNone, kHead, kWhole };  // over each head, or over all heads together
enum class PositionKind : uint8_t { kRope, kLearned };

// How Hugging Face lays out a matrix that GGUF has as [output, input] with queries, keys and values one after another.
enum class HfLayout : uint8_t {
  kTransposed,        // [input, output] (Conv1D)
  kHeadsInterleaved,  // rows by head: its query, its key, its value
  kConvChannel,       // [channels, 1, taps]
};
struct LayoutRule {
  std::string_view gguf;  // as in TensorName, with ".weight" or ".bias"
  HfLayout layout;
};

// A field of config.json whose name differs from the usual one.
struct KeyName {
  std::string_view usual, own;
};

struct Family {
  std::string_view gguf_name;                         // general.architecture
  std::span<const std::string_view> hf_architectures; // architectures[0] of config.json; the first is what we write
  std::string_view hf_model_type;
  std::string_view models;                            // what people know it by, for docs

  RopeLayout gguf_rope_layout = RopeLayout::kHalves;  // order of query and key rows in GGUF; HF always has halves
  PositionKind positions = PositionKind::kRope;
  NormKind norm = NormKind::kRms;
  BlockForm form = BlockForm::kPreNorm;
  QkNorm qk_norm = QkNorm::kNone;
  bool causal = true;
  bool converts = true;            // to GGUF and to a Hugging Face folder
  bool gated = true;               // down(f(gate(x)) * up(x)), else down(f(up(x)))
  bool sub_norms = false;          // one more norm before attn_output and before ffn_down
  bool embedding_norm = false;     // the embeddings are normalised
  bool scaled_embeddings = false;  // embeddings times sqrt(n_embd)
  bool output_norm = true;         // one last norm before the output
  int64_t hf_first_position = 0;   // Hugging Face has so many rows of positions that no token gets
  bool two_separators = false;     // between the two texts of a pair
  bool bare_words = false;         // texts get no special tokens, and unknown words are left out
  bool hf_norm_minus_one = false;  // Hugging Face stores norm weights minus one
  UnaryFn activation = UnaryFn::kSilu;
  int window_pattern = 0;          // with a sliding window: every n-th layer is global; 1: none has it, 0: all have it
  int nope_interval = 0;           // every n-th layer does without rotary positions
  double local_rope_base = 0;      // of sliding-window layers; 0: as the others
  bool plain_local_rope = false;   // sliding-window layers have the base of the others, but not their scaling
  double default_logit_softcap = 0, default_attention_softcap = 0;  // when config.json says nothing
  double default_rope_base = 10000;
  double default_norm_eps = 1e-5;
  double default_rotary_part = 1;  // of a head, when config.json says nothing
  bool hf_window = false;          // config.json's sliding_window counts without use_sliding_window
  bool normalized_experts = false; // the weights of a token's experts sum to 1
  bool hf_normalizes_experts = false;  // also when config.json does not say so

  // Tensors whose Hugging Face names differ from the common ones (kCommonNames).
  std::span<const TensorName> names;
  const Family* otherwise_named_as = nullptr;
  std::string_view hf_base_prefix;  // of all names but the classifier's, in a checkpoint that has one
  std::span<const LayoutRule> layouts;
  std::span<const KeyName> hf_keys;

  // What config.json calls the field; "norm_eps" is the usual name of the norms' epsilon.
  std::string hf_key(std::string_view usual) const;
};

extern const Family kLlama, kMistral, kMinistral, kMistral3, kMixtral, kSmolLM3, kQwen2, kQwen3, kQwen3Moe, kGemma, kGemma2, kGemma3,
    kPhi2, kPhi3, kGranite, kOlmo2, kOlmo3, kStableLM, kGpt2, kGptNeoX, kBitnet, kBitnetB158, kLfm2, kBertEncoder, kRoberta, kNomicBert, kStatic;
// Of families with one GGUF name the first is meant unless something in the file says otherwise.
inline constexpr std::array kFamilies = {
    &kLlama,  &kMistral, &kMinistral, &kMistral3, &kMixtral,  &kSmolLM3, &kQwen2,      &kQwen3, &kQwen3Moe,
    &kGemma,  &kGemma2,  &kGemma3,    &kPhi2,     &kPhi3,     &kGranite, &kOlmo2,      &kOlmo3, &kStableLM,
    &kGpt2,   &kGptNeoX, &kBitnet,    &kBitnetB158, &kLfm2,   &kBertEncoder,    &kRoberta,    &kNomicBert, &kStatic};

extern const std::span<const TensorName> kCommonNames;

// nullptr when unknown.
const Family* family_from_gguf_name(std::string_view name);
const Family* family_from_hf(std::string_view architecture, std::string_view model_type);
// "llama, qwen3, gemma3", for errors.
std::string family_names();
// docs/models.md's table, from kFamilies.
std::string families_markdown();

struct GgufName {
  std::string name;
  int64_t part = -1;  // which part of a stacked tensor it is; -1: the whole tensor
};
// The GGUF name of a Hugging Face tensor (without file-specific prefixes such as "language_model."); empty when the
// family has no such tensor. And the other way: for a stacked tensor, the name of one of its parts.
GgufName gguf_tensor_name(const Family& family, std::string_view hf_name);
// The same for the ways in which checkpoints of one family begin their names: the language part of a multimodal model, a base
// model without its head, a head with its base model under a name.
GgufName gguf_name_in_checkpoint(const Family& family, const std::string& name);
std::string hf_tensor_name(const Family& family, std::string_view gguf_name, int64_t part = -1);
// Whether the tensor is stacked from several of Hugging Face's.
bool is_stacked(const Family& family, std::string_view gguf_name);
std::optional<HfLayout> hf_layout(const Family& family, std::string_view gguf_name);

}  // namespace minnow
