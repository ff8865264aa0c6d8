#include "train/adapter_lesson.h"

#include <fmt/format.h>

#include "base/fast_hash.h"

namespace minnow {
namespace {

// Of what is trained and of the types of what is frozen: a run with others has other numbers.
uint64_t digest(const Model& base, const Adapter& adapter) {
  uint64_t hash = adapter.matrices.size();
  for (const AdapterMatrix& m : adapter.matrices) {
    hash = hash_text(m.name, hash);
    hash = hash_number(static_cast<uint64_t>(m.rank()), hash);
    hash = hash_text(fmt::format("{}", m.alpha), hash);
  }
  for (const NamedTensor& t : base.weights.all()) {
    hash = hash_text(t.name, hash_number(static_cast<uint64_t>(t.tensor.dtype), hash));
    // A row of each tells models apart.
    const auto* row = reinterpret_cast<const char*>(t.tensor.data);
    hash = hash_text({row, static_cast<std::size_t>(row_bytes(t.tensor.dtype, t.tensor.shape.last()))}, hash);
  }
  return hash;
}

}  // namespace

Lesson adapter_lesson(const Model& base, const Adapter& adapter) {
  Lesson lesson;
  lesson.adapt = [&](const Graph& graph) { return with_adapter(graph, base, adapter, AdapterUse::kTrain); };
  lesson.trains = [](const Node& weight) { return weight.name.find(".lora_") != std::string::npos; };
  lesson.settings = {{"adapter", digest(base, adapter)}, {"dropout", adapter.dropout}, {"magnitudes", adapter.has_magnitudes()},
                     {"rank_stabilized", adapter.rank_stabilized}};
  return lesson;
}

}  // namespace minnow
