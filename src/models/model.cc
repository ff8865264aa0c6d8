#include "models/model.h"

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "formats/llama2c.h"
#include "formats/packed/unpack_quantized.h"
#include "formats/safetensors.h"
#include "models/family.h"
#include "models/find_tokenizer.h"
#include "tensor/codec.h"

namespace minnow {
namespace fs = std::filesystem;

namespace {

// Of a multimodal checkpoint only the language part is kept; its names lose their prefix.
std::string text_part_name(const std::string& name) {
  for (const std::string_view prefix : {"model.language_model.", "language_model.model."}) {
    if (name.starts_with(prefix)) return "model." + name.substr(prefix.size());
  }
  if (name.starts_with("language_model.")) return name.substr(15);
  return name;
}

// Hugging Face stores these norm weights minus one.
Tensor plus_one(const Tensor& t) {
  std::vector<float> values = to_f32(t);
  for (float& v : values) v += 1;
  return Tensor::from_f32(values, t.shape);
}

void add_hf_tensor(Model& model, const NamedTensor& source) {
  const Family& family = *model.config.family;
  const std::string name = gguf_tensor_name(family, text_part_name(source.name));
  if (name.empty()) return;  // vision towers, rotary buffers and the like
  const bool norm = source.tensor.shape.rank() == 1 && name.ends_with("norm.weight");
  model.weights.set(name, norm && family.hf_norm_minus_one ? plus_one(source.tensor) : source.tensor);
}

void load_gguf(Model& model) {
  GgufFile file = GgufFile::open(model.path);
  model.config = config_from_gguf(file.metadata());
  for (const auto& t : file.tensors()) model.weights.set(t.name, t.tensor);
  model.metadata = file.metadata();
  model.file_bytes = file.file_bytes();
}

void load_safetensors(Model& model) {
  const bool folder = fs::is_directory(model.path);
  const fs::path config = (folder ? model.path : model.path.parent_path()) / "config.json";
  if (!fs::exists(config)) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no such file", config.string()),
                "a safetensors model needs its config.json beside it");
  }
  const Json json = parse_json(read_text_file(config, limits::kMaxJsonFileBytes), config.string());
  model.config = config_from_hf(json, config.string());
  const auto quantization = find_quantization(json, config.parent_path());
  const Safetensors file = Safetensors::open(model.path);
  if (quantization) {
    for (const NamedTensor& t : unpack_quantized(file.tensors(), *quantization, model.path.string())) add_hf_tensor(model, t);
  } else {
    for (const NamedTensor& t : file.tensors()) add_hf_tensor(model, t);
  }
  model.file_bytes = file.file_bytes();
}

void load_llama2c(Model& model) {
  const Llama2cFile file = Llama2cFile::open(model.path);
  model.config = config_from_llama2c(file.header(), model.path.string());
  for (const NamedTensor& t : file.tensors()) model.weights.set(t.name, t.tensor);
  model.file_bytes = file.file_bytes();
}

// The embedding decides how many tokens there are; config and tokenizer have to agree with it.
void settle_vocabulary(Model& model) {
  const std::string source = model.path.string();
  const Tensor& embeddings = model.weights.require("token_embd.weight");
  if (embeddings.shape.rank() != 2 || embeddings.shape[1] != model.config.n_embd) {
    fail(ErrorCode::kInvalidInput, "{}: token_embd.weight has shape {}, its rows must have {} values", source,
         embeddings.shape.text(), model.config.n_embd);
  }
  if (embeddings.shape[0] > static_cast<int64_t>(limits::kMaxVocab)) {
    fail(ErrorCode::kLimit, "{}: a vocabulary of {} tokens", source, embeddings.shape[0]);
  }
  model.config.n_vocab = embeddings.shape[0];
  if (model.tokenizer && static_cast<int64_t>(model.tokenizer->tokens.size()) > model.config.n_vocab) {
    fail(ErrorCode::kInvalidInput, "{}: the tokenizer has {} tokens but the model only {}", source,
         model.tokenizer->tokens.size(), model.config.n_vocab);
  }
}

bool has_safetensors(const fs::path& folder) {
  return std::any_of(fs::directory_iterator(folder), fs::directory_iterator(),
                     [](const fs::directory_entry& e) { return e.path().extension() == ".safetensors"; });
}

}  // namespace

std::string_view name(ModelFormat format) {
  switch (format) {
    case ModelFormat::kGguf: return "GGUF";
    case ModelFormat::kSafetensors: return "safetensors";
    case ModelFormat::kLlama2c: return "llama2.c";
  }
  return "?";
}

const Tensor* Weights::find(const std::string& name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &tensors_[it->second].tensor;
}

const Tensor& Weights::require(const std::string& name) const {
  const Tensor* t = find(name);
  if (t == nullptr) fail(ErrorCode::kInvalidInput, "model: tensor {} is missing", name);
  return *t;
}

void Weights::set(std::string name, Tensor tensor) {
  const auto [it, added] = index_.try_emplace(name, tensors_.size());
  if (added) {
    tensors_.push_back({std::move(name), std::move(tensor)});
  } else {
    tensors_[it->second].tensor = std::move(tensor);
  }
}

int64_t Model::n_parameters() const {
  int64_t n = 0;
  for (const auto& t : weights.all()) n += t.tensor.shape.elements();
  return n;
}

DType Model::main_dtype() const {
  std::map<DType, uint64_t> bytes;
  for (const auto& t : weights.all()) {
    if (t.tensor.shape.rank() >= 2) bytes[t.tensor.dtype] += t.tensor.bytes();
  }
  const auto most = std::max_element(bytes.begin(), bytes.end(), [](auto& a, auto& b) { return a.second < b.second; });
  return most == bytes.end() ? DType::kF32 : most->first;
}

ModelFormat detect_format(const fs::path& path) {
  if (!fs::exists(path)) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no such file or folder", path.string()),
                "give a .gguf file, a folder with safetensors, or a llama2.c .bin file");
  }
  if (fs::is_directory(path)) {
    if (has_safetensors(path)) return ModelFormat::kSafetensors;
    fail(ErrorCode::kInvalidInput, "{}: the folder holds no .safetensors file", path.string());
  }
  if (path.extension() == ".safetensors") return ModelFormat::kSafetensors;
  if (path.extension() == ".bin") return ModelFormat::kLlama2c;
  if (path.extension() == ".gguf" || looks_like_gguf(path)) return ModelFormat::kGguf;
  throw Error(ErrorCode::kInvalidInput, fmt::format("{}: not a model that minnow knows", path.string()),
              "give a .gguf file, a folder with safetensors, or a llama2.c .bin file");
}

Model load_model(const fs::path& path, const LoadOptions& options) {
  Model model;
  model.path = path;
  model.format = detect_format(path);
  switch (model.format) {
    case ModelFormat::kGguf: load_gguf(model); break;
    case ModelFormat::kSafetensors: load_safetensors(model); break;
    case ModelFormat::kLlama2c: load_llama2c(model); break;
  }
  model.tokenizer = find_tokenizer(model, options.tokenizer);
  settle_vocabulary(model);
  return model;
}

}  // namespace minnow
