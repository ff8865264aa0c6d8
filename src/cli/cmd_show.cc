#include <fmt/core.h>

#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/table.h"
#include "base/units.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cpu/kv_cache.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "models/family.h"
#include "models/model.h"
#include "models/static_model.h"

namespace minnow {
namespace {

struct Arguments {
  std::string model, tokenizer, kv = "f16";
  int64_t n_ctx = 0;
  bool json = false, tensors = false, metadata = false, families = false;
};

constexpr std::size_t kShownElements = 6;   // of an array
constexpr std::size_t kShownText = 120;     // bytes of a string

template <typename T>
std::string element_text(const T& v) {
  if constexpr (std::is_same_v<T, std::string>) {
    return "\"" + v + "\"";
  } else {
    return fmt::format("{}", v);
  }
}

struct ValueText {
  template <typename T>
  std::string operator()(const std::vector<T>& values) const {
    std::string out = fmt::format("{} values: ", values.size());
    for (std::size_t i = 0; i < std::min(values.size(), kShownElements); ++i) out += (i > 0 ? ", " : "") + element_text(values[i]);
    return out + (values.size() > kShownElements ? ", …" : "");
  }
  std::string operator()(const GgufBoolArray& v) const { return (*this)(v.values); }
  std::string operator()(const std::string& v) const {
    return v.size() <= kShownText ? v : v.substr(0, kShownText) + fmt::format("… ({} bytes)", v.size());
  }
  template <typename T>
    requires std::is_arithmetic_v<T>
  std::string operator()(T v) const {
    return fmt::format("{}", v);
  }
};

struct ValueJson {
  Json operator()(const GgufBoolArray& v) const { return v.values; }
  Json operator()(const std::string& v) const { return to_valid(v); }
  Json operator()(const std::vector<std::string>& v) const {
    Json out = Json::array();
    for (const auto& s : v) out.push_back(to_valid(s));
    return out;
  }
  template <typename T>
  Json operator()(const T& v) const {
    return v;
  }
  static std::string to_valid(const std::string& s) { return to_valid_utf8(s); }
};

struct Facts {
  Model model;
  int64_t n_ctx;
  uint64_t kv_bytes;
  std::vector<std::string> unused;  // tensors that the family has no use for
};

// Tensors of the file that the graph does not read. Small numbers (scales, rotary factors) are read when it is built, a
// classifier when it is asked for.
std::vector<std::string> unused_tensors(const Model& model, const Graph& graph) {
  std::set<std::string> used;
  for (const Node& n : graph.nodes()) used.insert(n.name);
  std::vector<std::string> unused;
  for (const NamedTensor& t : model.weights.all()) {
    const bool read_otherwise = t.name.ends_with(".scale") || t.name.starts_with("rope_f") || t.name.starts_with("cls");
    if (!read_otherwise && !used.contains(t.name)) unused.push_back(t.name);
  }
  return unused;
}

std::string size_class(int64_t parameters) {
  if (parameters < 1'500'000'000) return "micro";
  if (parameters < 14'000'000'000) return "small";
  if (parameters <= 30'000'000'000) return "medium";
  return "large";
}

Json tensors_json(const std::vector<NamedTensor>& all) {
  Json tensors = Json::array();
  for (const NamedTensor& t : all) {
    std::vector<int64_t> shape;
    for (int i = 0; i < t.tensor.shape.rank(); ++i) shape.push_back(t.tensor.shape[i]);
    tensors.push_back({{"name", t.name}, {"dtype", std::string(name(t.tensor.dtype))}, {"shape", shape}, {"bytes", t.tensor.bytes()}});
  }
  return tensors;
}

Json metadata_json(const GgufMetadata& all) {
  Json metadata = Json::object();
  for (const auto& [key, value] : all.entries()) metadata[key] = std::visit(ValueJson{}, value);
  return metadata;
}

void print_tensors(const std::vector<NamedTensor>& all) {
  Table table({{"tensor"}, {"type"}, {"shape"}, {"size", Table::Align::kRight}});
  for (const NamedTensor& t : all) table.add_row({t.name, std::string(name(t.tensor.dtype)), t.tensor.shape.text(), format_bytes(t.tensor.bytes())});
  fmt::print("\n{}", table.text());
}

void print_metadata(const GgufMetadata& all) {
  if (all.entries().empty()) return;
  Table table({{"key"}, {"value"}});
  for (const auto& [key, value] : all.entries()) table.add_row({key, std::visit(ValueText{}, value)});
  fmt::print("\n{}", table.text());
}

void print_line(const char* label, const std::string& text) { fmt::print("{:<14} {}\n", label, printable(text)); }

int64_t elements_of(const std::vector<NamedTensor>& all) {
  int64_t n = 0;
  for (const NamedTensor& t : all) n += t.tensor.shape.elements();
  return n;
}

Json to_json(const Facts& f, const Arguments& a) {
  const ModelConfig& c = f.model.config;
  Json j = {{"path", f.model.path.string()}, {"format", std::string(name(f.model.format))}, {"name", to_valid_utf8(c.name)},
            {"architecture", std::string(c.family->gguf_name)}, {"parameters", f.model.n_parameters()},
            {"class", size_class(f.model.n_parameters())}, {"dtype", std::string(name(f.model.main_dtype()))},
            {"file_bytes", f.model.file_bytes}, {"n_layers", c.n_layers}, {"n_embd", c.n_embd}, {"n_ff", c.n_ff},
            {"n_heads", c.n_heads}, {"n_kv_heads", c.n_kv_heads}, {"head_dim", c.head_dim}, {"n_vocab", c.n_vocab},
            {"n_ctx_train", c.n_ctx_train}, {"sliding_window", c.sliding_window}, {"n_ctx", f.n_ctx}, {"kv_type", a.kv},
            {"kv_bytes", f.kv_bytes}, {"memory_bytes", f.model.file_bytes + f.kv_bytes},
            {"tokenizer", f.model.tokenizer ? tokenizer_kind_name(f.model.tokenizer->kind) : "none"},
            {"chat_template", f.model.tokenizer && !f.model.tokenizer->chat_template.empty()}};
  j["tensors"] = tensors_json(f.model.weights.all());
  j["unused_tensors"] = f.unused;
  j["metadata"] = metadata_json(f.model.metadata);
  return j;
}

void print_facts(const Facts& f, const Arguments& a) {
  const Model& m = f.model;
  const ModelConfig& c = m.config;
  const auto line = print_line;
  line("model", c.name.empty() ? m.path.string() : c.name);
  line("format", std::string(name(m.format)) + ", " + format_bytes(m.file_bytes));
  line("architecture", std::string(c.family->gguf_name));
  line("parameters", fmt::format("{} ({})", format_count(static_cast<uint64_t>(m.n_parameters())), size_class(m.n_parameters())));
  line("weights", std::string(name(m.main_dtype())));
  line("layers", fmt::format("{} of width {}, feed-forward {}", c.n_layers, c.n_embd, c.n_ff));
  line("heads", fmt::format("{} of {}, {} key-value heads", c.n_heads, c.head_dim, c.n_kv_heads));
  line("vocabulary", std::to_string(c.n_vocab));
  line("context", fmt::format("{} tokens{}", c.n_ctx_train, c.sliding_window > 0 ? fmt::format(", sliding window {}", c.sliding_window) : ""));
  if (m.tokenizer) {
    line("tokenizer", fmt::format("{}, {} tokens, {}chat template", tokenizer_kind_name(m.tokenizer->kind),
                                  m.tokenizer->tokens.size(), m.tokenizer->chat_template.empty() ? "no " : ""));
  } else {
    line("tokenizer", "none");
  }
  line("memory", fmt::format("{} for {} tokens of context: weights {} + KV cache {} ({})", format_bytes(m.file_bytes + f.kv_bytes), f.n_ctx,
                             format_bytes(m.file_bytes), format_bytes(f.kv_bytes), a.kv));
  if (!f.unused.empty()) {
    line("not used", fmt::format("{} tensors that this family has no place for, such as {}: answers may be wrong", f.unused.size(), f.unused[0]));
  }
  if (a.metadata) print_metadata(m.metadata);
  if (a.tensors) print_tensors(m.weights.all());
}

// A lone safetensors file without config.json is not a model, but its tensors can be looked at.
bool show_tensors_only(const Arguments& a) {
  const std::filesystem::path path = a.model;
  if (path.extension() != ".safetensors" || std::filesystem::exists(path.parent_path() / "config.json")) return false;
  if (is_static_model(path.parent_path())) return false;
  const Safetensors file = Safetensors::open(path);
  const int64_t elements = elements_of(file.tensors());
  if (a.json) {
    fmt::print("{}\n", Json{{"path", a.model}, {"format", "safetensors"}, {"parameters", elements}, {"file_bytes", file.file_bytes()}, {"tensors", tensors_json(file.tensors())}}.dump());
    return true;
  }
  fmt::print("{}: safetensors, {}, {} values; no config.json beside it, so only its tensors are known\n", printable(a.model),
             format_bytes(file.file_bytes()), format_count(static_cast<uint64_t>(elements)));
  print_tensors(file.tensors());
  return true;
}

// What an adapter says of itself: whether it fits a model is seen when both are loaded.
struct AdapterFacts {
  std::string format, kind, base, targets;
  double alpha;
  int64_t rank;
};

Json to_json(const AdapterFacts& f, const Arguments& a, const std::vector<NamedTensor>& tensors, uint64_t bytes, Json metadata) {
  return {{"path", a.model}, {"format", f.format}, {"adapter", f.kind}, {"base", to_valid_utf8(f.base)}, {"rank", f.rank}, {"alpha", f.alpha},
          {"targets", to_valid_utf8(f.targets)}, {"parameters", elements_of(tensors)}, {"file_bytes", bytes}, {"tensors", tensors_json(tensors)},
          {"metadata", std::move(metadata)}};
}

void print_adapter(const AdapterFacts& f, const Arguments& a, const std::vector<NamedTensor>& tensors, uint64_t bytes) {
  print_line("adapter", f.kind + " for " + (f.base.empty() ? "a model that it does not name" : f.base));
  print_line("format", f.format + ", " + format_bytes(bytes));
  print_line("parameters", format_count(static_cast<uint64_t>(elements_of(tensors))));
  if (f.rank > 0) print_line("rank, alpha", fmt::format("{}, {}", f.rank, f.alpha));
  print_line("targets", f.targets);
  if (a.tensors) print_tensors(tensors);
}

// The last part of the names of what is adapted, each once: "q_proj, v_proj", "attn_q, attn_v".
std::string targets_of(const std::vector<NamedTensor>& tensors, std::string_view end) {
  std::set<std::string> targets;
  for (const NamedTensor& t : tensors) {
    if (!t.name.ends_with(end)) continue;
    const std::string weight = t.name.substr(0, t.name.size() - end.size());
    targets.insert(weight.substr(weight.rfind('.') + 1));
  }
  std::string text;
  for (const std::string& target : targets) text += (text.empty() ? "" : ", ") + target;
  return text;
}

bool show_gguf_adapter(const Arguments& a) {
  if (!looks_like_gguf(a.model)) return false;
  const GgufFile file = GgufFile::open(a.model);
  const GgufMetadata& m = file.metadata();
  if (m.text("general.type", "model") != "adapter") return false;
  AdapterFacts f{.format = "GGUF", .kind = m.text("adapter.type", "lora"), .base = m.text("general.base_model.0.name", m.text("general.name", "")),
                 .targets = targets_of(file.tensors(), ".weight.lora_a"), .alpha = m.number("adapter.lora.alpha", 0), .rank = 0};
  if (f.base.empty()) f.base = m.text("general.architecture", "");
  for (const NamedTensor& t : file.tensors()) {
    if (t.name.ends_with(".lora_a")) f.rank = std::max(f.rank, t.tensor.shape[0]);
  }
  if (f.alpha == 0) f.alpha = static_cast<double>(f.rank);  // as it is read when the file does not say
  if (a.json) {
    fmt::print("{}\n", to_json(f, a, file.tensors(), file.file_bytes(), metadata_json(m)).dump());
    return true;
  }
  print_adapter(f, a, file.tensors(), file.file_bytes());
  if (a.metadata) print_metadata(m);
  return true;
}

// A folder as PEFT writes it, or the file in it.
bool show_peft_adapter(const Arguments& a) {
  const std::filesystem::path given = a.model;
  const std::filesystem::path folder = std::filesystem::is_directory(given) ? given : given.parent_path();
  const std::filesystem::path config_path = folder / "adapter_config.json";
  if (given != folder && given.filename() != "adapter_model.safetensors") return false;
  if (!std::filesystem::exists(config_path) || (given == folder && std::filesystem::exists(folder / "config.json"))) return false;
  const Json config = parse_json(read_text_file(config_path, limits::kMaxJsonFileBytes), config_path.string());
  if (!config.is_object()) fail(ErrorCode::kInvalidInput, "{}: not a JSON object", config_path.string());
  const JsonFields fields{config, config_path.string()};
  const std::filesystem::path tensors = folder / "adapter_model.safetensors";
  if (!std::filesystem::exists(tensors)) throw Error(ErrorCode::kNotFound, fmt::format("{}: no such file", tensors.string()), "save the adapter as safetensors");
  const Safetensors file = Safetensors::open(tensors);
  const bool is_dora = fields.boolean("use_dora", false), is_rs = fields.boolean("use_rslora", false);
  const std::string type = fields.text("peft_type", "LORA");
  AdapterFacts f{.format = "PEFT", .kind = type != "LORA" ? type : is_dora ? "DoRA" : is_rs ? "rsLoRA" : "LoRA", .base = fields.text("base_model_name_or_path", ""),
                       .targets = targets_of(file.tensors(), ".lora_A.weight"), .alpha = 0, .rank = 0};
  if (type == "LORA") {
    f.alpha = fields.number("lora_alpha", 8);
    f.rank = fields.integer("r", 8, 1, 1 << 20);
  }
  if (a.json) {
    fmt::print("{}\n", to_json(f, a, file.tensors(), file.file_bytes(), config).dump());
    return true;
  }
  print_adapter(f, a, file.tensors(), file.file_bytes());
  if (a.metadata) fmt::print("\n{}\n", config.dump(2));
  return true;
}

void show_families(bool json) {
  Json list = Json::array();
  Table table({{"architecture"}, {"Hugging Face"}, {"models"}});
  for (const Family* f : kFamilies) {
    list.push_back({{"gguf", f->gguf_name}, {"hugging_face", f->hf_architectures}, {"models", f->models}, {"makes_text", f->causal}, {"converts", f->converts}});
    table.add_row({std::string(f->gguf_name), std::string(f->hf_architectures[0]), std::string(f->models)});
  }
  fmt::print("{}", json ? list.dump() + "\n" : table.text());
}

void show(const Arguments& a) {
  if (a.families) return show_families(a.json);
  if (a.model.empty()) throw Error(ErrorCode::kUsage, "MODEL is required", "or list what minnow runs with --families");
  const auto kv = kv_type_from_name(a.kv);
  if (!kv) fail(ErrorCode::kUsage, "--kv {}: unknown type; choose f32, f16, bf16 or q8_0", a.kv);
  if (show_gguf_adapter(a) || show_peft_adapter(a) || show_tensors_only(a)) return;
  Facts f{load_model(a.model, {.tokenizer = a.tokenizer}), a.n_ctx, 0, {}};
  if (f.n_ctx == 0) f.n_ctx = std::min(f.model.config.n_ctx_train, kDefaultContext);
  // Building the graph checks that every weight is there and fits.
  const GraphOutput output = f.model.config.makes_text() ? GraphOutput::kLogits : GraphOutput::kEmbeddings;
  const Graph graph = build_graph(f.model, f.n_ctx, output);
  f.kv_bytes = KvCache::bytes_for(kv_layers(graph), *kv, f.n_ctx);
  f.unused = unused_tensors(f.model, graph);
  if (a.json) {
    fmt::print("{}\n", to_json(f, a).dump());
  } else {
    print_facts(f, a);
  }
}

}  // namespace

void add_show(CLI::App& app) {
  auto a = std::make_shared<Arguments>();
  CLI::App* c = app.add_subcommand("show", "what a model file holds and what it needs");
  c->add_option("MODEL", a->model, "a .gguf or .safetensors file, a folder with safetensors, a llama2.c .bin file, or an adapter (GGUF, or a folder of PEFT)");
  c->add_option("-c,--ctx", a->n_ctx, "context to compute the memory for (default: the model's, at most 8192)")->check(CLI::Range(1, 1 << 27));
  c->add_option("--kv", a->kv, "type of the KV cache: f32, f16, bf16 or q8_0")->capture_default_str();
  c->add_option("--tokenizer", a->tokenizer, "tokenizer file or folder, when it does not come with the model");
  c->add_flag("--tensors", a->tensors, "list the tensors");
  c->add_flag("--metadata", a->metadata, "list the metadata");
  c->add_flag("--families", a->families, "list the architecture families that minnow runs");
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow show model.gguf\n  minnow show model.gguf --ctx 32768 --tensors --metadata\n  minnow show ./model-folder --json\n  minnow show my-adapter --tensors");
  c->callback([a] { show(*a); });
}

}  // namespace minnow
