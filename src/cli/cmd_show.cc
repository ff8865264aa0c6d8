#include <fmt/core.h>

#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/table.h"
#include "base/units.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cpu/kv_cache.h"
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
  Json tensors = Json::array();
  for (const NamedTensor& t : f.model.weights.all()) {
    std::vector<int64_t> shape;
    for (int i = 0; i < t.tensor.shape.rank(); ++i) shape.push_back(t.tensor.shape[i]);
    tensors.push_back({{"name", t.name}, {"dtype", std::string(name(t.tensor.dtype))}, {"shape", shape}, {"bytes", t.tensor.bytes()}});
  }
  j["tensors"] = std::move(tensors);
  j["unused_tensors"] = f.unused;
  Json metadata = Json::object();
  for (const auto& [key, value] : f.model.metadata.entries()) metadata[key] = std::visit(ValueJson{}, value);
  j["metadata"] = std::move(metadata);
  return j;
}

void print_facts(const Facts& f, const Arguments& a) {
  const Model& m = f.model;
  const ModelConfig& c = m.config;
  const auto line = [](const char* label, const std::string& text) { fmt::print("{:<14} {}\n", label, printable(text)); };
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
  if (a.metadata && !m.metadata.entries().empty()) {
    Table table({{"key"}, {"value"}});
    for (const auto& [key, value] : m.metadata.entries()) table.add_row({key, std::visit(ValueText{}, value)});
    fmt::print("\n{}", table.text());
  }
  if (a.tensors) {
    Table table({{"tensor"}, {"type"}, {"shape"}, {"size", Table::Align::kRight}});
    for (const NamedTensor& t : m.weights.all()) {
      table.add_row({t.name, std::string(name(t.tensor.dtype)), t.tensor.shape.text(), format_bytes(t.tensor.bytes())});
    }
    fmt::print("\n{}", table.text());
  }
}

// A lone safetensors file without config.json is not a model, but its tensors can be looked at.
bool show_tensors_only(const Arguments& a) {
  const std::filesystem::path path = a.model;
  if (path.extension() != ".safetensors" || std::filesystem::exists(path.parent_path() / "config.json")) return false;
  if (is_static_model(path.parent_path())) return false;
  const Safetensors file = Safetensors::open(path);
  int64_t elements = 0;
  for (const NamedTensor& t : file.tensors()) elements += t.tensor.shape.elements();
  if (a.json) {
    Json tensors = Json::array();
    for (const NamedTensor& t : file.tensors()) {
      std::vector<int64_t> shape;
      for (int i = 0; i < t.tensor.shape.rank(); ++i) shape.push_back(t.tensor.shape[i]);
      tensors.push_back({{"name", t.name}, {"dtype", std::string(name(t.tensor.dtype))}, {"shape", shape}, {"bytes", t.tensor.bytes()}});
    }
    fmt::print("{}\n", Json{{"path", a.model}, {"format", "safetensors"}, {"parameters", elements}, {"file_bytes", file.file_bytes()}, {"tensors", tensors}}.dump());
    return true;
  }
  fmt::print("{}: safetensors, {}, {} values; no config.json beside it, so only its tensors are known\n\n", printable(a.model),
             format_bytes(file.file_bytes()), format_count(static_cast<uint64_t>(elements)));
  Table table({{"tensor"}, {"type"}, {"shape"}, {"size", Table::Align::kRight}});
  for (const NamedTensor& t : file.tensors()) {
    table.add_row({t.name, std::string(name(t.tensor.dtype)), t.tensor.shape.text(), format_bytes(t.tensor.bytes())});
  }
  fmt::print("{}", table.text());
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
  if (show_tensors_only(a)) return;
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
  c->add_option("MODEL", a->model, "a .gguf or .safetensors file, a folder with safetensors, or a llama2.c .bin file");
  c->add_option("-c,--ctx", a->n_ctx, "context to compute the memory for (default: the model's, at most 8192)")->check(CLI::Range(1, 1 << 27));
  c->add_option("--kv", a->kv, "type of the KV cache: f32, f16, bf16 or q8_0")->capture_default_str();
  c->add_option("--tokenizer", a->tokenizer, "tokenizer file or folder, when it does not come with the model");
  c->add_flag("--tensors", a->tensors, "list the tensors");
  c->add_flag("--metadata", a->metadata, "list the metadata");
  c->add_flag("--families", a->families, "list the architecture families that minnow runs");
  declare_json(*c, a->json);
  c->footer("Examples:\n  minnow show model.gguf\n  minnow show model.gguf --ctx 32768 --tensors --metadata\n  minnow show ./model-folder --json");
  c->callback([a] { show(*a); });
}

}  // namespace minnow
