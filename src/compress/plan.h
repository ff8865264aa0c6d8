// What quantizing would do to each tensor, before anything is done.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compress/recipe.h"
#include "formats/gguf.h"
#include "models/name_pattern.h"
#include "models/save.h"

namespace minnow {

struct QuantizeOptions {
  const Recipe* recipe = nullptr;
  bool pure = false;                       // the recipe's base type everywhere
  std::optional<DType> output_type;        // of the output projection
  std::optional<DType> embedding_type;     // of the token embedding
  std::vector<std::pair<NamePattern, DType>> overrides;  // the first whose pattern finds the name counts
  ImportanceOf importance;                 // of the columns of each tensor; empty: unknown
  std::vector<std::pair<std::string, std::string>> metadata;  // set in the file, over what is there
};

struct PlannedTensor {
  std::string name;
  Shape shape;
  TensorKind kind;
  DType from, to;
  DType wanted;  // differs from `to` when rows are not whole blocks

  bool fell_back() const { return wanted != to; }
  // In a GGUF file.
  uint64_t bytes_before() const { return gguf_tensor_bytes(from, shape); }
  uint64_t bytes_after() const { return gguf_tensor_bytes(to, shape); }
};

// Only matrices (and stacks of them) whose names end in "weight" change, without norms, router inputs, positions and
// small convolutions. Names are GGUF's; the order of the tensors does not matter. Throws kUsage for types that cannot be
// encoded.
std::vector<PlannedTensor> plan_quantization(std::span<const NamedTensor> tensors, const ModelConfig& config,
                                             const QuantizeOptions& options);

// Bits per weight of a recipe on a model of a common shape (that of Llama 3 8B): what to expect of it.
double typical_bits_per_weight(const Recipe& recipe);

}  // namespace minnow
