// POST /api/show: all that is known of a model file.
#pragma once

#include <string>

#include "base/json.h"
#include "models/model.h"
#include "serve/model_summary.h"

namespace minnow {

struct OllamaShowOptions {
  bool verbose = false;  // long lists of the metadata as well, and the tensors
  std::string system;    // shown as the model's; empty: none
};
OrderedJson ollama_show(const ModelEntry& entry, const Model& model, const ModelSummary& summary, const OllamaShowOptions& options);

// "details" of lists and of /api/show.
OrderedJson ollama_details(const ModelSummary& summary);

// Metadata as JSON, sorted by key. Lists of more than a few elements are null, unless verbose.
OrderedJson model_info_json(const Model& model, bool verbose);

}  // namespace minnow
