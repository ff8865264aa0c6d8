// Where a model's tokenizer is.
#pragma once

#include <filesystem>
#include <optional>

#include "formats/tokenizer_spec.h"

namespace minnow {

struct Model;

// The tokenizer of a GGUF, a tokenizer file or a folder that has one, without loading any model. nullopt when the path is
// of another kind or has none.
std::optional<TokenizerSpec> load_tokenizer(const std::filesystem::path& path);

// The file or folder `given`, when not empty; else the model's own: GGUF metadata, the folder of the weights, or the
// tokenizer.bin / tok<vocabulary>.bin that llama2.c keeps beside (or one folder above) its weights.
// nullopt when there is none. Throws for one that is there but broken.
std::optional<TokenizerSpec> find_tokenizer(const Model& model, const std::filesystem::path& given);

}  // namespace minnow
