// Low-rank adapters (LoRA, rank-stabilized LoRA, DoRA) of a model's matrices: what they are, how they get into a graph, and
// their two file forms.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "models/model.h"
#include "models/target_modules.h"

namespace minnow {

// Of one weight W [out, in]: what is multiplied is W + scale B A, with DoRA each of its rows scaled to the norm `magnitude` says.
struct AdapterMatrix {
  std::string name;  // of the weight, in GGUF's words: "blk.0.attn_q.weight"
  // f32: [rank, in], [out, rank], and [out] with DoRA, else nothing. Rows are in the order of the model at hand.
  Tensor a, b, magnitude = {};
  double alpha = 8;

  int64_t rank() const { return a.shape[0]; }
};

struct Adapter {
  std::vector<AdapterMatrix> matrices;  // in the order of the model's weights
  bool rank_stabilized = false;         // scale alpha / sqrt(rank) (Kalajdzievski 2023), else alpha / rank
  double dropout = 0;                   // that it is trained with
  // PEFT's adapter_config.json: as it was read, with all that this program does not know; else null.
  Json config = nullptr;
  std::vector<std::string> warnings = {};  // of reading

  bool has_magnitudes() const { return !matrices.empty() && matrices[0].magnitude; }
  float scale(const AdapterMatrix& matrix) const;
  // Of that weight; of the embedding, where it is the output projection as well, what there is for the latter. nullptr: none.
  const AdapterMatrix* find(std::string_view weight) const;
  int64_t n_parameters() const;
};

struct AdapterShape {
  TargetModules targets = {};  // nothing chosen: default_targets()
  int64_t rank = 8;
  double alpha = 8, dropout = 0;
  bool rank_stabilized = false, magnitudes = false;
};

// A matrix of a model that may have an adapter: all that a token is multiplied with, but experts and the output projection.
struct AdaptableMatrix {
  std::string name;    // the weight's, in GGUF's words
  std::string module;  // Hugging Face's
};
std::vector<AdaptableMatrix> adaptable_matrices(const Model& base);

// What PEFT adapts when it is not told: the projections of queries and values, or the fused one.
TargetModules default_targets(const Model& base);

// An adapter that changes nothing yet: A is uniform within 1 / sqrt(in) (PEFT's rule), B is zero, magnitudes are the norms of rows.
// The same seed gives the same numbers whatever the targets. Throws kUsage for targets that the model does not have.
Adapter new_adapter(const Model& base, const AdapterShape& shape, uint64_t seed);

// Throws kInvalidInput naming `source` and the matrix when it does not fit the model, kUnsupported for weights with a scale of their
// own, for experts and for embeddings.
void check_adapter(const Adapter& adapter, const Model& base, const std::string& source);

enum class AdapterUse : uint8_t {
  kAnswer,  // nothing changes any more: gains of rows are computed once
  kTrain,   // A, B and magnitudes are weights "... .lora_a", ".lora_b", ".lora_magnitude" on the adapter's memory; dropout
};
// The graph of the base with the adapter beside its products.
Graph with_adapter(const Graph& graph, const Model& base, const Adapter& adapter, AdapterUse use);

// Calls fn(r, what the adapter adds to row r of W) for every row; by several threads, in any order.
using DeltaRow = std::function<void(int64_t row, std::span<const float> delta)>;
void for_delta_rows(const Tensor& weight, const Adapter& adapter, const AdapterMatrix& matrix, const DeltaRow& fn);
// The matrix of the base that an adapter's is for: of a model whose output projection is the embedding, that. Throws kInvalidInput.
const Tensor& adapted_weight(const Model& base, const std::string& name);

// A folder with adapter_config.json and adapter_model.safetensors (or that file in it), or a GGUF adapter. Throws kNotFound,
// kInvalidInput, and kUnsupported for what would change the result and is not done here; what is not known and does not is a warning.
Adapter load_adapter(const std::filesystem::path& path, const Model& base);
// NAME.gguf, or a folder as PEFT reads it.
void save_adapter(const Adapter& adapter, const Model& base, const std::filesystem::path& path);

}  // namespace minnow
