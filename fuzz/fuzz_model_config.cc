// Any text as a config.json: what is accepted can be written as GGUF metadata and as a config.json again, and says the same.
#include <cstdlib>

#include "base/error.h"
#include "models/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minnow;
  try {
    const ModelConfig config = config_from_hf(parse_json({reinterpret_cast<const char*>(data), size}, "input"), "input");
    const ModelConfig again = config_from_hf(config_to_hf(config), "again");
    GgufMetadata metadata("made");
    config_to_gguf(config, metadata);
    const ModelConfig read = config_from_gguf(metadata);
    for (const ModelConfig* c : {&again, &read}) {
      if (c->n_layers != config.n_layers || c->n_embd != config.n_embd || c->n_heads != config.n_heads) std::abort();
      if (c->local_layers.size() != config.local_layers.size() && config.sliding_window > 0) std::abort();
    }
  } catch (const Error&) {
  }
  return 0;
}
