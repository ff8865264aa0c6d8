// A model from a file, and what answers with it.
#pragma once

#include <memory>

#include "respond/model_pool.h"

namespace minnow {

// Maps the file and makes what it is mainly for ready: an engine and a responder, or an embedder for one that makes no text. The
// others are made when first asked for. Throws what load_model, Engine and LocalResponder throw.
std::shared_ptr<LoadedModel> load_local_model(const ModelEntry& entry, const EngineOptions& options);

}  // namespace minnow
