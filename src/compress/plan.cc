#include "compress/plan.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "base/error.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

// Parts of names of matrices that stay as they are: small, and their errors go far.
constexpr std::string_view kKeptParts[] = {"_norm.weight",   "ffn_gate_inp",  "position_embd", "pos_embd", "token_types",
                                           "shortconv.conv", "conv1d.weight", "attn_rel_b",    "patch_embd"};

struct KindPart {
  std::string_view part;
  TensorKind kind;
};
constexpr KindPart kKindParts[] = {{"attn_qkv.weight", TensorKind::kAttnQkv},
                                   {"attn_kv_b.weight", TensorKind::kAttnV},
                                   {"attn_v.weight", TensorKind::kAttnV},
                                   {"attn_output.weight", TensorKind::kAttnOutput},
                                   {"ffn_down", TensorKind::kFfnDown}};

bool contains(std::string_view name, std::string_view part) { return name.find(part) != std::string_view::npos; }

TensorKind kind_of(const NamedTensor& t, bool tied) {
  const bool matrix = t.tensor.shape.rank() >= 2 && t.name.ends_with("weight") && info(t.tensor.dtype).is_weight;
  if (!matrix) return TensorKind::kKept;
  for (const std::string_view part : kKeptParts) {
    if (contains(t.name, part)) return TensorKind::kKept;
  }
  if (t.name == "output.weight" || (tied && t.name == "token_embd.weight")) return TensorKind::kOutput;
  if (contains(t.name, "token_embd.weight")) return TensorKind::kEmbedding;
  for (const KindPart& k : kKindParts) {
    if (contains(t.name, k.part)) return k.kind;
  }
  return TensorKind::kOther;
}

// The N of "blk.N.", or -1.
int64_t layer_of(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  if (!name.starts_with(kPrefix)) return -1;
  int64_t layer = -1;
  std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
  return layer;
}

// Layers that have a tensor of each kind, so that a tensor's place among its kind does not depend on the file's order.
class Places {
 public:
  Places(std::span<const NamedTensor> tensors, bool tied) {
    for (const NamedTensor& t : tensors) layers_[kind_of(t, tied)].insert(layer_of(t.name));
  }
  std::pair<int64_t, int64_t> of(TensorKind kind, std::string_view name) const {
    const std::set<int64_t>& layers = layers_.at(kind);
    const auto before = std::distance(layers.begin(), layers.find(layer_of(name)));
    return {static_cast<int64_t>(before), static_cast<int64_t>(layers.size())};
  }

 private:
  std::map<TensorKind, std::set<int64_t>> layers_;
};

DType wanted_dtype(const NamedTensor& t, const TensorPlace& place, const QuantizeOptions& options) {
  if (options.embedding_type && t.name == "token_embd.weight") return *options.embedding_type;
  if (options.output_type && place.kind == TensorKind::kOutput) return *options.output_type;
  for (const auto& [pattern, dtype] : options.overrides) {
    if (pattern.matches(t.name)) return dtype;
  }
  return options.pure ? options.recipe->base : recipe_dtype(*options.recipe, place);
}

void check_types(const QuantizeOptions& options) {
  std::vector<DType> types;
  if (options.output_type) types.push_back(*options.output_type);
  if (options.embedding_type) types.push_back(*options.embedding_type);
  for (const auto& override : options.overrides) types.push_back(override.second);
  for (const DType dtype : types) {
    if (!can_encode(dtype)) fail(ErrorCode::kUsage, "{} is not a type of weights", name(dtype));
  }
}

}  // namespace

std::vector<PlannedTensor> plan_quantization(std::span<const NamedTensor> tensors, const ModelConfig& config,
                                             const QuantizeOptions& options) {
  check_types(options);
  const bool tied = std::none_of(tensors.begin(), tensors.end(), [](const NamedTensor& t) { return t.name == "output.weight"; });
  const Places places(tensors, tied);
  std::vector<PlannedTensor> plan;
  for (const NamedTensor& t : tensors) {
    const Shape& shape = t.tensor.shape;
    PlannedTensor p{t.name, shape, kind_of(t, tied), t.tensor.dtype};
    p.to = p.wanted = gguf_dtype(t, t.tensor.dtype);
    if (p.kind != TensorKind::kKept) {
      TensorPlace place{.kind = p.kind, .weighted = options.importance != nullptr};
      std::tie(place.i, place.n) = places.of(p.kind, t.name);
      place.shared_kv = config.n_kv_heads > 0 && config.n_heads / config.n_kv_heads >= 4;
      place.in_experts = shape.rank() >= 3 && shape[0] > 1;
      p.wanted = wanted_dtype(t, place, options);
      p.to = fitting_dtype(p.wanted, shape.last());
    }
    plan.push_back(std::move(p));
  }
  return plan;
}

double typical_bits_per_weight(const Recipe& recipe) {
  ModelConfig config;
  config.n_heads = 32, config.n_kv_heads = 8;
  constexpr int64_t kEmbd = 4096, kKv = 1024, kFf = 14336, kVocab = 128256;
  std::vector<NamedTensor> tensors;
  const auto add = [&](std::string name, int64_t rows, int64_t columns) {
    tensors.push_back({std::move(name), {DType::kF16, Shape{rows, columns}, nullptr, nullptr}});
  };
  add("token_embd.weight", kVocab, kEmbd);
  for (int layer = 0; layer < 32; ++layer) {
    const std::string at = "blk." + std::to_string(layer) + ".";
    add(at + "attn_q.weight", kEmbd, kEmbd);
    add(at + "attn_k.weight", kKv, kEmbd);
    add(at + "attn_v.weight", kKv, kEmbd);
    add(at + "attn_output.weight", kEmbd, kEmbd);
    add(at + "ffn_gate.weight", kFf, kEmbd);
    add(at + "ffn_up.weight", kFf, kEmbd);
    add(at + "ffn_down.weight", kEmbd, kFf);
  }
  add("output.weight", kVocab, kEmbd);
  QuantizeOptions options;
  options.recipe = &recipe;
  uint64_t bytes = 0;
  int64_t weights = 0;
  for (const PlannedTensor& p : plan_quantization(tensors, config, options)) {
    bytes += p.bytes_after();
    weights += p.shape.elements();
  }
  return 8.0 * static_cast<double>(bytes) / static_cast<double>(weights);
}

}  // namespace minnow
