#include "compress/merge_adapters.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "base/error.h"
#include "compress/low_rank.h"
#include "compress/retype.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

std::vector<std::string> adapted_names(const Model& model, std::span<const WeightedAdapter> adapters) {
  std::set<std::string> touched;
  for (const WeightedAdapter& w : adapters) {
    for (const AdapterMatrix& m : w.adapter->matrices) touched.insert(m.name);
  }
  std::vector<std::string> names;
  for (const NamedTensor& t : model.weights.all()) {
    if (touched.erase(t.name) > 0) names.push_back(t.name);
  }
  names.insert(names.end(), touched.begin(), touched.end());  // a tied output projection
  return names;
}

// Not the embedding's, which find() gives for a tied output projection.
const AdapterMatrix* matrix_of(const Adapter& adapter, const std::string& name) {
  const AdapterMatrix* m = adapter.find(name);
  return m != nullptr && m->name == name ? m : nullptr;
}

Tensor merged(const Model& model, const std::string& name, std::span<const WeightedAdapter> adapters) {
  const Tensor& weight = adapted_weight(model, name);
  std::vector<float> sum = to_f32(weight);
  const int64_t k = weight.shape[1];
  for (const WeightedAdapter& w : adapters) {
    const AdapterMatrix* m = matrix_of(*w.adapter, name);
    if (m == nullptr) continue;
    const auto factor = static_cast<float>(w.weight);
    for_delta_rows(weight, *w.adapter, *m, [&](int64_t r, std::span<const float> delta) {
      float* row = sum.data() + r * k;
      for (std::size_t c = 0; c < delta.size(); ++c) row[c] += factor * delta[c];
    });
  }
  if (!std::ranges::all_of(sum, [](float v) { return std::isfinite(v); })) {
    fail(ErrorCode::kInvalidInput, "{}: with the adapters it holds a number that is not finite", name);
  }
  return Tensor::from_f32(sum, weight.shape);
}

constexpr int64_t kMaxSvdRank = 2048;  // some matrices of its square, in float64

// A matrix of an adapter, times what it counts.
struct Term {
  const AdapterMatrix* matrix;
  double factor;  // weight * scale
};

Matrix as_matrix(const Tensor& t, double factor = 1) {
  Matrix m(t.shape[0], t.shape[1]);
  for (int64_t i = 0; i < t.shape.elements(); ++i) m.values[static_cast<std::size_t>(i)] = factor * static_cast<double>(t.f32()[i]);
  return m;
}

Tensor as_tensor(const Matrix& m) { return Tensor::from_f32(std::vector<float>(m.values.begin(), m.values.end()), {m.rows, m.columns}); }

// A: rows of all, weighted; B: columns of all.
LowRank side_by_side(const std::vector<Term>& terms) {
  int64_t rank = 0;
  for (const Term& t : terms) rank += t.matrix->rank();
  LowRank all{Matrix(terms[0].matrix->b.shape[0], rank), Matrix(rank, terms[0].matrix->a.shape[1])};
  int64_t at = 0;
  for (const Term& t : terms) {
    const Matrix a = as_matrix(t.matrix->a, t.factor), b = as_matrix(t.matrix->b);
    for (int64_t r = 0; r < a.rows; ++r) {
      for (int64_t c = 0; c < a.columns; ++c) all.right(at + r, c) = a(r, c);
      for (int64_t row = 0; row < b.rows; ++row) all.left(row, at + r) = b(row, r);
    }
    at += a.rows;
  }
  return all;
}

LowRank sums(const std::vector<Term>& terms, std::size_t n_adapters, const std::string& name) {
  const AdapterMatrix& first = *terms[0].matrix;
  const bool alike = terms.size() == n_adapters && std::all_of(terms.begin(), terms.end(), [&](const Term& t) { return t.matrix->rank() == first.rank(); });
  if (!alike) {
    throw Error(ErrorCode::kUsage, fmt::format("{}: a linear combination needs adapters of the same matrices with the same rank", name),
                "use cat or svd");
  }
  LowRank all{Matrix(first.b.shape[0], first.rank()), Matrix(first.rank(), first.a.shape[1])};
  for (const Term& t : terms) {
    const double root = std::sqrt(std::abs(t.factor));
    const Matrix a = as_matrix(t.matrix->a, t.factor < 0 ? -root : root), b = as_matrix(t.matrix->b, root);
    for (std::size_t i = 0; i < a.values.size(); ++i) all.right.values[i] += a.values[i];
    for (std::size_t i = 0; i < b.values.size(); ++i) all.left.values[i] += b.values[i];
  }
  return all;
}

}  // namespace

void merge_adapters(Model& model, std::span<const WeightedAdapter> adapters, const ChooseDType& choose) {
  for (const std::string& name : adapted_names(model, adapters)) {
    const Tensor sum = merged(model, name, adapters);
    const DType type = choose({name, adapted_weight(model, name)});
    if (!can_encode(type)) {
      throw Error(ErrorCode::kUsage, fmt::format("{}: cannot encode to {}, the type that it has", name, minnow::name(type)), "choose another with --type");
    }
    model.weights.set(name, retyped(name, sum, type));
  }
}

std::optional<Combination> combination_from_name(std::string_view name) {
  if (name == "cat") return Combination::kCat;
  if (name == "svd") return Combination::kSvd;
  if (name == "linear") return Combination::kLinear;
  return std::nullopt;
}

Adapter combine_adapters(const Model& base, std::span<const WeightedAdapter> adapters, Combination how, int64_t rank) {
  Adapter made;
  for (const WeightedAdapter& w : adapters) {
    if (w.adapter->has_magnitudes()) {
      throw Error(ErrorCode::kUnsupported, "adapters with magnitudes (DoRA) cannot be combined: what they add depends on the base",
                  "merge them into it");
    }
  }
  for (const std::string& name : adapted_names(base, adapters)) {
    std::vector<Term> terms;
    int64_t largest = 0;
    for (const WeightedAdapter& w : adapters) {
      const AdapterMatrix* m = matrix_of(*w.adapter, name);
      if (m == nullptr) continue;
      terms.push_back({m, w.weight * static_cast<double>(w.adapter->scale(*m))});
      largest = std::max(largest, m->rank());
    }
    const int64_t sum_of_ranks = std::accumulate(terms.begin(), terms.end(), int64_t{0}, [](int64_t n, const Term& t) { return n + t.matrix->rank(); });
    if (how == Combination::kSvd && sum_of_ranks > kMaxSvdRank) {
      throw Error(ErrorCode::kLimit, fmt::format("{}: ranks of {} in all, of which at most {} can be cut", name, sum_of_ranks, kMaxSvdRank), "use cat");
    }
    const LowRank product = how == Combination::kLinear ? sums(terms, adapters.size(), name)
                            : how == Combination::kCat  ? side_by_side(terms)
                                                        : truncated(side_by_side(terms), rank > 0 ? rank : largest);
    AdapterMatrix m{name, as_tensor(product.right), as_tensor(product.left)};
    m.alpha = static_cast<double>(m.rank());
    made.matrices.push_back(std::move(m));
  }
  check_adapter(made, base, "combined adapters");
  return made;
}

}  // namespace minnow
