#include "models/adapter.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/fast_hash.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "base/topology.h"
#include "graph/lora.h"
#include "models/family.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

constexpr std::string_view kWeight = ".weight";

std::string_view without_suffix(std::string_view name) { return name.substr(0, name.size() - kWeight.size()); }

// The weight of the base that is multiplied; the output projection may be the embedding.
const Tensor* weight_of(const Model& base, const std::string& name) {
  const Tensor* found = base.weights.find(name);
  return found == nullptr && name == "output.weight" ? base.weights.find("token_embd.weight") : found;
}

// row += scale B A, of one row.
void add_product(const AdapterMatrix& m, float scale, int64_t r, std::span<float> row) {
  const int64_t k = m.a.shape[1], rank = m.rank();
  for (int64_t i = 0; i < rank; ++i) {
    const float factor = scale * m.b.f32()[r * rank + i];
    const float* a = m.a.f32() + i * k;
    for (std::size_t c = 0; c < row.size(); ++c) row[c] += factor * a[c];
  }
}

double norm_of(std::span<const float> row) {
  double squares = 0;
  for (const float v : row) squares += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(squares);
}

void for_rows(int64_t n_rows, int64_t columns, const std::function<void(int64_t, std::span<float>)>& fn) {
  ThreadPool pool(available_cores());
  pool.parallel_for(n_rows, 16, [&](int64_t begin, int64_t end) {
    std::vector<float> row(static_cast<std::size_t>(columns));
    for (int64_t r = begin; r < end; ++r) fn(r, row);
  });
}

// What rows of W + scale B A are multiplied by: magnitude / norm. A row of zeros stays zero.
float gain_of(const AdapterMatrix& m, int64_t row, double norm) {
  return norm > 0 ? static_cast<float>(static_cast<double>(m.magnitude.f32()[row]) / norm) : 0.0f;
}

// fn(row, norm of that row of W + scale B A), as a vector.
Tensor of_norms(const Tensor& weight, const AdapterMatrix& m, float scale, const std::function<float(int64_t, double)>& fn) {
  std::vector<float> all(static_cast<std::size_t>(weight.shape[0]));
  for_rows(weight.shape[0], weight.shape[1], [&](int64_t r, std::span<float> row) {
    decode_row(weight.dtype, weight.row(r), row.data(), weight.shape[1]);
    add_product(m, scale, r, row);
    all[static_cast<std::size_t>(r)] = fn(r, norm_of(row));
  });
  return Tensor::from_f32(all, {weight.shape[0]});
}

Tensor gains(const Tensor& weight, const Adapter& adapter, const AdapterMatrix& m) {
  return of_norms(weight, m, adapter.scale(m), [&](int64_t r, double norm) { return gain_of(m, r, norm); });
}

AdapterMatrix new_matrix(const Model& base, const std::string& name, const AdapterShape& shape, uint64_t seed) {
  const Tensor& weight = base.weights.require(name);
  const int64_t in = weight.shape[1], out = weight.shape[0];
  std::vector<float> a(static_cast<std::size_t>(shape.rank * in));
  Random random(hash_text(name, seed));
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  for (float& v : a) v = static_cast<float>((2 * random.uniform() - 1) * bound);
  AdapterMatrix m{name, Tensor::from_f32(a, {shape.rank, in}), Tensor::allocate(DType::kF32, {out, shape.rank}, nullptr), {}, shape.alpha};
  if (shape.magnitudes) m.magnitude = of_norms(weight, m, 0, [](int64_t, double norm) { return static_cast<float>(norm); });
  return m;
}

void expect_finite(const Tensor& t, const std::string& source, const std::string& name) {
  const std::span<const float> values(t.f32(), static_cast<std::size_t>(t.shape.elements()));
  if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
    fail(ErrorCode::kInvalidInput, "{}: the adapter of {} holds a number that is not finite", source, name);
  }
}

void check_matrix(const AdapterMatrix& m, const Model& base, const std::string& source) {
  const Tensor* w = weight_of(base, m.name);
  if (w == nullptr) fail(ErrorCode::kInvalidInput, "{}: the model has no {}", source, m.name);
  if (m.name == "token_embd.weight" || m.name == "position_embd.weight") {
    fail(ErrorCode::kUnsupported, "{}: adapters of embeddings are not supported ({})", source, m.name);
  }
  if (w->shape.rank() == 3) fail(ErrorCode::kUnsupported, "{}: adapters of experts are not supported ({})", source, m.name);
  const bool fits = w->shape.rank() == 2 && m.a.shape.rank() == 2 && m.b.shape.rank() == 2 && m.rank() > 0 && m.a.shape[1] == w->shape[1] &&
                    m.b.shape[0] == w->shape[0] && m.b.shape[1] == m.rank();
  if (!fits) {
    fail(ErrorCode::kInvalidInput, "{}: A {} and B {} do not fit {}, which is {}", source, m.a.shape.text(), m.b.shape.text(), m.name,
         w->shape.text());
  }
  if (m.magnitude && m.magnitude.shape != Shape{w->shape[0]}) {
    fail(ErrorCode::kInvalidInput, "{}: {} magnitudes do not fit {}, which is {}", source, m.magnitude.shape.text(), m.name, w->shape.text());
  }
  if (base.weights.find(std::string(without_suffix(m.name)) + ".scale") != nullptr) {
    fail(ErrorCode::kUnsupported, "{}: {} has a scale of its own, such weights cannot have adapters", source, m.name);
  }
  expect_finite(m.a, source, m.name);
  expect_finite(m.b, source, m.name);
  if (m.magnitude) expect_finite(m.magnitude, source, m.name);
}

}  // namespace

float Adapter::scale(const AdapterMatrix& m) const {
  const auto rank = static_cast<double>(m.rank());
  return static_cast<float>(m.alpha / (rank_stabilized ? std::sqrt(rank) : rank));
}

const AdapterMatrix* Adapter::find(std::string_view weight) const {
  if (weight == "token_embd.weight") weight = "output.weight";
  const auto at = std::find_if(matrices.begin(), matrices.end(), [&](const AdapterMatrix& m) { return m.name == weight; });
  return at == matrices.end() ? nullptr : &*at;
}

int64_t Adapter::n_parameters() const {
  int64_t n = 0;
  for (const AdapterMatrix& m : matrices) n += m.a.shape.elements() + m.b.shape.elements() + (m.magnitude ? m.magnitude.shape.elements() : 0);
  return n;
}

std::vector<AdaptableMatrix> adaptable_matrices(const Model& base) {
  const Graph graph = build_graph(base, 1);
  std::set<std::string> multiplied;
  for (const Node& n : graph.nodes()) {
    if (n.op == Op::kMatMul && graph.node(n.inputs[1]).op == Op::kWeight) multiplied.insert(graph.node(n.inputs[1]).name);
  }
  std::vector<AdaptableMatrix> all;
  for (const NamedTensor& t : base.weights.all()) {
    if (!multiplied.contains(t.name) || !t.name.starts_with("blk.")) continue;
    const std::string module = hf_tensor_name(*base.config.family, t.name);
    if (!module.empty()) all.push_back({t.name, std::string(without_suffix(module))});
  }
  return all;
}

TargetModules default_targets(const Model& base) {
  std::set<std::string> names;
  for (const AdaptableMatrix& m : adaptable_matrices(base)) {
    for (const char* part : {".attn_q.weight", ".attn_v.weight", ".attn_qkv.weight"}) {
      if (m.name.ends_with(part)) names.insert(m.module.substr(m.module.rfind('.') + 1));
    }
  }
  return TargetModules({names.begin(), names.end()});
}

Adapter new_adapter(const Model& base, const AdapterShape& shape, uint64_t seed) {
  const auto expect = [](bool good, const char* what) {
    if (!good) fail(ErrorCode::kUsage, "adapter: {}", what);
  };
  expect(shape.rank > 0 && shape.rank <= static_cast<int64_t>(limits::kMaxWidth), "the rank must be at least 1");
  expect(shape.alpha > 0 && std::isfinite(shape.alpha), "alpha must be above 0");
  expect(shape.dropout >= 0 && shape.dropout < 1, "dropout must be in [0, 1)");
  const TargetModules targets = shape.targets.empty() ? default_targets(base) : shape.targets;
  Adapter adapter{.matrices = {}, .rank_stabilized = shape.rank_stabilized, .dropout = shape.dropout};
  std::set<std::string> known;
  for (const AdaptableMatrix& m : adaptable_matrices(base)) {
    known.insert(m.module.substr(m.module.rfind('.') + 1));
    if (targets.matches(m.module)) adapter.matrices.push_back(new_matrix(base, m.name, shape, seed));
  }
  if (adapter.matrices.empty()) {
    std::string names;
    for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
    throw Error(ErrorCode::kUsage, fmt::format("adapter: no matrix of the model is one of {}", targets.json().dump()), "it has " + names);
  }
  check_adapter(adapter, base, "adapter");
  return adapter;
}

void check_adapter(const Adapter& adapter, const Model& base, const std::string& source) {
  if (adapter.matrices.empty()) fail(ErrorCode::kInvalidInput, "{}: the adapter changes nothing, it has no matrices", source);
  build_graph(base, 1);  // the model's own shapes are right
  for (const AdapterMatrix& m : adapter.matrices) {
    if (static_cast<bool>(m.magnitude) != adapter.has_magnitudes()) {
      fail(ErrorCode::kInvalidInput, "{}: some matrices have magnitudes, but not {}", source, m.name);
    }
    check_matrix(m, base, source);
    if (!std::isfinite(adapter.scale(m))) fail(ErrorCode::kInvalidInput, "{}: {} has an alpha of {}", source, m.name, m.alpha);
  }
}

Graph with_adapter(const Graph& graph, const Model& base, const Adapter& adapter, AdapterUse use) {
  std::set<std::string> used;
  const Graph adapted = add_lora(graph, [&](const Node& weight) -> std::optional<LoraWeights> {
    const AdapterMatrix* m = adapter.find(weight.name);
    if (m == nullptr) return std::nullopt;
    used.insert(m->name);
    LoraWeights lora{m->a, m->b, adapter.scale(*m)};
    if (use == AdapterUse::kTrain) {
      lora.dropout = static_cast<float>(adapter.dropout);
      lora.magnitude = m->magnitude;
    } else if (m->magnitude) {
      lora.gain = gains(*weight_of(base, m->name), adapter, *m);
    }
    return lora;
  });
  for (const AdapterMatrix& m : adapter.matrices) {
    if (!used.contains(m.name)) fail(ErrorCode::kUnsupported, "adapter: {} is no matrix that the model multiplies with", m.name);
  }
  return adapted;
}

void for_delta_rows(const Tensor& weight, const Adapter& adapter, const AdapterMatrix& m, const DeltaRow& fn) {
  const float scale = adapter.scale(m);
  for_rows(weight.shape[0], weight.shape[1], [&](int64_t r, std::span<float> row) {
    std::fill(row.begin(), row.end(), 0.0f);
    add_product(m, scale, r, row);
    if (m.magnitude) {
      std::vector<float> before(row.size()), after = {row.begin(), row.end()};
      decode_row(weight.dtype, weight.row(r), before.data(), weight.shape[1]);
      for (std::size_t c = 0; c < row.size(); ++c) after[c] += before[c];
      const float gain = gain_of(m, r, norm_of(after));
      for (std::size_t c = 0; c < row.size(); ++c) row[c] = gain * after[c] - before[c];
    }
    fn(r, row);
  });
}

const Tensor& adapted_weight(const Model& base, const std::string& name) {
  if (const Tensor* found = weight_of(base, name)) return *found;
  return base.weights.require(name);
}

}  // namespace minnow
