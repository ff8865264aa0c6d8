#include "cpu/executor.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "cpu/pack.h"
#include "cpu/packed_weights.h"
#include "cpu/schedule.h"
#include "cpu/step.h"
#include "cpu/step_experts.h"
#include "graph/passes.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

// Matrix e of a weight [E, N, K].
Tensor expert_of(const Tensor& t, int64_t e) {
  Tensor one = t;
  one.shape = {t.shape[1], t.shape[2]};
  one.data = t.row(e * t.shape[1]);
  return one;
}

int64_t n_matrices(const Shape& shape) { return shape.rank() == 3 ? shape[0] : 1; }

// Bytes of the converted, or gathered, input of a product with at most `max` rows.
int64_t input_bytes(const Graph& graph, const Node& n, StepSize max) {
  if (n.op != Op::kMatMul && n.op != Op::kExpertMatMul) return 0;
  const int64_t k = graph.node(n.inputs[1]).shape.last();
  int64_t converted = 0;
  for (const auto form : {MatMulInput::kBf16, MatMulInput::kBlocks32, MatMulInput::kBlocks256}) {
    converted = std::max(converted, input_row_bytes(form, k));
  }
  if (n.op == Op::kMatMul) return std::max(max.tokens, max.outputs) * converted;
  return max.tokens * n.shape[1] * std::max(converted, input_row_bytes(MatMulInput::kF32, k));
}

}  // namespace

const Kernels& kernels_for(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2: return avx2::kKernels;
    case Isa::kAvxVnni: return avxvnni::kKernels;
    case Isa::kAvx512: return avx512::kKernels;
    case Isa::kAvx512Bf16:
    case Isa::kAmx: return avx512bf16::kKernels;
#elif defined(__aarch64__)
    case Isa::kNeon: return neon::kKernels;
    case Isa::kNeonDotprod: return neon_dotprod::kKernels;
    case Isa::kNeonI8mm: return neon_i8mm::kKernels;
#endif
    default: return baseline::kKernels;
  }
}

Executor::Executor(const Graph& graph, ExecutorOptions options)
    : graph_(fuse(graph)),
      options_(std::move(options)),
      kernels_(kernels_for(options_.isa)),
      pool_(options_.n_threads, team_bindings(this_machine(), options_.n_threads)) {
  pack_weights();
  compile();
}

Executor::~Executor() = default;

uint64_t Executor::packed_bytes() const { return packed_->bytes(); }
bool Executor::found_packed() const { return packed_->found(); }
uint64_t Executor::scratch_bytes() const { return values_->size(); }

void Executor::pack_weights() {
  const auto& nodes = graph_.nodes();
  std::vector<bool> is_matrix(nodes.size(), false);
  std::vector<bool> is_vector(nodes.size(), false);
  for (const Node& n : nodes) {
    for (int k = 0; k < n.n_inputs(); ++k) {
      const NodeId in = n.inputs[static_cast<std::size_t>(k)];
      if (graph_.node(in).op != Op::kWeight) continue;
      if (n.op == Op::kMatMul || n.op == Op::kExpertMatMul) {
        is_matrix[index(in)] = true;
      } else if (n.op != Op::kEmbed) {
        is_vector[index(in)] = true;
      }
    }
  }
  // Vectors first: each brings in the megabytes of the file around it, which packing releases.
  vectors_.resize(nodes.size());
  std::vector<WeightMatrix> matrices;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Tensor& t = nodes[i].values();
    if (is_vector[i]) vectors_[i] = Tensor::from_f32(to_f32(t), t.shape);
    if (!is_matrix[i]) continue;
    for (int64_t e = 0; e < n_matrices(t.shape); ++e) {
      matrices.push_back({nodes[i].name, t.shape.rank() == 3 ? expert_of(t, e) : t});
    }
  }
  packed_ = std::make_unique<PackedWeights>(matrices, pool_, options_.cache, options_.progress);

  matrices_.resize(nodes.size());
  experts_.resize(nodes.size());
  std::size_t next = 0;
  const auto take = [&] {
    const WeightMatrix& m = matrices[next];
    return PackedMatrix(m.name, m.tensor, packed_->panels(next++), half_input(kernels_, options_.exact));
  };
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Tensor& t = nodes[i].values();
    if (!is_matrix[i]) continue;
    if (t.shape.rank() == 3) {
      for (int64_t e = 0; e < t.shape[0]; ++e) experts_[i].push_back(take());
    } else {
      matrices_[i] = std::make_unique<PackedMatrix>(take());
    }
  }
}

MatMulInput Executor::input_form(NodeId weight) const {
  return matrices_[index(weight)] ? matrices_[index(weight)]->input() : experts_[index(weight)][0].input();
}

void Executor::compile() {
  const auto& nodes = graph_.nodes();
  const StepSize max{options_.max_tokens, options_.max_outputs};
  const MemoryPlan plan = plan_memory(graph_, max);

  // After the values comes room for one converted input, shared by the products that read it.
  int64_t act_bytes = 0;
  for (const Node& n : nodes) act_bytes = std::max(act_bytes, input_bytes(graph_, n, max));
  values_ = PageMemory::allocate(static_cast<uint64_t>(plan.bytes + act_bytes), "values between steps");
  std::byte* converted = values_->data() + plan.bytes;
  struct Held {
    NodeId node = kNoNode;
    bool for_experts = false;  // gathered by expert
    MatMulInput form{};
    bool operator==(const Held&) const = default;
  } held;  // what it holds at the moment
  std::map<NodeId, std::shared_ptr<ExpertPlan>> plans;  // by route

  const auto value = [&](NodeId id) -> Value {
    if (graph_.node(id).op == Op::kWeight) {
      const Tensor& t = vectors_[index(id)];
      return {const_cast<float*>(t.f32()), t.shape.elements()};
    }
    if (plan.offset[index(id)] == MemoryPlan::kOutside) return {};
    return {reinterpret_cast<float*>(values_->data() + plan.offset[index(id)]), width_of(graph_.node(id).shape)};
  };

  Schedule schedule{steps_, max.tokens};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& n = nodes[i];
    const auto id = static_cast<NodeId>(i);
    switch (n.op) {
      case Op::kTokens:
      case Op::kPositions:
      case Op::kSegments:
      case Op::kWeight:
      case Op::kReshape: break;
      case Op::kEmbed: {
        const Node& table = graph_.node(n.inputs[0]);
        const Tensor& t = table.values();
        if (!info(t.dtype).is_weight) fail(ErrorCode::kUnsupported, "{}: embeddings of type {}", table.name, name(t.dtype));
        // Where the table is the output projection, too, it is in memory already.
        std::function<void(int64_t, float*)> row = [t](int64_t r, float* y) { decode_row(t.dtype, t.row(r), y, t.shape.last()); };
        if (const PackedMatrix* packed = matrices_[index(n.inputs[0])].get()) row = [packed](int64_t r, float* y) { packed->row(r, y); };
        schedule.add(make_embed_step(graph_.node(n.inputs[1]).op, std::move(row), value(id)), {}, {value(id)});
        break;
      }
      case Op::kMatMul: {
        // Neighbours that multiply the same input become one step.
        const NodeId x = n.inputs[0];
        const MatMulInput form = input_form(n.inputs[1]);
        std::vector<MatMulOutput> outputs;
        std::size_t last = i;
        for (std::size_t j = i; j < nodes.size(); ++j) {
          const Op op = nodes[j].op;
          if (op == Op::kWeight || op == Op::kReshape) continue;
          if (op != Op::kMatMul || nodes[j].inputs[0] != x) break;
          const PackedMatrix& w = *matrices_[index(nodes[j].inputs[1])];
          if (w.input() != form) break;
          outputs.push_back({&w, value(static_cast<NodeId>(j))});
          last = j;
        }
        const int64_t row_dim = graph_.node(x).shape[0];
        const bool convert = form != MatMulInput::kF32;
        if (const Held wanted{x, false, form}; convert && held != wanted) {
          schedule.add(make_input_step(value(x), row_dim, form, converted), {value(x)}, {});
          held = wanted;
        }
        const void* input = convert ? static_cast<const void*>(converted) : value(x).data;
        schedule.add(make_matmul_step(input, row_dim, std::move(outputs)), {}, {});
        i = last;
        break;
      }
      case Op::kAttention: {
        const auto& attrs = n.get<AttentionAttrs>();
        const Shape& q = graph_.node(n.inputs[0]).shape;
        const Shape& k = graph_.node(n.inputs[1]).shape;
        const Value kv[] = {value(n.inputs[1]), value(n.inputs[2])};
        schedule.add(make_kv_store_step(attrs, kv[0], kv[1], k[1]), {kv[0], kv[1]}, {});
        schedule.add(make_attention_step(attrs, value(n.inputs[0]), value(id), q[1], k[1], pool_.size()), {}, {});
        break;
      }
      case Op::kShortConv: {
        const int32_t layer = n.get<ShortConvAttrs>().layer;
        const Value x = value(n.inputs[0]);
        schedule.add(make_conv_store_step(layer, x), {x}, {});
        schedule.add(make_conv_step(layer, value(n.inputs[1]), graph_.node(n.inputs[1]).shape[1], value(id)), {}, {});
        break;
      }
      case Op::kRoute: {
        const Value logits = value(n.inputs[0]);
        const auto made = std::make_shared<ExpertPlan>(graph_.node(n.inputs[0]).shape[1], n.get<RouteAttrs>().n_used);
        plans[id] = made;
        schedule.add(make_route_step(n.get<RouteAttrs>(), logits, value(id)), {logits}, {value(id)});
        schedule.add(make_expert_plan_step(value(id), made), {}, {});
        break;
      }
      case Op::kExpertMatMul: {
        const NodeId x = n.inputs[0], w = n.inputs[1];
        const auto& routing = plans.at(n.inputs[2]);
        if (const Held wanted{x, true, input_form(w)}; held != wanted) {
          const bool sorted = graph_.node(x).shape.rank() == 3;
          schedule.add(make_expert_input_step({value(x), graph_.node(x).shape.last(), sorted, wanted.form, converted}, routing), {}, {});
          held = wanted;
        }
        schedule.add(make_expert_matmul_step(experts_[index(w)], converted, value(id), routing), {}, {});
        break;
      }
      case Op::kExpertSum:
        schedule.add(make_expert_sum_step(value(n.inputs[0]), value(n.inputs[1]), value(id), plans.at(n.inputs[1])), {}, {});
        break;
      default: {
        std::vector<Value> inputs;
        for (int k = 0; k < n.n_inputs(); ++k) inputs.push_back(value(n.inputs[static_cast<std::size_t>(k)]));
        schedule.add(make_rowwise_step(graph_, n, inputs, value(id)), inputs, {value(id)});
      }
    }
  }
  const Value out = value(behind_views(graph_, graph_.output()));
  output_ = out.data;
  output_width_ = out.width;
}

void Executor::validate(const Batch& batch, const KvCache* kv) const {
  const auto n = static_cast<int64_t>(batch.tokens.size());
  if (n > options_.max_tokens || static_cast<int64_t>(batch.output_rows.size()) > options_.max_outputs) {
    fail(ErrorCode::kInternal, "a batch of {} tokens and {} outputs, made for {} and {}", n, batch.output_rows.size(),
         options_.max_tokens, options_.max_outputs);
  }
  int64_t covered = 0;
  for (const SequenceSlice& s : batch.sequences) {
    const bool pages_ok = kv == nullptr || static_cast<int64_t>(s.pages.size()) * kKvPage >= s.past + s.count;
    if (s.first != covered || s.count <= 0 || s.past < 0 || !pages_ok) fail(ErrorCode::kInternal, "a batch with a bad slice");
    covered += s.count;
  }
  if (covered != n) fail(ErrorCode::kInternal, "slices cover {} of {} tokens", covered, n);
}

std::span<const float> Executor::run(const Batch& batch, KvCache* kv) {
  validate(batch, kv);
  positions_.clear();
  segments_.clear();
  for (const SequenceSlice& s : batch.sequences) {
    for (int32_t i = 0; i < s.count; ++i) {
      positions_.push_back(s.past + i);
      segments_.push_back(s.second_segment >= 0 && s.past + i >= s.second_segment ? 1 : 0);
    }
  }
  const StepSize size{static_cast<int64_t>(batch.tokens.size()), static_cast<int64_t>(batch.output_rows.size())};
  const RunContext run{kernels_, batch, positions_, segments_, size, kv, pool_.size()};
  for (const auto& step : steps_) step->begin(run);
  pool_.run([&](int member) {
    std::size_t next = 0;  // step that reads weights
    int piece = 0;         // fetched of them so far
    for (std::size_t s = 0; s < steps_.size(); ++s) {
      if (s > 0) {
        if (next < s) {
          next = s;
          piece = 0;
        }
        while (next < steps_.size() && !steps_[next]->reads_weights()) ++next;
        pool_.barrier([&] { return next < steps_.size() && steps_[next]->fetch(run, member, piece++); });
      }
      steps_[s]->work(run, member);
    }
  });
  return {output_, static_cast<std::size_t>(size.outputs * output_width_)};
}

}  // namespace minnow
