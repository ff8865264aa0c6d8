#include "models/save.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_gguf.h"
#include "models/family.h"
#include "models/hf_layout.h"
#include "models/outgoing.h"
#include "tensor/codec.h"

namespace minnow {
namespace fs = std::filesystem;

namespace {

// The row order that brings a tensor of the model to the wanted layout; empty when it is there already.
std::vector<int64_t> order_for(const Model& model, const NamedTensor& t, RopeLayout wanted) {
  if (model.config.rope.layout == wanted) return {};
  return rope_row_order(model.config, t.name, t.tensor.shape[0], wanted);
}

Outgoing to_gguf(const Model& model, const NamedTensor& t, const ChooseDType& choose) {
  Outgoing o{t.tensor, t.tensor.shape, gguf_dtype(t, choose(t)), {}, 0, t.name};
  o.row_order = order_for(model, t, model.config.family->gguf_rope_layout);
  if (o.dtype != t.tensor.dtype && !can_encode(o.dtype)) fail(ErrorCode::kUnsupported, "cannot encode to {}", name(o.dtype));
  checked_tensor_bytes(o.dtype, o.shape, t.name);
  return o;
}

std::span<const float> checked_importance(const NamedTensor& t, std::span<const float> importance) {
  const Shape& shape = t.tensor.shape;
  const auto n = static_cast<int64_t>(importance.size());
  const bool fits = n == 0 || n == shape.last() || (shape.rank() == 3 && n == shape[0] * shape.last());
  if (!fits) {
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("{}: {} importance weights for a tensor of shape {}", t.name, n, shape.text()),
                "take those of this model");
  }
  const bool usable = std::all_of(importance.begin(), importance.end(), [](float w) { return w >= 0 && std::isfinite(w); });
  if (!usable) fail(ErrorCode::kInvalidInput, "{}: an importance weight is negative or not finite", t.name);
  return importance;
}

// general.file_type of a model that is mostly of one type: llama.cpp's number for it, of the medium mix where there are
// several. I2_S is bitnet.cpp's.
uint32_t file_type(DType dtype) {
  switch (dtype) {
    case DType::kF16: return 1;
    case DType::kQ4_0: return 2;
    case DType::kQ4_1: return 3;
    case DType::kQ8_0: return 7;
    case DType::kQ5_0: return 8;
    case DType::kQ5_1: return 9;
    case DType::kQ2_K: return 10;
    case DType::kQ3_K: return 12;
    case DType::kQ4_K: return 15;
    case DType::kQ5_K: return 17;
    case DType::kQ6_K: return 18;
    case DType::kIQ2_XXS: return 19;
    case DType::kIQ2_XS: return 20;
    case DType::kIQ3_XXS: return 23;
    case DType::kIQ1_S: return 24;
    case DType::kIQ4_NL: return 25;
    case DType::kIQ3_S: return 26;
    case DType::kIQ2_S: return 28;
    case DType::kIQ4_XS: return 30;
    case DType::kIQ1_M: return 31;
    case DType::kBF16: return 32;
    case DType::kTQ1_0: return 36;
    case DType::kTQ2_0: return 37;
    case DType::kMXFP4: return 38;
    case DType::kNVFP4: return 39;
    case DType::kQ1_0: case DType::kI2_S: return 40;
    case DType::kQ2_0: return 41;
    default: return 0;
  }
}

GgufMetadata gguf_metadata(const Model& model, const std::string& target) {
  if (model.format == ModelFormat::kGguf) {
    GgufMetadata m = model.metadata;
    for (const char* key : {"split.no", "split.count", "split.tensors.count"}) m.erase(key);
    if (model.tokenizer && !m.has("tokenizer.ggml.model")) tokenizer_spec_to_gguf(*model.tokenizer, m);
    return m;
  }
  GgufMetadata m(target);
  config_to_gguf(model.config, m);
  m.set("general.parameter_count", static_cast<uint64_t>(model.n_parameters()));
  m.set("general.quantization_version", uint32_t{2});
  if (const Tensor* types = model.weights.find("token_types.weight")) {
    m.set("tokenizer.ggml.token_type_count", static_cast<uint32_t>(types->shape[0]));
  }
  if (const Tensor* labels = model.weights.find("cls.output.weight")) {
    std::vector<std::string> names;
    for (int64_t i = 0; i < labels->shape[0]; ++i) names.push_back(fmt::format("LABEL_{}", i));
    m.set(std::string(model.config.family->gguf_name) + ".classifier.output_labels", names);
  }
  if (model.config.name.empty()) m.set("general.name", model.path.stem().string());
  if (model.tokenizer) tokenizer_spec_to_gguf(*model.tokenizer, m);
  return m;
}

DType most_bytes(const std::vector<Outgoing>& all) {
  std::map<DType, uint64_t> bytes;
  for (const Outgoing& o : all) {
    if (o.shape.rank() > 1) bytes[o.dtype] += gguf_tensor_bytes(o.dtype, o.shape);
  }
  const auto most = std::max_element(bytes.begin(), bytes.end(), [](auto& a, auto& b) { return a.second < b.second; });
  return most == bytes.end() ? DType::kF32 : most->first;
}

void write_json(const fs::path& path, const Json& json) {
  AtomicFile file(path);
  file.write(json.dump(2) + "\n");
  file.commit();
}

Json generation_config(const TokenizerSpec& t) {
  Json j = Json::object();
  if (t.bos != kNoToken) j["bos_token_id"] = t.bos;
  if (t.pad != kNoToken) j["pad_token_id"] = t.pad;
  Json ends = Json::array();
  for (const TokenId id : {t.eos, t.eot}) {
    if (id != kNoToken && std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  }
  if (ends.size() == 1) j["eos_token_id"] = ends[0];
  if (ends.size() > 1) j["eos_token_id"] = ends;
  return j;
}

// A GGUF's rope_freqs.weight of Llama 3 becomes numbers again: the scaling is known by its factor.
void recover_llama3_scaling(const Model& model, ModelConfig& config) {
  const Tensor* t = model.weights.find("rope_freqs.weight");
  if (t == nullptr || config.rope.scaling != RopeScaling::kNone) return;
  const std::vector<float> divisors = to_f32(*t);
  RopeConfig guess = config.rope;
  guess.scaling = RopeScaling::kLlama3;
  guess.factor = static_cast<double>(*std::max_element(divisors.begin(), divisors.end()));
  for (const int64_t context : {int64_t{8192}, config.n_ctx_train, config.n_ctx_train / 2, config.n_ctx_train / 4,
                                config.n_ctx_train / 8, config.n_ctx_train / 16, config.n_ctx_train / 32}) {
    guess.original_context = context;
    const std::vector<float> made = llama3_divisors(guess);
    const bool same = made.size() == divisors.size() &&
                      std::equal(made.begin(), made.end(), divisors.begin(),
                                 [](float a, float b) { return std::abs(a - b) <= 1e-3f * std::abs(b); });
    if (same) {
      config.rope = guess;
      return;
    }
  }
  fail(ErrorCode::kUnsupported, "rope_freqs.weight is not a Llama 3 scaling, a config.json cannot express it");
}

}  // namespace

DType keep_dtype(const NamedTensor& tensor) { return tensor.tensor.dtype; }

DType gguf_dtype(const NamedTensor& t, DType wanted) {
  const bool is_norm = t.tensor.shape.rank() == 1 || t.name.ends_with("_norm.weight");
  return is_norm && info(wanted).is_weight ? DType::kF32 : wanted;
}

uint64_t saved_bytes(const Model& model, const ChooseDType& choose) {
  uint64_t bytes = 0;
  for (const NamedTensor& t : model.weights.all()) {
    const Outgoing o = to_gguf(model, t, choose);
    bytes += gguf_tensor_bytes(o.dtype, o.shape);
  }
  return bytes;
}

namespace {

void refuse_what_does_not_convert(const Model& model) {
  if (model.config.family->converts) return;
  throw Error(ErrorCode::kUnsupported, fmt::format("{}: no other file form knows {} models", model.path.string(), model.config.family->gguf_name),
              "use the folder as it is");
}

}  // namespace

void save_gguf(const Model& model, const fs::path& path, const ChooseDType& choose, const SaveProgress& progress) {
  save_gguf(model, path, SaveGgufOptions{.choose = choose, .progress = progress});
}

void save_gguf(const Model& model, const fs::path& path, const SaveGgufOptions& options) {
  refuse_what_does_not_convert(model);
  std::vector<Outgoing> all;
  bool as_it_is = true;
  for (const NamedTensor& t : model.weights.all()) {
    all.push_back(to_gguf(model, t, options.choose));
    as_it_is &= all.back().dtype == t.tensor.dtype;
    if (options.importance) all.back().importance = checked_importance(t, options.importance(t));
  }
  if (model.config.rope.scaling == RopeScaling::kLlama3 && model.weights.find("rope_freqs.weight") == nullptr) {
    const std::vector<float> divisors = llama3_divisors(model.config.rope);
    const Tensor t = Tensor::from_f32(divisors, {static_cast<int64_t>(divisors.size())});
    all.push_back({t, t.shape, DType::kF32, {}, 0, "rope_freqs.weight"});
  }
  GgufMetadata metadata = gguf_metadata(model, path.string());
  const DType most = most_bytes(all);
  if (!as_it_is || options.file_type || !metadata.has("general.file_type")) {
    metadata.set("general.file_type", options.file_type.value_or(file_type(most)));
  }
  if (is_quantized(most)) metadata.set("general.quantization_version", uint32_t{2});
  for (const auto& [key, value] : options.metadata) metadata.set(key, value);
  GgufWriter writer(std::move(metadata));
  ThreadPool pool(options.n_threads > 0 ? options.n_threads : available_cores());
  for (const Outgoing& o : all) {
    writer.add(o.name, o.dtype, o.shape, [&o, &pool](const auto& sink) { produce(o, pool, sink); });
  }
  writer.write(path, options.progress);
}

namespace {

// A tensor as Hugging Face wants it; several for a tensor that holds all experts.
std::vector<Outgoing> to_hf(const Model& model, const ModelConfig& config, const NamedTensor& t, DType decoded) {
  const Family& family = *config.family;
  Outgoing o{t.tensor, t.tensor.shape, t.tensor.dtype, order_for(model, t, RopeLayout::kHalves), 0, {}};
  if (is_quantized(o.dtype)) o.dtype = decoded;
  if (family.hf_norm_minus_one && t.tensor.shape.rank() == 1 && t.name.ends_with("norm.weight")) o.shift = -1;
  const bool is_whole = !is_stacked(family, t.name);
  const int64_t n = is_whole ? 1 : t.tensor.shape[0];
  std::vector<Outgoing> all;
  for (int64_t e = 0; e < n; ++e) {
    Outgoing one = o;
    one.name = hf_tensor_name(family, t.name, e);
    if (one.name.empty()) fail(ErrorCode::kUnsupported, "{}: no Hugging Face name for this tensor is known", t.name);
    const bool classifies = model.weights.find("cls.output.weight") != nullptr;
    if (classifies && !one.name.starts_with("classifier")) one.name = std::string(family.hf_base_prefix) + one.name;
    if (!is_whole) {
      const bool matrices = t.tensor.shape.rank() == 3;
      one.tensor.shape = matrices ? Shape{t.tensor.shape[1], t.tensor.shape[2]} : Shape{t.tensor.shape.last()};
      one.tensor.data = t.tensor.row(matrices ? e * t.tensor.shape[1] : e);
    } else {
      if (is_quantized(t.tensor.dtype) && hf_layout(family, t.name)) one.tensor = Tensor::from_f32(to_f32(t.tensor), t.tensor.shape);
      one.tensor = to_hf_layout(config, t.name, one.tensor);
    }
    one.shape = one.tensor.shape;
    all.push_back(std::move(one));
  }
  return all;
}

void add_classifier(const Family& family, int64_t n_labels, Json& json) {
  for (const std::string_view name : family.hf_architectures) {
    if (name.ends_with("ForSequenceClassification")) json["architectures"] = {std::string(name)};
  }
  for (int64_t i = 0; i < n_labels; ++i) {
    json["id2label"][std::to_string(i)] = fmt::format("LABEL_{}", i);
    json["label2id"][fmt::format("LABEL_{}", i)] = i;
  }
}

Json floats_of(const Model& model, const char* name) { return to_f32(model.weights.require(name)); }

}  // namespace

void save_hf(const Model& model, const fs::path& folder, const SaveHfOptions& options, const SaveProgress& progress) {
  refuse_what_does_not_convert(model);
  ModelConfig config = model.config;
  recover_llama3_scaling(model, config);
  std::vector<Outgoing> all;
  for (const NamedTensor& t : model.weights.all()) {
    if (t.name.starts_with("rope_f")) continue;  // config.json has these factors
    for (Outgoing& o : to_hf(model, config, t, options.decoded_dtype)) all.push_back(std::move(o));
  }
  SafetensorsWriter writer;
  ThreadPool pool(available_cores());
  for (const Outgoing& o : all) {
    writer.add(o.name, o.dtype, o.shape, [&o, &pool](const auto& sink) { produce(o, pool, sink); });
  }
  fs::create_directories(folder);
  writer.write_folder(folder, options.max_shard_bytes, progress);
  if (model.tokenizer) {
    write_tokenizer_folder(*model.tokenizer, folder);
    write_json(folder / "generation_config.json", generation_config(*model.tokenizer));
  }
  Json json = config_to_hf(config);
  if (config.rope.scaling == RopeScaling::kLongRope) {
    json["rope_scaling"]["short_factor"] = floats_of(model, "rope_factors_short.weight");
    json["rope_scaling"]["long_factor"] = floats_of(model, "rope_factors_long.weight");
  }
  if (config.makes_text()) json["tie_word_embeddings"] = model.weights.find("output.weight") == nullptr;
  if (const Tensor* types = model.weights.find("token_types.weight")) json["type_vocab_size"] = types->shape[0];
  if (is_stacked(*config.family, "blk.0.attn_q_norm.weight")) json["qk_layernorm"] = model.weights.find("blk.0.attn_q_norm.weight") != nullptr;
  if (const Tensor* labels = model.weights.find("cls.output.weight")) add_classifier(*config.family, labels->shape[0], json);
  const DType most = most_bytes(all);
  json["torch_dtype"] = most == DType::kF32 ? "float32" : most == DType::kBF16 ? "bfloat16" : "float16";
  if (model.tokenizer) {
    if (model.tokenizer->bos != kNoToken) json["bos_token_id"] = model.tokenizer->bos;
    if (model.tokenizer->eos != kNoToken) json["eos_token_id"] = model.tokenizer->eos;
    if (model.tokenizer->pad != kNoToken) json["pad_token_id"] = model.tokenizer->pad;
  }
  write_json(folder / "config.json", json);
  if (config.pooling == Pooling::kMean || config.pooling == Pooling::kCls || config.pooling == Pooling::kLast) {
    fs::create_directories(folder / "1_Pooling");
    write_json(folder / "1_Pooling" / "config.json",
               {{"word_embedding_dimension", config.n_embd},
                {"pooling_mode_cls_token", config.pooling == Pooling::kCls},
                {"pooling_mode_mean_tokens", config.pooling == Pooling::kMean},
                {"pooling_mode_lasttoken", config.pooling == Pooling::kLast}});
  }
}

}  // namespace minnow
