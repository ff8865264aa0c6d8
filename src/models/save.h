// Models to files: GGUF, or a folder as Hugging Face tools read it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/model.h"

namespace minnow {

// The type to store a tensor as; called once for each tensor under its GGUF name.
using ChooseDType = std::function<DType(const NamedTensor&)>;
// Told how many bytes have been written so far; may be empty.
using SaveProgress = std::function<void(uint64_t)>;

// Keeps every tensor as it is.
DType keep_dtype(const NamedTensor& tensor);
// What a GGUF file gets for a wanted type: readers expect vectors of weights in F32.
DType gguf_dtype(const NamedTensor& tensor, DType wanted);

// How much the columns of a tensor's rows count (see encode_row): a value for each column, or of a stack of expert matrices
// for each column of each expert; empty when unknown. It must outlive the saving.
using ImportanceOf = std::function<std::span<const float>(const NamedTensor&)>;

struct SaveGgufOptions {
  ChooseDType choose = keep_dtype;
  // general.file_type; absent: by the type that most bytes have, or what the model's own file says when no type changes.
  std::optional<uint32_t> file_type = std::nullopt;
  ImportanceOf importance = {};  // may be empty
  // Texts set in the metadata, over what is there: a licence, a description, a default of the program's.
  std::vector<std::pair<std::string, std::string>> metadata = {};
  int n_threads = 0;  // that encode; 0: all cores. The file is the same for any number.
  SaveProgress progress = {};
};

// Writes one GGUF file, whole or absent. Metadata of a GGUF model are kept as they are; other models get theirs from
// config and tokenizer. Query and key rows are put in GGUF's order, a Llama 3 rope scaling becomes rope_freqs.weight.
// Throws kInvalidInput when a weight holds values that are not finite where a block format cannot express them, or that
// are past the range of their type, kUnsupported for types without an encoder, kIo.
void save_gguf(const Model& model, const std::filesystem::path& path, const SaveGgufOptions& options);
void save_gguf(const Model& model, const std::filesystem::path& path, const ChooseDType& choose = keep_dtype,
               const SaveProgress& progress = {});

// Bytes that save_gguf would write for the tensors.
uint64_t saved_bytes(const Model& model, const ChooseDType& choose);

// Writes model.safetensors (in shards of at most max_shard_bytes), config.json, generation_config.json and, when the
// model has a tokenizer, tokenizer.json and tokenizer_config.json. Quantized tensors are decoded to `decoded_dtype`
// (F32, F16 or BF16). The folder is created; config.json comes last.
struct SaveHfOptions {
  DType decoded_dtype = DType::kF16;
  uint64_t max_shard_bytes = 5'000'000'000;
};
void save_hf(const Model& model, const std::filesystem::path& folder, const SaveHfOptions& options,
             const SaveProgress& progress = {});

}  // namespace minnow
