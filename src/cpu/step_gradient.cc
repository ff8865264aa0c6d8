#include <cstring>

#include "base/error.h"
#include "cpu/row_step.h"
#include "cpu/train_steps.h"
#include "graph/dropout.h"

namespace minnow {
namespace {

// Columns that a member sums or scatters to at a time: a few cache lines.
constexpr int64_t kColumns = 64;
int64_t column_pieces(int64_t n) { return (n + kColumns - 1) / kColumns; }

std::unique_ptr<Step> dropout_step(const Node& node, Value x, Value y) {
  const auto& attrs = node.get<DropoutAttrs>();
  return row_step([=, threshold = dropout_threshold(attrs.p), kept = static_cast<float>(1 / (1 - static_cast<double>(attrs.p))),
                   salt = attrs.salt](const RunContext& run, int64_t r) {
    const uint32_t key = dropout_row_key(run.train->batch.seed, salt, static_cast<uint32_t>(r));
    const float* from = x.row(r);
    float* to = y.row(r);
    for (int64_t i = 0; i < y.width; ++i) {
      to[i] = dropout_bits(key, static_cast<uint32_t>(i)) < threshold ? 0.0f : from[i] * kept;
    }
  });
}

// Rounds with the kernels of inference, to their very codes.
template <typename Block>
std::unique_ptr<Step> round_input_step(const Node& node, Value x, Value y, void (*Kernels::*quantize)(const float*, Block*, int64_t)) {
  const int64_t n = node.shape.last(), n_blocks = (n + Block::kColumns - 1) / Block::kColumns;
  return step_over(node.shape[0], [=](const RunContext& run, int64_t r) {
    thread_local std::vector<Block> blocks;
    blocks.resize(static_cast<std::size_t>(n_blocks));
    for (int64_t at = 0; at < y.width; at += n) {
      (run.kernels.*quantize)(x.row(r) + at, blocks.data(), n);
      float* to = y.row(r) + at;
      for (int64_t i = 0; i < n; ++i) {
        const Block& b = blocks[static_cast<std::size_t>(i / Block::kColumns)];
        to[i] = b.d * static_cast<float>(b.q[i % Block::kColumns]);
      }
    }
  });
}

// The transposed rotation is that by the opposite angles.
class RopeGradStep final : public TokenStep {
 public:
  RopeGradStep(const Graph& graph, const Node& node, const std::vector<Value>& in, Value y)
      : table_(in[1]), x_(in[0]), y_(y), head_dim_(node.shape.last()), n_freq_(graph.node(node.inputs[1]).shape.last() / 2),
        kernel_(node.get<RopeAttrs>().layout == RopeLayout::kHalves ? &Kernels::rope_halves : &Kernels::rope_interleaved) {}

  void tokens(const RunContext& run, int64_t begin, int64_t end) override {
    std::vector<float> opposite(static_cast<std::size_t>(2 * n_freq_));
    for (int64_t r = begin; r < end; ++r) {
      const float* angles = table_.row(r);
      for (int64_t i = 0; i < n_freq_; ++i) {
        opposite[static_cast<std::size_t>(i)] = angles[i];
        opposite[static_cast<std::size_t>(n_freq_ + i)] = -angles[n_freq_ + i];
      }
      for (int64_t h = 0; h < y_.width; h += head_dim_) {
        (run.kernels.*kernel_)(x_.row(r) + h, opposite.data(), y_.row(r) + h, head_dim_, n_freq_);
      }
    }
  }

 private:
  Value table_, x_, y_;
  int64_t head_dim_, n_freq_;
  void (*Kernels::*kernel_)(const float*, const float*, float*, int64_t, int64_t);
};

// Not a TokenStep: it reads rows of other tokens' places.
class ScatterRowsStep final : public Step {
 public:
  ScatterRowsStep(Value x, Value y) : x_(x), y_(y) {}
  void begin(const RunContext& run) override {
    row_of_.assign(static_cast<std::size_t>(run.size.tokens), -1);
    int32_t row = 0;
    for (const int32_t t : run.batch.output_rows) row_of_[static_cast<std::size_t>(t)] = row++;
  }
  void work(const RunContext& run, int member) override {
    const Share share = share_of(run.size.tokens, member, run.team);
    const auto bytes = static_cast<std::size_t>(y_.width) * sizeof(float);
    for (int64_t t = share.begin; t < share.end; ++t) {
      const int32_t row = row_of_[static_cast<std::size_t>(t)];
      if (row < 0) {
        std::memset(y_.row(t), 0, bytes);
      } else {
        std::memcpy(y_.row(t), x_.row(row), bytes);
      }
    }
  }

 private:
  Value x_, y_;
  std::vector<int32_t> row_of_;  // by token; -1: none
};

class ColumnSumStep final : public Step {
 public:
  explicit ColumnSumStep(ColumnSum sum) : sum_(std::move(sum)) {}
  void begin(const RunContext& run) override {
    counter_.reset();
    n_rows_ = resolved(sum_.row_dim, run.size) * (sum_.dy.width / sum_.n);
    if (!sum_.moments && sum_.x.data != nullptr) ones_.assign(static_cast<std::size_t>(n_rows_), {0, 1});
  }
  void work(const RunContext& run, int) override {
    const bool weighs = sum_.x.data != nullptr;
    const RowMoments* moments = sum_.moments ? sum_.moments->data() : ones_.data();
    counter_.take(column_pieces(sum_.n), [&](int64_t i) {
      run.train->kernels.column_sums({sum_.dy.data, weighs ? sum_.x.data : nullptr, weighs ? moments : nullptr, n_rows_, sum_.n,
                                      weighs ? sum_.dw : nullptr, weighs ? nullptr : sum_.dw, i * kColumns,
                                      std::min(sum_.n, (i + 1) * kColumns)});
    });
  }

 private:
  ColumnSum sum_;
  int64_t n_rows_ = 0;
  std::vector<RowMoments> ones_;
  Counter counter_;
};

class EmbedGradientStep final : public Step {
 public:
  EmbedGradientStep(Op by, Value dy, float* dw) : by_(by), dy_(dy), dw_(dw) {}
  void begin(const RunContext&) override { counter_.reset(); }
  void work(const RunContext& run, int) override {
    const auto& ids = by_ == Op::kTokens ? run.batch.tokens : by_ == Op::kPositions ? run.positions : run.segments;
    counter_.take(column_pieces(dy_.width), [&](int64_t i) {
      run.train->kernels.scatter_rows({dy_.data, ids.data(), run.size.tokens, dy_.width, dw_, i * kColumns,
                                       std::min(dy_.width, (i + 1) * kColumns)});
    });
  }

 private:
  Op by_;
  Value dy_;
  float* dw_;
  Counter counter_;
};

}  // namespace

std::unique_ptr<Step> make_gradient_step(const Graph& graph, const Node& node, const std::vector<Value>& in,
                                         const std::vector<Value>& out) {
  const Value y = out[0];
  switch (node.op) {
    case Op::kRoundInput:
      if (node.get<RoundInputAttrs>().block == 32) return round_input_step(node, in[0], y, &Kernels::quantize_32);
      return round_input_step(node, in[0], y, &Kernels::quantize_256);
    case Op::kDropout: return dropout_step(node, in[0], y);
    case Op::kRopeGrad: return std::make_unique<RopeGradStep>(graph, node, in, y);
    case Op::kScatterRows: return std::make_unique<ScatterRowsStep>(in[0], y);
    case Op::kSoftCapGrad:
      return step_over(node.shape[0], [=, dy = in[0], x = in[1], cap = node.get<SoftCapAttrs>().cap](const RunContext& run, int64_t r) {
        run.train->kernels.softcap_backward(x.row(r), dy.row(r), cap, y.row(r), y.width);
      });
    case Op::kUnaryGrad: {
      const auto fn = static_cast<std::size_t>(node.get<UnaryAttrs>().fn);
      return step_over(node.shape[0], [=, dy = in[0], x = in[1]](const RunContext& run, int64_t r) {
        run.train->kernels.unary_backward[fn](x.row(r), dy.row(r), y.row(r), y.width);
      });
    }
    case Op::kGatedGrad: {
      const auto fn = static_cast<std::size_t>(node.get<UnaryAttrs>().fn);
      return step_over(node.shape[0], [=, dy = in[0], gate = in[1], up = in[2], d_up = out[1]](const RunContext& run, int64_t r) {
        run.train->kernels.gated_backward[fn](gate.row(r), up.row(r), dy.row(r), y.row(r), d_up.row(r), y.width);
      });
    }
    default: fail(ErrorCode::kUnsupported, "training on the CPU: there is no step for {}", name(node.op));
  }
}

std::unique_ptr<Step> make_norm_gradient_step(const Node& node, const std::vector<Value>& in, Value dx, Moments moments) {
  const bool centers = node.op == Op::kLayerNormGrad || node.op == Op::kLayerNormWeightGrad;
  const auto kernel = centers ? &TrainKernels::layer_norm_backward : &TrainKernels::rms_norm_backward;
  const int64_t n = in[2].width;
  return step_over(node.shape[0], [=, eps = node.get<NormAttrs>().eps, dy = in[0], x = in[1], w = in[2]](const RunContext& run,
                                                                                                        int64_t r) {
    thread_local std::vector<float> unwanted;
    if (dx.data == nullptr) unwanted.resize(static_cast<std::size_t>(n));
    for (int64_t i = 0; i < x.width; i += n) {
      float* to = dx.data != nullptr ? dx.row(r) + i : unwanted.data();
      (*moments)[static_cast<std::size_t>((r * x.width + i) / n)] =
          (run.train->kernels.*kernel)({x.row(r) + i, w.data, dy.row(r) + i, to, n, eps});
    }
  });
}

std::unique_ptr<Step> make_column_sum_step(ColumnSum sum) { return std::make_unique<ColumnSumStep>(std::move(sum)); }

std::unique_ptr<Step> make_embed_gradient_step(Op by, Value dy, float* dw) {
  return std::make_unique<EmbedGradientStep>(by, dy, dw);
}

}  // namespace minnow
