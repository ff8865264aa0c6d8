#include "models/model.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "formats/llama2c.h"
#include "formats/packed/unpack_quantized.h"
#include "formats/safetensors.h"
#include "formats/tokenizer_gguf.h"
#include "models/family.h"
#include "models/find_tokenizer.h"
#include "models/hf_layout.h"
#include "models/shipped.h"
#include "models/static_model.h"
#include "tensor/codec.h"

namespace minnow {
namespace fs = std::filesystem;

namespace {

// Parts of stacked tensors (the matrices of experts, the norms of heads), until all are there.
using Parts = std::map<std::string, std::map<int64_t, Tensor>>;

void add_hf_tensor(Model& model, const NamedTensor& source, Parts& parts) {
  const GgufName to = gguf_name_in_checkpoint(*model.config.family, source.name);
  if (to.name.empty()) return;  // vision towers, rotary buffers and the like
  if (to.part >= 0) {
    parts[to.name][to.part] = source.tensor;
  } else {
    model.weights.set(to.name, from_hf_layout(model.config, to.name, source.tensor));
  }
}

// The parts along a new first dimension.
Tensor stacked(const std::string& name, const std::map<int64_t, Tensor>& parts) {
  const auto n = static_cast<int64_t>(parts.size());
  if (parts.rbegin()->first != n - 1) {
    fail(ErrorCode::kInvalidInput, "model: {} is made of {} tensors, but one of them has number {}", name, n, parts.rbegin()->first);
  }
  const Tensor& first = parts.begin()->second;
  Shape shape;
  if (first.shape.rank() == 1) {
    shape = {n, first.shape[0]};
  } else if (first.shape.rank() == 2) {
    shape = {n, first.shape[0], first.shape[1]};
  } else {
    fail(ErrorCode::kInvalidInput, "model: {}: one of its parts has shape {}", name, first.shape.text());
  }
  std::byte* out = nullptr;
  const Tensor all = Tensor::allocate(first.dtype, shape, &out);
  for (const auto& [number, t] : parts) {
    if (t.shape != first.shape || t.dtype != first.dtype) {
      fail(ErrorCode::kInvalidInput, "model: {}: its parts differ in shape or type", name);
    }
    std::memcpy(out, t.data, t.bytes());
    out += t.bytes();
  }
  return all;
}

// LongRoPE's factors, which config.json lists, as the tensors they are in GGUF.
void add_long_rope_factors(Model& model, const Json& config, const std::string& source) {
  if (model.config.rope.scaling != RopeScaling::kLongRope) return;
  for (const auto& [key, name] : {std::pair("short_factor", "rope_factors_short.weight"), std::pair("long_factor", "rope_factors_long.weight")}) {
    const Json* scaling = nullptr;
    for (const char* field : {"rope_scaling", "rope_parameters"}) {
      if (scaling == nullptr && config.contains(field) && config[field].is_object()) scaling = &config[field];
    }
    if (scaling == nullptr || !scaling->contains(key) || !(*scaling)[key].is_array()) {
      fail(ErrorCode::kInvalidInput, "{}: a longrope scaling needs the list \"{}\"", source, key);
    }
    std::vector<float> values;
    for (const Json& v : (*scaling)[key]) {
      if (!v.is_number() || !(v.get<double>() > 0)) fail(ErrorCode::kInvalidInput, "{}: \"{}\" holds something that is not a positive number", source, key);
      values.push_back(v.get<float>());
    }
    model.weights.set(name, Tensor::from_f32(values, {static_cast<int64_t>(values.size())}));
  }
}

// How sentence-transformers says the vectors are pooled.
Pooling pooling_beside(const fs::path& folder) {
  const fs::path path = folder / "1_Pooling" / "config.json";
  if (!fs::exists(path)) return Pooling::kNone;
  const Json json = parse_json(read_text_file(path, limits::kMaxJsonFileBytes), path.string());
  const JsonFields f{json, path.string()};
  if (!json.is_object()) fail(ErrorCode::kInvalidInput, "{}: not a JSON object", path.string());
  if (f.boolean("pooling_mode_cls_token", false)) return Pooling::kCls;
  if (f.boolean("pooling_mode_lasttoken", false)) return Pooling::kLast;
  if (f.boolean("pooling_mode_mean_tokens", false)) return Pooling::kMean;
  fail(ErrorCode::kUnsupported, "{}: only pooling by mean, by the first and by the last token is supported", path.string());
}

void load_gguf(Model& model) {
  GgufFile file = GgufFile::open(model.path);
  model.config = config_from_gguf(file.metadata());
  for (const auto& t : file.tensors()) model.weights.set(t.name, t.tensor);
  model.file_bytes = file.file_bytes();
  model.metadata = std::move(file).take_metadata();
}

// A pooler serves a classifier; without one it is left out, as everywhere else.
void settle_classifier(Model& model) {
  const bool ranks = model.weights.find("cls.output.weight") != nullptr;
  if (ranks) {
    model.config.pooling = Pooling::kRank;
  } else {
    model.weights.remove("cls.weight");
    model.weights.remove("cls.bias");
  }
}

// Whether the output is the embedding: the config's word counts more than what the files happen to hold.
void settle_tied_output(Model& model, const Json& config, const std::string& source) {
  if (!model.config.makes_text() || !config.contains("tie_word_embeddings") || !config["tie_word_embeddings"].is_boolean()) return;
  const bool tied = config["tie_word_embeddings"].get<bool>();
  if (tied) model.weights.remove("output.weight");
  const Json& names = config.contains("architectures") ? config["architectures"] : Json();
  const bool has_head = names.is_array() && !names.empty() && names[0].is_string() && names[0].get<std::string>().ends_with("ForCausalLM");
  if (!tied && has_head && model.weights.find("output.weight") == nullptr) {
    fail(ErrorCode::kInvalidInput, "{}: the output is not tied to the embedding, but {} is missing", source,
         hf_tensor_name(*model.config.family, "output.weight"));
  }
}

void load_safetensors(Model& model) {
  const fs::path folder = fs::is_directory(model.path) ? model.path : model.path.parent_path();
  if (is_static_model(folder)) return load_static_model(model, folder);
  const fs::path config = folder / "config.json";
  if (!fs::exists(config)) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no such file", config.string()),
                "a safetensors model needs its config.json beside it");
  }
  const Json json = parse_json(read_text_file(config, limits::kMaxJsonFileBytes), config.string());
  model.config = config_from_hf(json, config.string());
  model.config.pooling = pooling_beside(folder);
  const auto quantization = find_quantization(json, folder);
  const Safetensors file = Safetensors::open(model.path);
  const std::vector<NamedTensor> tensors =
      quantization ? unpack_quantized(file.tensors(), *quantization, model.path.string()) : file.tensors();
  Parts parts;
  for (const NamedTensor& t : tensors) add_hf_tensor(model, t, parts);
  for (const auto& [name, tensor_parts] : parts) model.weights.set(name, stacked(name, tensor_parts));
  const Json& text = json.contains("text_config") ? json["text_config"] : json;
  add_long_rope_factors(model, text, config.string());
  settle_classifier(model);
  settle_tied_output(model, json, config.string());
  model.file_bytes = file.file_bytes();
}

void load_llama2c(Model& model) {
  const Llama2cFile file = Llama2cFile::open(model.path);
  model.config = config_from_llama2c(file.header(), model.path.string());
  for (const NamedTensor& t : file.tensors()) model.weights.set(t.name, t.tensor);
  model.file_bytes = file.file_bytes();
}

// Nothing that is multiplied has an empty side.
void refuse_empty_tensors(const Model& model) {
  for (const NamedTensor& t : model.weights.all()) {
    if (t.tensor.shape.elements() == 0) {
      fail(ErrorCode::kInvalidInput, "{}: {} has shape {}, it holds nothing", model.path.string(), t.name, t.tensor.shape.text());
    }
  }
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

void Weights::remove(const std::string& name) {
  const auto it = index_.find(name);
  if (it == index_.end()) return;
  tensors_.erase(tensors_.begin() + static_cast<std::ptrdiff_t>(it->second));
  index_.clear();
  for (std::size_t i = 0; i < tensors_.size(); ++i) index_[tensors_[i].name] = i;
}

std::vector<std::shared_ptr<const MappedFile>> Weights::files() const {
  std::vector<std::shared_ptr<const MappedFile>> files;
  for (const auto& t : tensors_) {
    const MappedFile* file = MappedFile::owned_by(t.tensor.owner);
    const auto is_it = [&](const auto& known) { return known.get() == file; };
    if (file != nullptr && std::none_of(files.begin(), files.end(), is_it)) files.emplace_back(t.tensor.owner, file);
  }
  return files;
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

namespace {

// A file that is written of the model has the tokenizer that it was loaded with.
void replace_tokenizer(GgufMetadata& metadata, const TokenizerSpec& spec) {
  std::vector<std::string> old;
  for (const auto& entry : metadata.entries()) {
    if (entry.first.starts_with("tokenizer.")) old.push_back(entry.first);
  }
  for (const std::string& key : old) metadata.erase(key);
  tokenizer_spec_to_gguf(spec, metadata);
}

std::string missing_model_advice() {
  std::string advice = "give a .gguf file, a folder with safetensors, or a llama2.c .bin file";
  const std::vector<std::string> shipped = shipped_models();
  for (std::size_t i = 0; i < shipped.size(); ++i) advice += (i == 0 ? "; or one that comes with minnow: " : ", ") + shipped[i];
  return advice;
}

}  // namespace

ModelFormat detect_format(const fs::path& path) {
  if (!fs::exists(path)) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no such file or folder", path.string()),
                missing_model_advice());
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
  model.path = find_shipped_model(path);
  model.format = detect_format(model.path);
  switch (model.format) {
    case ModelFormat::kGguf: load_gguf(model); break;
    case ModelFormat::kSafetensors: load_safetensors(model); break;
    case ModelFormat::kLlama2c: load_llama2c(model); break;
  }
  model.tokenizer = find_tokenizer(model, options.tokenizer);
  if (model.format == ModelFormat::kGguf && !options.tokenizer.empty() && model.tokenizer) replace_tokenizer(model.metadata, *model.tokenizer);
  refuse_empty_tensors(model);
  settle_vocabulary(model);
  return model;
}

}  // namespace minnow
