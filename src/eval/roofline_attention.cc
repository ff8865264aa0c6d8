// Attention alone: sequences of one new token each, or a chunk of one prompt, at a depth.
#include <algorithm>
#include <map>
#include <tuple>

#include "base/random.h"
#include "eval/roofline.h"
#include "eval/step_timer.h"
#include "eval/step_work.h"

namespace minnow {
namespace {

constexpr int64_t kColdBytes = 256 << 20;
constexpr int64_t kMostSequences = 16;  // more columns are a chunk of one sequence

struct Kind {
  AttentionAttrs attrs;
  int64_t n_heads = 0, n_kv_heads = 0, head_dim = 0, count = 0;
};

std::vector<Kind> kinds_of(const Graph& graph) {
  std::map<std::tuple<int64_t, int64_t, int64_t, int32_t>, Kind> kinds;
  for (const Node& n : graph.nodes()) {
    if (n.op != Op::kAttention) continue;
    const Shape& q = graph.node(n.inputs[0]).shape;
    const Shape& k = graph.node(n.inputs[1]).shape;
    const auto& attrs = n.get<AttentionAttrs>();
    Kind& kind = kinds[{q[1], k[1], q[2], attrs.window}];
    kind = {attrs, q[1], k[1], q[2], kind.count + 1};
  }
  std::vector<Kind> list;
  for (const auto& [key, kind] : kinds) list.push_back(kind);
  return list;
}

// A cache of several layers in which every sequence has its own pages, filled with random values.
class FilledCache {
 public:
  FilledCache(const Kind& kind, KvType type, int64_t sequences, int64_t positions, StepTimer& timer)
      : pages_each_((positions + kKvPage - 1) / kKvPage),
        n_layers_(layers_for(kind, type, sequences * pages_each_)),
        kv_(std::vector<KvLayer>(static_cast<std::size_t>(n_layers_), {kind.n_kv_heads, kind.head_dim}), type, sequences * pages_each_) {
    for (int64_t i = 0; i < sequences * pages_each_; ++i) pages_.push_back(static_cast<int32_t>(i));
    const int64_t width = kind.n_kv_heads * kind.head_dim;
    std::vector<float> values(static_cast<std::size_t>(kKvPage * width));
    Random random(3);
    for (float& v : values) v = static_cast<float>(random.normal());
    std::vector<std::unique_ptr<Step>> steps;
    for (int64_t layer = 0; layer < n_layers_; ++layer) {
      AttentionAttrs attrs = kind.attrs;
      attrs.layer = static_cast<int32_t>(layer);
      steps.push_back(make_kv_store_step(attrs, {values.data(), width}, {values.data(), width}, kind.n_kv_heads));
    }
    for (int64_t s = 0; s < sequences; ++s) {
      for (int64_t page = 0; page < pages_each_; ++page) timer.run_once(steps, batch(1, kKvPage, page * kKvPage, s), &kv_);
    }
  }

  // `count` new tokens of each of `sequences` sequences, from `first` on.
  Batch batch(int64_t sequences, int64_t count, int64_t past, int64_t first = 0) const {
    Batch b;
    b.tokens.resize(static_cast<std::size_t>(sequences * count));
    for (int64_t s = 0; s < sequences; ++s) {
      b.sequences.push_back({static_cast<int32_t>(s * count), static_cast<int32_t>(count), static_cast<int32_t>(past),
                             std::span(pages_).subspan(static_cast<std::size_t>((first + s) * pages_each_), static_cast<std::size_t>(pages_each_))});
    }
    return b;
  }
  KvCache& kv() { return kv_; }
  int64_t n_layers() const { return n_layers_; }

 private:
  static int64_t layers_for(const Kind& kind, KvType type, int64_t pages) {
    const auto bytes = static_cast<int64_t>(KvCache::bytes_for({{kind.n_kv_heads, kind.head_dim}}, type, pages * kKvPage));
    return std::clamp<int64_t>(kColdBytes / bytes, 1, kind.count);
  }
  int64_t pages_each_, n_layers_;
  KvCache kv_;
  std::vector<int32_t> pages_;
};

RooflinePoint measure(const Kind& kind, const RooflineOptions& o, int64_t columns, StepTimer& timer) {
  const bool chunk = columns > kMostSequences;
  const int64_t sequences = chunk ? 1 : columns, count = chunk ? columns : 1;
  FilledCache cache(kind, o.kv_type, sequences, o.depth + count, timer);
  RooflinePoint p;
  p.what = kind.attrs.window > 0 ? "attention, windowed" : "attention";
  p.dtype = name(o.kv_type);
  p.n_rows = kind.n_heads * kind.head_dim;
  p.k = o.depth;
  p.count = kind.count;
  p.n_columns = columns;

  std::vector<float> q(static_cast<std::size_t>(columns * p.n_rows)), out(q.size());
  Random random(5);
  for (float& v : q) v = static_cast<float>(random.normal());
  const Batch batch = cache.batch(sequences, count, o.depth);
  std::vector<std::unique_ptr<Step>> steps;
  for (int64_t layer = 0; layer < cache.n_layers(); ++layer) {
    AttentionAttrs attrs = kind.attrs;
    attrs.layer = static_cast<int32_t>(layer);
    steps.push_back(make_attention_step(attrs, {q.data(), p.n_rows}, {out.data(), p.n_rows}, kind.n_heads, kind.n_kv_heads, timer.pool().size()));
  }
  p.seconds = timer.run(steps, batch, &cache.kv()) / static_cast<double>(steps.size());

  const StepWork work = attention_work(kind.attrs, {kTokensDim, kind.n_heads, kind.head_dim}, {kTokensDim, kind.n_kv_heads, kind.head_dim},
                                       o.kv_type, {sequences, count, o.depth});
  p.operations = work.f32_ops + work.bf16_ops;
  p.bytes = work.kv_bytes;
  const LowerBound bound = lower_bound(work, timer.limits_now());
  p.limit_share = bound.seconds / p.seconds;
  p.memory_bound = bound.by_memory;
  return p;
}

}  // namespace

std::vector<RooflinePoint> roofline_attention(const Graph& graph, const RooflineOptions& options, StepTimer& timer) {
  std::vector<RooflinePoint> points;
  for (const Kind& kind : kinds_of(graph)) {
    for (const int64_t columns : options.columns) points.push_back(measure(kind, options, columns, timer));
  }
  return points;
}

}  // namespace minnow
