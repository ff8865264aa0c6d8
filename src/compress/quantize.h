// A model in smaller types.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "models/save.h"

namespace minnow {

struct QuantizeReport {
  uint64_t bytes_before = 0, bytes_after = 0;  // of the tensors
  double bits_per_weight = 0;
  std::map<DType, int> matrices;  // by the type they got
  int n_kept = 0;                 // other tensors
  int n_fallback = 0;             // matrices that became F16 because their rows are not whole blocks
};

// The type each tensor gets under a recipe (Q8_0, Q4_0, F16, BF16, F32). Only matrices whose name ends in "weight"
// change. Q4_0 stores the output projection (and a tied embedding) as Q8_0: its errors are seen directly. Rows
// that are not whole blocks become F16.
DType recipe_dtype(const Model& model, DType target, const NamedTensor& tensor);

// Writes a GGUF file. Throws as save_gguf does, before anything is visible.
QuantizeReport quantize(const Model& model, const std::filesystem::path& path, DType target,
                        const SaveProgress& progress = {});

}  // namespace minnow
