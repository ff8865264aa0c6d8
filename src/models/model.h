// A model in memory: its numbers, its weights under their GGUF names, and its words.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/named_tensor.h"
#include "formats/tokenizer_spec.h"
#include "graph/graph.h"
#include "models/config.h"

namespace minnow {

class MappedFile;  // base/file.h

enum class ModelFormat : uint8_t { kGguf, kSafetensors, kLlama2c };
std::string_view name(ModelFormat format);  // "GGUF", "safetensors", "llama2.c"

class Weights {
 public:
  // Throws kInvalidInput naming the tensor when it is not there.
  const Tensor& require(const std::string& name) const;
  const Tensor* find(const std::string& name) const;
  void set(std::string name, Tensor tensor);
  void remove(const std::string& name);
  // In the order of the file.
  const std::vector<NamedTensor>& all() const { return tensors_; }
  // That they lie in: to be looked at for damage.
  std::vector<std::shared_ptr<const MappedFile>> files() const;

 private:
  std::vector<NamedTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

struct Model {
  std::filesystem::path path;
  ModelFormat format = ModelFormat::kGguf;
  ModelConfig config;
  Weights weights;
  std::optional<TokenizerSpec> tokenizer;  // absent when no tokenizer was found
  GgufMetadata metadata;                   // of a GGUF file; empty otherwise
  uint64_t file_bytes = 0;

  int64_t n_parameters() const;
  // The type that holds most of the bytes of the matrices.
  DType main_dtype() const;
};

struct LoadOptions {
  // A tokenizer file or folder to use instead of the model's own.
  std::filesystem::path tokenizer;
};

// From a .gguf file, a folder with safetensors or one such file (config.json beside it), or a llama2.c .bin file
// (tokenizer.bin or tok<vocabulary>.bin beside it). Nothing is read but headers; weights stay in the mapped files, but for
// packed layers of Hugging Face (GPTQ and the like), which are unpacked into memory.
// Throws kNotFound, kInvalidInput, kUnsupported.
Model load_model(const std::filesystem::path& path, const LoadOptions& options = {});

// Which of the three the path holds; throws kNotFound or kInvalidInput ("not a model that minnow knows").
ModelFormat detect_format(const std::filesystem::path& path);

// What a graph gives for each selected row.
enum class GraphOutput : uint8_t {
  kLogits,      // of the language model: [n_vocab]
  kEmbeddings,  // the last hidden state, normalised as the family does: [n_embd]
  kScores,      // of the classifier: [labels]
};

// The forward pass for contexts of up to n_ctx positions: token ids to the output of the selected rows.
// Throws kInvalidInput when a weight is missing or does not fit the config, kUnsupported for an output that the model
// does not have.
Graph build_graph(const Model& model, int64_t n_ctx, GraphOutput output = GraphOutput::kLogits);

}  // namespace minnow
