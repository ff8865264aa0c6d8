// The steps that only training has. Those of the forward pass are shared with inference (step.h).
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/dense_matmul.h"
#include "cpu/step.h"

namespace minnow {

// What steps of training know of a run besides its RunContext.
struct TrainRun {
  const TrainKernels& kernels;
  const TrainingBatch& batch;
  ThreadPool& pool;  // whose members call Step::work
};

// Work that the members of a team take piece by piece, whoever is free.
class Counter {
 public:
  void reset() { next_.store(0, std::memory_order_relaxed); }
  // Calls f(i) for those of 0 .. n - 1 that this member gets.
  template <typename F>
  void take(int64_t n, F f) {
    for (int64_t i = next_.fetch_add(1, std::memory_order_relaxed); i < n; i = next_.fetch_add(1, std::memory_order_relaxed)) f(i);
  }

 private:
  alignas(64) std::atomic<int64_t> next_{0};
};

// Of a dimension of a graph's shape.
inline int64_t resolved(int64_t dim, StepSize size) {
  return dim == kTokensDim ? size.tokens : dim == kOutputsDim ? size.outputs : dim;
}

// --- dense products (step_products.cc)

// A matrix [rows, columns] that products read; kTokensDim and kOutputsDim stand for rows known in a run only.
struct DenseOperand {
  const float* matrix;
  int64_t rows, columns;
  Lines lines;

  DenseMatrix of(StepSize size) const;
};
// Products with the same left operands: C of each = sum over t of left[t] right[t], or C += that.
struct DenseGroup {
  struct Sum {
    std::vector<std::size_t> right;  // of DenseProducts::right
    float* c;
    int64_t c_stride;
    bool add;
  };
  std::vector<DenseOperand> left;
  std::vector<Sum> sums;
};
// Products that are computed side by side, each right operand packed once.
struct DenseProducts {
  const DenseKernels& kernels;
  std::vector<DenseOperand> right;
  std::vector<DenseGroup> groups;
};
// Memory for a run of at most `max`.
int64_t product_bytes(const DenseProducts& products, StepSize max, int team);
// Packing, then multiplying. `memory`: product_bytes() of it, aligned to 64.
std::array<std::unique_ptr<Step>, 2> make_product_steps(DenseProducts products, StepSize max, std::byte* memory);

// Rows of a weight of any type as f32.
std::unique_ptr<Step> make_decode_step(const Tensor& weight, float* out);

// 1 / ||W + factor B A|| of each row, for kInverseRowNorms (step_row_norms.cc). W may be of any type.
struct RowNorms {
  Tensor weight;      // [N, K]
  const float *a, *b; // [rank, K], [N, rank]
  int64_t rank;
  float factor;
  float* out;         // [N]
};
std::unique_ptr<Step> make_row_norms_step(RowNorms norms);

// --- row by row (step_gradient.cc)

// For kRoundInput, kDropout, kUnaryGrad, kGatedGrad, kSoftCapGrad, kRopeGrad and kScatterRows; outputs are all values of the node.
std::unique_ptr<Step> make_gradient_step(const Graph& graph, const Node& node, const std::vector<Value>& inputs,
                                         const std::vector<Value>& outputs);

// dx of a norm (where dx.data is null only the moments), and the moments of every row of x, of weight.width numbers.
using Moments = std::shared_ptr<std::vector<RowMoments>>;
std::unique_ptr<Step> make_norm_gradient_step(const Node& node, const std::vector<Value>& inputs, Value dx, Moments moments);

// dw += sum over rows of dy * (x - mean) * factor, or of dy where x.data is null; without moments they are 0 and 1. A row
// of dy may hold several of n numbers.
struct ColumnSum {
  Value dy, x;
  int64_t row_dim;
  int64_t n;
  Moments moments;
  float* dw;
};
std::unique_ptr<Step> make_column_sum_step(ColumnSum sum);

// Row ids[t] of the gradient += dy[t], with ids of kTokens, kPositions or kSegments.
std::unique_ptr<Step> make_embed_gradient_step(Op by, Value dy, float* dw);

// --- attention over whole documents (step_train_attention.cc)

struct TrainAttentionStep {
  AttentionAttrs attrs;
  int64_t n_heads, n_kv_heads;
  Value q, k, v, out, lse;
  Value dout, dq, dk, dv;  // backward only
  bool bf16;                    // products of operands rounded to bf16
  std::byte* memory = nullptr;  // train_attention_bytes() of it, aligned to 64
};
int64_t train_attention_bytes(const TrainAttentionStep& step, int team);
std::unique_ptr<Step> make_train_attention_step(const TrainAttentionStep& step);
std::unique_ptr<Step> make_train_attention_gradient_step(const TrainAttentionStep& step);

// --- the loss of a language model's head (step_head_loss.cc)

struct HeadLossStep {
  HeadLossAttrs attrs;
  const DenseKernels& dense;
  int64_t row_dim;
  int64_t n_vocab;
  Value x, losses;
  Value dx;                             // data is null where it is not wanted
  const float* weight;                  // [n_vocab, x.width]
  const float* bias = nullptr;          // [n_vocab]
  float* d_weight = nullptr;
  float* d_bias = nullptr;
  std::byte* memory = nullptr;          // head_loss_bytes() of it, aligned to 64
};
int64_t head_loss_bytes(const HeadLossStep& step, StepSize max, int team);
std::unique_ptr<Step> make_head_loss_step(const HeadLossStep& step, StepSize max, int team);

// --- short convolutions (step_train_conv.cc): node is kShortConv, kShortConvGrad or kShortConvWeightGrad

struct TrainConvStep {
  Value x;              // or dy
  Value dy;             // of kShortConvWeightGrad
  const float* weight;  // [x.width, n_taps]
  int64_t n_taps;
  Value y;              // or dx
  float* d_weight;
};
std::unique_ptr<Step> make_train_conv_step(Op op, const TrainConvStep& step);

}  // namespace minnow
