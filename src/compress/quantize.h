// A model in smaller types.
#pragma once

#include <filesystem>
#include <string>

#include "models/save.h"

namespace minnow {

struct QuantizeReport {
  uint64_t bytes_before = 0, bytes_after = 0;  // of the tensors
  double bits_per_weight = 0;
  int n_quantized = 0, n_kept = 0, n_fallback = 0;  // tensors; fallback: rows that are not whole blocks
};

// The type each tensor gets under a recipe (Q8_0, Q4_0, F16, BF16, F32). Only matrices whose name ends in "weight"
// change. Q4_0 stores the output projection (and a tied embedding) as Q8_0: its errors are seen directly. Rows
// that are not whole blocks become F16.
DType recipe_dtype(const Model& model, DType target, const NamedTensor& tensor);

// Writes a GGUF file. Throws as save_gguf does, before anything is visible.
QuantizeReport quantize(const Model& model, const std::filesystem::path& path, DType target,
                        const SaveProgress& progress = {});

}  // namespace minnow
