// Tokenizers in GGUF metadata (tokenizer.ggml.*), both ways.
#pragma once

#include "formats/gguf.h"
#include "formats/tokenizer_spec.h"

namespace minnow {

// Whether there is a tokenizer: the key tokenizer.ggml.model, and not "none".
bool has_gguf_tokenizer(const GgufMetadata& metadata);

// Reads tokenizer.ggml.model "llama" and "gemma4" (SPM), "gpt2" (byte-level BPE), "t5" (unigram) and "bert" (WordPiece).
// kInvalidInput for wrong element types, lengths that disagree and ids out of range; kUnsupported for other models,
// naming them.
TokenizerSpec tokenizer_spec_from_gguf(const GgufMetadata& metadata);

// Sets the keys that the ecosystem expects. kUnsupported for what GGUF has no key for: split expressions without a name,
// most normalizers, several tokens around a text. NFC and the white space that added tokens take along are left out, as
// in the GGUF files of others.
void tokenizer_spec_to_gguf(const TokenizerSpec& spec, GgufMetadata& metadata);

}  // namespace minnow
