#include <cmath>
#include <cstring>

#include "base/error.h"
#include "cpu/row_step.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

static_assert(kNumActivations == kNumUnaryFns);

using Binary = void (*)(const float*, const float*, float*, int64_t);

// a op b, where b has a's rows or is one vector repeated over the last dimension of a.
std::unique_ptr<Step> binary_step(const Graph& graph, const Node& node, const std::vector<Value>& in, Value y,
                                  Binary Kernels::*kernel) {
  const Node& b_node = graph.node(node.inputs[1]);
  const Value a = in[0], b = in[1];
  if (b_node.shape == node.shape) {
    return step_over(node.shape[0], [=](const RunContext& run, int64_t r) {
      (run.kernels.*kernel)(a.row(r), b.row(r), y.row(r), y.width);
    });
  }
  const int64_t n = b.width;
  return step_over(node.shape[0], [=](const RunContext& run, int64_t r) {
    for (int64_t i = 0; i < y.width; i += n) (run.kernels.*kernel)(a.row(r) + i, b.data, y.row(r) + i, n);
  });
}

std::unique_ptr<Step> rope_table_step(const Node& node, Value y) {
  return row_step([a = node.get<RopeTableAttrs>(), y](const RunContext& run, int64_t r) {
    const double position = run.positions[static_cast<std::size_t>(r)];
    const double warmth = 1 + a.temperature_beta * std::log1p(std::floor(position / a.temperature_length));
    const double magnitude = a.magnitude * warmth;
    float* row = y.row(r);
    const std::size_t n = a.inv_freq.size();
    for (std::size_t i = 0; i < n; ++i) {
      row[i] = static_cast<float>(std::cos(position * a.inv_freq[i]) * magnitude);
      row[n + i] = static_cast<float>(std::sin(position * a.inv_freq[i]) * magnitude);
    }
  });
}

std::unique_ptr<Step> rope_step(const Graph& graph, const Node& node, const std::vector<Value>& in, Value y) {
  const int64_t head_dim = node.shape.last(), n_freq = graph.node(node.inputs[1]).shape.last() / 2;
  const auto kernel =
      node.get<RopeAttrs>().layout == RopeLayout::kHalves ? &Kernels::rope_halves : &Kernels::rope_interleaved;
  return row_step([=, x = in[0], table = in[1]](const RunContext& run, int64_t r) {
    for (int64_t h = 0; h < y.width; h += head_dim) {
      (run.kernels.*kernel)(x.row(r) + h, table.row(r), y.row(r) + h, head_dim, n_freq);
    }
  });
}

std::unique_ptr<Step> rms_norm_step(const Node& node, const std::vector<Value>& in, Value y) {
  const int64_t n = node.shape.last();
  return step_over(node.shape[0], [=, eps = node.get<NormAttrs>().eps, x = in[0], w = in[1]](const RunContext& run,
                                                                                            int64_t r) {
    for (int64_t i = 0; i < y.width; i += n) run.kernels.rms_norm(x.row(r) + i, w.data, y.row(r) + i, n, eps);
  });
}

std::unique_ptr<Step> layer_norm_step(const Node& node, const std::vector<Value>& in, Value y) {
  const int64_t n = node.shape.last();
  const float* bias = in.size() > 2 ? in[2].data : nullptr;
  return step_over(node.shape[0], [=, eps = node.get<NormAttrs>().eps, x = in[0], w = in[1]](const RunContext& run,
                                                                                            int64_t r) {
    for (int64_t i = 0; i < y.width; i += n) run.kernels.layer_norm(x.row(r) + i, w.data, bias, y.row(r) + i, n, eps);
  });
}

}  // namespace

std::unique_ptr<Step> make_rowwise_step(const Graph& graph, const Node& node, const std::vector<Value>& in, Value y) {
  const int64_t row_dim = node.shape[0];
  switch (node.op) {
    case Op::kRopeTable: return rope_table_step(node, y);
    case Op::kRope: return rope_step(graph, node, in, y);
    case Op::kRmsNorm: return rms_norm_step(node, in, y);
    case Op::kLayerNorm: return layer_norm_step(node, in, y);
    case Op::kAdd: return binary_step(graph, node, in, y, &Kernels::add);
    case Op::kMul: return binary_step(graph, node, in, y, &Kernels::mul);
    case Op::kScale:
      return step_over(row_dim, [=, x = in[0], f = node.get<ScaleAttrs>().factor](const RunContext& run, int64_t r) {
        run.kernels.scale(x.row(r), f, y.row(r), y.width);
      });
    case Op::kSoftCap:
      return step_over(row_dim, [=, x = in[0], cap = node.get<SoftCapAttrs>().cap](const RunContext& run, int64_t r) {
        run.kernels.softcap(x.row(r), cap, y.row(r), y.width);
      });
    case Op::kUnary: {
      const auto fn = static_cast<std::size_t>(node.get<UnaryAttrs>().fn);
      return step_over(row_dim, [=, x = in[0]](const RunContext& run, int64_t r) {
        run.kernels.unary[fn](x.row(r), y.row(r), y.width);
      });
    }
    case Op::kGated: {
      const auto fn = static_cast<std::size_t>(node.get<UnaryAttrs>().fn);
      return step_over(row_dim, [=, gate = in[0], up = in[1]](const RunContext& run, int64_t r) {
        run.kernels.gated[fn](gate.row(r), up.row(r), y.row(r), y.width);
      });
    }
    case Op::kSelectRows: {
      const auto copy = [=, x = in[0]](const RunContext& run, int64_t r) {
        const int64_t from = run.batch.output_rows[static_cast<std::size_t>(r)];
        std::memcpy(y.row(r), x.row(from), static_cast<std::size_t>(y.width) * sizeof(float));
      };
      return step_over(kOutputsDim, copy);
    }
    default: fail(ErrorCode::kInternal, "the CPU executor has no step for {}", name(node.op));
  }
}

std::unique_ptr<Step> make_embed_step(Op by, std::function<void(int64_t, float*)> row, Value y) {
  return row_step([by, row = std::move(row), y](const RunContext& run, int64_t r) {
    const auto& rows = by == Op::kTokens ? run.batch.tokens : by == Op::kPositions ? run.positions : run.segments;
    row(rows[static_cast<std::size_t>(r)], y.row(r));
  });
}

std::unique_ptr<Step> make_input_step(Value x, int64_t row_dim, MatMulInput form, std::byte* y) {
  return step_over(row_dim, [=, row_bytes = input_row_bytes(form, x.width)](const RunContext& run, int64_t r) {
    to_input(run.kernels, form, x.row(r), y + r * row_bytes, x.width);
  });
}

}  // namespace minnow
