// Tokenizers in GGUF metadata (tokenizer.ggml.*), both ways.
#pragma once

#include "formats/gguf.h"
#include "formats/tokenizer_spec.h"

namespace minnow {

// Reads tokenizer.ggml.model "llama" (SPM) and "gpt2" (byte-level BPE). kInvalidInput for wrong element
// types, lengths that disagree and ids out of range; kUnsupported for other models, naming them.
TokenizerSpec tokenizer_spec_from_gguf(const GgufMetadata& metadata);

// Sets the keys that the ecosystem expects. kUnsupported when the split expressions have no GGUF name.
void tokenizer_spec_to_gguf(const TokenizerSpec& spec, GgufMetadata& metadata);

}  // namespace minnow
