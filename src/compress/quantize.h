// A model in smaller types.
#pragma once

#include <filesystem>
#include <vector>

#include "compress/plan.h"
#include "models/save.h"

namespace minnow {

struct QuantizeReport {
  std::vector<PlannedTensor> tensors;          // in the order of the model
  uint64_t bytes_before = 0, bytes_after = 0;  // of the tensors
  double bits_per_weight = 0;
  int n_fallback = 0;   // tensors whose rows are not whole blocks of the type that the recipe has for them
  int n_requantized = 0;  // tensors that were quantized already and change their type: errors add up
};

// What quantize() would do.
QuantizeReport quantize_report(const Model& model, const QuantizeOptions& options);

// Writes a GGUF file. Throws as plan_quantization and save_gguf do, before anything is visible.
QuantizeReport quantize(const Model& model, const std::filesystem::path& path, const QuantizeOptions& options,
                        int n_threads = 0, const SaveProgress& progress = {});

}  // namespace minnow
