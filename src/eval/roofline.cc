#include "eval/roofline.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/page_memory.h"
#include "base/random.h"
#include "cpu/executor.h"
#include "cpu/pack.h"
#include "eval/step_timer.h"
#include "eval/step_work.h"
#include "graph/passes.h"

namespace minnow {
namespace {

// Matrices to go round, so that each is out of every cache when its turn comes again.
constexpr uint64_t kColdBytes = 256ull << 20;
constexpr double kMostOperations = 5e10;  // of one round
constexpr int64_t kMostOutputRows = 64;   // rows of logits that are ever wanted at once

// Of "blk.3.attn_q.weight", "attn_q".
std::string role_of(std::string name) {
  if (name.starts_with("blk.")) {
    const auto dot = name.find('.', 4);
    if (dot != std::string::npos) name.erase(0, dot + 1);
  }
  if (name.ends_with(".weight")) name.resize(name.size() - 7);
  return name;
}

struct Group {
  std::vector<std::string> roles;
  std::vector<Tensor> matrices;
  bool of_outputs = false;
};
using GroupKey = std::tuple<DType, int64_t, int64_t>;

std::map<GroupKey, Group> groups_of(const Graph& graph) {
  std::map<GroupKey, Group> groups;
  for (const Node& n : graph.nodes()) {
    if (n.op != Op::kMatMul && n.op != Op::kExpertMatMul) continue;
    const Node& w = graph.node(n.inputs[1]);
    const Tensor& t = w.constant;
    const int64_t rows = t.shape[t.shape.rank() - 2], count = t.shape.rank() == 3 ? t.shape[0] : 1;
    Group& group = groups[{t.dtype, rows, t.shape.last()}];
    const std::string role = role_of(w.name);
    if (std::find(group.roles.begin(), group.roles.end(), role) == group.roles.end()) group.roles.push_back(role);
    group.of_outputs |= n.shape[0] == kOutputsDim;
    for (int64_t e = 0; e < count; ++e) {
      Tensor one = t;
      one.shape = {rows, t.shape.last()};
      one.data = t.row(e * rows);
      group.matrices.push_back(std::move(one));
    }
  }
  return groups;
}

// A group's matrices in the form that is multiplied, with copies enough to be cold.
class PackedGroup {
 public:
  PackedGroup(const Group& group, ThreadPool& pool, MatMulInput halves) {
    const Tensor& first = group.matrices.front();
    const bool panels = packed_bytes(first.dtype, first.shape) > 0;
    const uint64_t bytes = (panels ? packed_bytes(first.dtype, first.shape) : first.bytes() + 63) / 64 * 64;
    const uint64_t all = std::max<uint64_t>(1, bytes * group.matrices.size());
    const uint64_t wanted = std::min(kColdBytes, available_memory() / 4);
    const uint64_t rounds = std::max<uint64_t>(1, (wanted + all - 1) / all);
    memory_ = PageMemory::allocate(all * rounds, "copies of matrices");
    std::byte* at = memory_->data();
    for (uint64_t round = 0; round < rounds; ++round) {
      for (Tensor t : group.matrices) {
        if (!panels) {
          std::copy_n(t.data, t.bytes(), at);
          t.data = at;
          t.owner = memory_;
        }
        matrices_.emplace_back(group.roles.front(), t, at, pool, halves);
        at += bytes;
      }
    }
  }
  const std::vector<PackedMatrix>& matrices() const { return matrices_; }

 private:
  std::shared_ptr<PageMemory> memory_;
  std::vector<PackedMatrix> matrices_;
};

std::string joined(const std::vector<std::string>& roles) {
  std::string text;
  for (std::size_t i = 0; i < roles.size(); ++i) text.append(i == 0 ? "" : ", ").append(roles[i]);
  return text;
}

std::vector<float> random_values(int64_t n) {
  Random random(7);
  std::vector<float> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(static_cast<float>(random.normal()));
  return values;
}

RooflinePoint measure(const Group& group, const PackedGroup& packed, int64_t columns, StepTimer& timer) {
  const PackedMatrix& w = packed.matrices().front();
  RooflinePoint p;
  p.what = joined(group.roles);
  p.dtype = name(group.matrices.front().dtype);
  p.n_rows = w.n_rows();
  p.k = w.k();
  p.count = static_cast<int64_t>(group.matrices.size());
  p.n_columns = columns;
  p.operations = 2.0 * static_cast<double>(p.n_rows * p.k * columns);
  p.bytes = static_cast<double>(w.units() * w.unit_bytes());

  std::vector<float> x = random_values(columns * p.k), y(static_cast<std::size_t>(columns * p.n_rows));
  const auto converted = PageMemory::allocate(static_cast<uint64_t>(columns * input_row_bytes(w.input(), p.k)), "inputs");
  const Batch batch = rows_batch(columns);
  std::vector<std::unique_ptr<Step>> steps;
  steps.push_back(make_input_step({x.data(), p.k}, kTokensDim, w.input(), converted->data()));
  timer.run_once(steps, batch);
  steps.clear();
  const auto most = static_cast<std::size_t>(std::max(1.0, kMostOperations / p.operations));
  for (const PackedMatrix& m : packed.matrices()) {
    if (steps.size() < most) steps.push_back(make_matmul_step(converted->data(), kTokensDim, {{&m, {y.data(), p.n_rows}}}));
  }
  p.seconds = timer.run(steps, batch) / static_cast<double>(steps.size());

  StepWork work;
  work.weight_bytes = p.bytes;
  const MatMulInput input = w.input();
  (input == MatMulInput::kF32 ? work.f32_ops : input == MatMulInput::kBf16 ? work.bf16_ops : work.int8_ops) = p.operations;
  const LowerBound bound = lower_bound(work, timer.limits_now());
  p.limit_share = bound.seconds / p.seconds;
  p.memory_bound = bound.by_memory;
  return p;
}

}  // namespace

std::vector<RooflinePoint> roofline(const Graph& graph, const RooflineOptions& options) {
  const Graph fused = fuse(graph);
  StepTimer timer(options.n_threads, options.isa);
  std::vector<RooflinePoint> points;
  for (const auto& [key, group] : groups_of(fused)) {
    if (options.progress) options.progress(joined(group.roles));
    const PackedGroup packed(group, timer.pool(), half_input(kernels_for(options.isa), computes_in_f32(options.kv_type)));
    for (const int64_t columns : options.columns) {
      if (group.of_outputs && columns > kMostOutputRows) continue;
      points.push_back(measure(group, packed, columns, timer));
    }
  }
  if (options.progress) options.progress("attention");
  for (RooflinePoint& p : roofline_attention(fused, options, timer)) points.push_back(std::move(p));
  return points;
}

}  // namespace minnow
