#include "train/fake_quant.h"

#include <map>

#include "base/error.h"
#include "base/fast_hash.h"
#include "graph/rounding.h"
#include "models/outgoing.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

// Values that a thread decodes at a time.
constexpr int64_t kGrainValues = 1 << 16;

// A weight of the model and what will be left of it.
struct Rounded {
  std::string name;
  Tensor master, values;
  DType dtype;
  float* memory;  // of `values`

  // Encodes with what writes files, and decodes again.
  void refresh(ThreadPool& pool) const {
    const int64_t n = master.shape.last(), grain = std::max<int64_t>(1, kGrainValues / n);
    const uint64_t bytes = row_bytes(dtype, n);
    int64_t next = 0;
    produce({.tensor = master, .shape = master.shape, .dtype = dtype, .row_order = {}, .shift = 0, .name = name}, pool,
            [&](std::span<const std::byte> rows) {
              const auto n_rows = static_cast<int64_t>(rows.size() / bytes);
              pool.parallel_for(n_rows, grain, [&](int64_t begin, int64_t end) {
                for (int64_t r = begin; r < end; ++r) {
                  decode_row(dtype, rows.data() + static_cast<uint64_t>(r) * bytes, memory + (next + r) * n, n);
                }
              });
              next += n_rows;
            });
  }
};

class FakeQuant {
 public:
  FakeQuant(const Model& model, const FakeQuantOptions& options) : rounds_inputs_(options.rounds_inputs) {
    for (const PlannedTensor& p : plan_quantization(model.weights.all(), model.config, options.types)) {
      if (p.to == p.from) continue;
      Rounded r{.name = p.name, .master = model.weights.require(p.name), .values = {}, .dtype = p.to, .memory = nullptr};
      if (r.master.dtype != DType::kF32) {
        fail(ErrorCode::kInternal, "{}: of type {}; weights that learn to be quantized are f32", r.name, name(r.master.dtype));
      }
      std::byte* data = nullptr;
      r.values = Tensor::allocate(DType::kF32, r.master.shape, &data);
      r.memory = reinterpret_cast<float*>(data);
      by_name_[r.name] = weights_.size();
      weights_.push_back(std::move(r));
    }
    if (weights_.empty()) {
      fail(ErrorCode::kUsage, "quantization-aware training: {} leaves every weight in f32", options.types.recipe->name);
    }
  }

  void refresh(ThreadPool& pool) const {
    for (const Rounded& r : weights_) r.refresh(pool);
  }

  Graph adapt(const Graph& graph) const {
    return add_rounding(graph, [&](const Node& weight) { return rounded(weight); });
  }

  // Of which weight gets which type.
  uint64_t digest() const {
    uint64_t hash = rounds_inputs_ ? 1 : 0;
    for (const Rounded& r : weights_) hash = hash_number(static_cast<uint64_t>(r.dtype), hash_text(r.name, hash));
    return hash;
  }

 private:
  std::optional<RoundedWeight> rounded(const Node& weight) const {
    const auto at = by_name_.find(weight.name);
    if (at == by_name_.end()) return std::nullopt;
    const Rounded& r = weights_[at->second];
    // A node shows some rows of a fused projection.
    const auto begin = reinterpret_cast<uintptr_t>(r.master.data), at_node = reinterpret_cast<uintptr_t>(weight.constant.data);
    if (at_node < begin || at_node - begin + weight.constant.bytes() > r.master.bytes()) {
      fail(ErrorCode::kUnsupported, "quantization-aware training: {} is not used as it lies in the model", weight.name);
    }
    Tensor part = r.values;
    part.data += at_node - begin;
    part.shape = weight.shape;
    const int32_t block = info(r.dtype).block_size == 32 ? 32 : 256;
    return RoundedWeight{std::move(part), rounds_inputs_ && is_quantized(r.dtype) ? block : 0};
  }

  bool rounds_inputs_;
  std::vector<Rounded> weights_;
  std::map<std::string, std::size_t> by_name_;
};

}  // namespace

FakeQuantOptions fake_quant_options(const std::string& name) {
  const bool ternary = name == "ternary";
  FakeQuantOptions options;
  options.types.recipe = &find_recipe(ternary ? "I2_S" : name);
  options.rounds_inputs = ternary;
  return options;
}

void add_fake_quant(Lesson& lesson, const Model& model, const FakeQuantOptions& options) {
  const auto quant = std::make_shared<const FakeQuant>(model, options);
  lesson.adapt = [quant, before = lesson.adapt](const Graph& graph) { return quant->adapt(before ? before(graph) : graph); };
  lesson.weights_changed = [quant, before = lesson.weights_changed](ThreadPool& pool) {
    if (before) before(pool);
    quant->refresh(pool);
  };
  lesson.settings["quantization"] = fmt::format("{}, {:016x}", options.types.recipe->name, quant->digest());
}

}  // namespace minnow
