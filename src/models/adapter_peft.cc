// PEFT's form: adapter_config.json and adapter_model.safetensors.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "formats/quote_name.h"
#include "formats/safetensors.h"
#include "models/adapter_files.h"
#include "models/family.h"
#include "tensor/codec.h"

namespace minnow {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "base_model.model.";

// Keys whose value is honoured, or has no part in what a finished adapter computes.
constexpr std::array kKnownKeys = {
    "alpha_pattern", "auto_mapping", "base_model_name_or_path", "bias", "ensure_weight_tying", "exclude_modules", "fan_in_fan_out",
    "inference_mode", "init_lora_weights", "layers_pattern", "layers_to_transform", "lora_alpha", "lora_bias", "lora_dropout", "megatron_config",
    "megatron_core", "modules_to_save", "peft_type", "peft_version", "qalora_group_size", "r", "rank_pattern", "revision", "runtime_config",
    "target_modules", "task_type", "use_dora", "use_rslora"};
// Keys that change the result when they say anything.
constexpr std::array kRefusedKeys = {"alora_invocation_tokens", "arrow_config", "layer_replication", "lora_bias", "megatron_config", "modules_to_save",
                                     "target_parameters", "trainable_token_indices", "use_bdlora", "use_qalora"};
// Of the initial values: settings without a part in a finished adapter.
constexpr std::array kHarmlessKeys = {"corda_config", "eva_config", "loftq_config", "lora_ga_config"};

bool says_nothing(const Json& v) { return v.is_null() || v == false || ((v.is_object() || v.is_array()) && v.empty()); }

template <typename Keys>
bool holds(const Keys& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

struct Config {
  const Json& json;
  std::string source;
  JsonFields fields{json, source};
  int64_t rank = fields.integer("r", 8, 1, static_cast<int64_t>(limits::kMaxWidth));
  double alpha = fields.number("lora_alpha", 8);
  bool magnitudes = fields.boolean("use_dora", false), rank_stabilized = fields.boolean("use_rslora", false);

  // Throws for what changes the result and is not done here.
  void check(std::vector<std::string>& warnings) const {
    const std::string kind = fields.text("peft_type", "");
    if (kind != "LORA") fail(ErrorCode::kUnsupported, "{}: peft_type \"{}\"; only \"LORA\" is supported", source, kind);
    if (fields.text("bias", "none") != "none") fail(ErrorCode::kUnsupported, "{}: bias \"{}\": trained biases are not supported", source, fields.text("bias", ""));
    for (const auto& [key, value] : json.items()) {
      if (says_nothing(value) || holds(kHarmlessKeys, key)) continue;
      if (holds(kRefusedKeys, key)) fail(ErrorCode::kUnsupported, "{}: {} changes what the adapter computes, and is not supported", source, key);
      if (!holds(kKnownKeys, key)) warnings.push_back(fmt::format("{}: {} is not known and ignored", source, quote_name(key)));
    }
    check_initial_weights();
  }

  // Some initial values take their part out of the base: without them, or with the base as it is published, the sum is another.
  void check_initial_weights() const {
    const Json& init = json.contains("init_lora_weights") ? json["init_lora_weights"] : Json();
    if (!init.is_string()) return;
    const auto& text = init.get_ref<const std::string&>();
    for (const char* kind : {"pissa", "olora", "corda", "loftq", "lora_ga"}) {
      if (text.starts_with(kind)) {
        throw Error(ErrorCode::kUnsupported, fmt::format("{}: init_lora_weights \"{}\" changes the base model as well", source, kind),
                    "save it as a plain LoRA (PEFT's path_initial_model_for_weight_conversion)");
      }
    }
  }
};

// What a file holds of one module.
struct Parts {
  const Tensor *a = nullptr, *b = nullptr, *magnitude = nullptr;
};

std::map<std::string, Parts> parts_by_module(const Safetensors& file, const std::string& source) {
  struct Ending {
    std::string_view text;
    const Tensor* Parts::*part;
  };
  static constexpr Ending kEndings[] = {{".lora_A.weight", &Parts::a},
                                        {".lora_B.weight", &Parts::b},
                                        {".lora_magnitude_vector", &Parts::magnitude},
                                        {".lora_magnitude_vector.weight", &Parts::magnitude}};
  std::map<std::string, Parts> modules;
  for (const NamedTensor& t : file.tensors()) {
    const std::string name = quote_name(t.name);
    if (!t.name.starts_with(kPrefix)) fail(ErrorCode::kInvalidInput, "{}: {} does not begin with \"{}\", as PEFT's tensors do", source, name, kPrefix);
    if (t.name.find(".lora_embedding_") != std::string::npos) fail(ErrorCode::kUnsupported, "{}: {}: adapters of embeddings are not supported", source, name);
    if (t.name.ends_with(".lora_B.bias")) fail(ErrorCode::kUnsupported, "{}: {}: adapters with a bias are not supported", source, name);
    const auto* end = std::find_if(std::begin(kEndings), std::end(kEndings), [&](const Ending& e) { return t.name.ends_with(e.text); });
    if (end == std::end(kEndings)) {
      throw Error(ErrorCode::kUnsupported, fmt::format("{}: {} is a module that was trained as a whole, or no part of a LoRA adapter", source, name),
                  "only lora_A, lora_B and lora_magnitude_vector are supported");
    }
    if (t.name.size() <= kPrefix.size() + end->text.size()) fail(ErrorCode::kInvalidInput, "{}: {} names no module", source, name);
    if (t.tensor.dtype != DType::kF32 && t.tensor.dtype != DType::kF16 && t.tensor.dtype != DType::kBF16) {
      fail(ErrorCode::kInvalidInput, "{}: {} is of type {}, not F32, F16 or BF16", source, name, minnow::name(t.tensor.dtype));
    }
    Parts& parts = modules[t.name.substr(kPrefix.size(), t.name.size() - kPrefix.size() - end->text.size())];
    if (parts.*end->part != nullptr) fail(ErrorCode::kInvalidInput, "{}: {} is there twice", source, name);
    parts.*end->part = &t.tensor;
  }
  return modules;
}

Tensor as_f32(const Tensor& t) { return Tensor::from_f32(to_f32(t), t.shape); }

// The GGUF name of a module's weight.
std::string weight_of_module(const Model& base, const std::string& module, const std::string& source) {
  const GgufName to = gguf_name_in_checkpoint(*base.config.family, module + ".weight");
  if (to.name.empty()) {
    fail(ErrorCode::kInvalidInput, "{}: {} is no module of a {} model", source, quote_name(module), base.config.family->gguf_name);
  }
  if (to.part >= 0) fail(ErrorCode::kUnsupported, "{}: {}: adapters of experts are not supported", source, quote_name(module));
  return to.name;
}

Adapter adapter_of(const std::string& config_text, const Safetensors& file, const Model& base, const std::string& source) {
  const std::string config_source = source + "/adapter_config.json";
  const Json json = parse_json(config_text, config_source);
  if (!json.is_object()) fail(ErrorCode::kInvalidInput, "{}: not a JSON object", config_source);
  Adapter adapter{.matrices = {}, .config = json};
  const Config config{json, config_source};
  config.check(adapter.warnings);
  adapter.rank_stabilized = config.rank_stabilized;
  adapter.dropout = config.fields.number("lora_dropout", 0);
  if (!json.contains("target_modules")) fail(ErrorCode::kInvalidInput, "{}: there are no target_modules", config_source);
  const auto targets = TargetModules::from_json(json["target_modules"], config_source);
  // The first pattern counts that fits: their order is that of the file.
  const auto numbers = [&, ordered = parse_ordered_json(config_text, config_source)](const char* key) {
    return ModuleNumbers(ordered.contains(key) ? ordered[key] : OrderedJson(), config_source + ": " + key);
  };
  const ModuleNumbers ranks = numbers("rank_pattern"), alphas = numbers("alpha_pattern");
  for (const auto& [module, parts] : parts_by_module(file, source)) {
    if (parts.a == nullptr || parts.b == nullptr) fail(ErrorCode::kInvalidInput, "{}: of {} one of lora_A and lora_B is missing", source, quote_name(module));
    if (!targets.matches(module)) fail(ErrorCode::kInvalidInput, "{}: there is an adapter of {}, which target_modules does not name", source, quote_name(module));
    if ((parts.magnitude != nullptr) != config.magnitudes) {
      fail(ErrorCode::kInvalidInput, "{}: use_dora is {}, but {} has {} magnitudes", source, config.magnitudes, quote_name(module), config.magnitudes ? "no" : "");
    }
    AdapterMatrix m{weight_of_module(base, module, source), as_f32(*parts.a), as_f32(*parts.b)};
    if (parts.magnitude != nullptr) m.magnitude = as_f32(*parts.magnitude);
    m.alpha = alphas.of(module, config.alpha);
    const double rank = ranks.of(module, static_cast<double>(config.rank));
    if (parts.a->shape.rank() != 2 || static_cast<double>(m.rank()) != rank) {
      fail(ErrorCode::kInvalidInput, "{}: lora_A of {} has shape {}, but the config says rank {}", source, quote_name(module), parts.a->shape.text(), rank);
    }
    adapter.matrices.push_back(std::move(m));
  }
  finish_adapter(adapter, base, source);
  for (AdapterMatrix& m : adapter.matrices) {
    m.b = adapter_rows_from_hf(base, m.name, m.b);
    if (m.magnitude) m.magnitude = adapter_rows_from_hf(base, m.name, m.magnitude);
  }
  return adapter;
}

std::string module_of(const Model& base, const std::string& weight) {
  const std::string name = hf_tensor_name(*base.config.family, weight);
  if (name.empty()) fail(ErrorCode::kUnsupported, "{}: no Hugging Face name for this tensor is known", weight);
  return name.substr(0, name.rfind('.'));
}

// The last words of the modules' names, if they mean these modules and no others; else the whole names.
Json target_names(const Adapter& adapter, const Model& base) {
  std::set<std::string> whole, last;
  for (const AdapterMatrix& m : adapter.matrices) {
    const std::string module = module_of(base, m.name);
    whole.insert(module);
    last.insert(module.substr(module.rfind('.') + 1));
  }
  const TargetModules by_last({last.begin(), last.end()});
  for (const AdaptableMatrix& m : adaptable_matrices(base)) {
    if (by_last.matches(m.module) && !whole.contains(m.module)) return whole;
  }
  return last;
}

Json integer_if_whole(double v) {
  return v == std::floor(v) && std::abs(v) < 1e15 ? Json(static_cast<int64_t>(v)) : Json(v);
}

template <typename Of>
auto most_frequent(const Adapter& adapter, Of of) {
  std::map<decltype(of(adapter.matrices[0])), int> counts;
  for (const AdapterMatrix& m : adapter.matrices) ++counts[of(m)];
  return std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->first;
}

Json config_of(const Adapter& adapter, const Model& base) {
  if (!adapter.config.is_null()) return adapter.config;
  const int64_t rank = most_frequent(adapter, [](const AdapterMatrix& m) { return m.rank(); });
  const double alpha = most_frequent(adapter, [](const AdapterMatrix& m) { return m.alpha; });
  Json j = {{"alpha_pattern", Json::object()}, {"auto_mapping", nullptr}, {"base_model_name_or_path", base.path.string()}, {"bias", "none"},
            {"fan_in_fan_out", false}, {"inference_mode", true}, {"init_lora_weights", true}, {"layers_pattern", nullptr},
            {"layers_to_transform", nullptr}, {"lora_alpha", integer_if_whole(alpha)}, {"lora_dropout", adapter.dropout},
            {"modules_to_save", nullptr}, {"peft_type", "LORA"}, {"r", rank}, {"rank_pattern", Json::object()}, {"revision", nullptr},
            {"target_modules", target_names(adapter, base)}, {"task_type", "CAUSAL_LM"}, {"use_dora", adapter.has_magnitudes()},
            {"use_rslora", adapter.rank_stabilized}};
  for (const AdapterMatrix& m : adapter.matrices) {
    const std::string module = module_of(base, m.name);
    if (m.rank() != rank) j["rank_pattern"][module] = m.rank();
    if (m.alpha != alpha) j["alpha_pattern"][module] = integer_if_whole(m.alpha);
    // Conv1D has its weights the other way round.
    if (hf_layout(*base.config.family, m.name) == HfLayout::kTransposed) j["fan_in_fan_out"] = true;
  }
  return j;
}

}  // namespace

Adapter load_peft_adapter(const fs::path& folder, const Model& base) {
  const fs::path config = folder / "adapter_config.json", tensors = folder / "adapter_model.safetensors";
  if (!fs::exists(config)) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no such file", config.string()), "a folder of an adapter has one; is it a model?");
  }
  if (!fs::exists(tensors) && fs::exists(folder / "adapter_model.bin")) {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: a pickle, which may run any code when it is read", (folder / "adapter_model.bin").string()),
                "save the adapter as safetensors");
  }
  if (!fs::exists(tensors)) fail(ErrorCode::kNotFound, "{}: no such file", tensors.string());
  return adapter_of(read_text_file(config, limits::kMaxJsonFileBytes), Safetensors::open(tensors), base, folder.string());
}

Adapter parse_peft_adapter(const std::string& config, std::span<const std::byte> tensors, const Model& base, const std::string& name) {
  return adapter_of(config, Safetensors::parse(tensors, name), base, name);
}

void save_peft_adapter(const Adapter& adapter, const Model& base, const fs::path& folder) {
  if (fs::exists(folder) && !fs::is_directory(folder)) {
    fail(ErrorCode::kUsage, "{}: give a name that ends in .gguf, or a folder for safetensors", folder.string());
  }
  const std::string config = config_of(adapter, base).dump(2, ' ', true, Json::error_handler_t::replace);
  std::map<std::string, Tensor> tensors;  // by name
  for (const AdapterMatrix& m : adapter.matrices) {
    const std::string module = std::string(kPrefix) + module_of(base, m.name);
    tensors[module + ".lora_A.weight"] = m.a;
    tensors[module + ".lora_B.weight"] = adapter_rows_to_hf(base, m.name, m.b);
    if (m.magnitude) tensors[module + ".lora_magnitude_vector"] = adapter_rows_to_hf(base, m.name, m.magnitude);
  }
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : tensors) writer.add(name, tensor);
  fs::create_directories(folder);
  fs::remove(folder / "adapter_config.json");  // new tensors never lie beside old numbers
  writer.write_file(folder / "adapter_model.safetensors");
  AtomicFile file(folder / "adapter_config.json");
  file.write(config);
  file.commit();
}

}  // namespace minnow
