// The kernels that only training needs, a table for each instruction set beside that of kernels.h, and the plain structs
// that they take. Kernels know nothing of graphs, threads or errors; every size is checked before they are called.
//
// All matrices are f32, row-major. A kernel that takes a range does that part of the work and nothing else, and each
// output is computed by one call in one order: bits do not depend on who takes which range.
//
// Included by files that are compiled for wider instruction sets: nothing of the standard library but plain types.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/kernels.h"

namespace minnow {

// --- dense products (dense_matmul.h has the same with checks and memory)

// Panels panel_begin .. panel_end - 1 of an operand of a product that sums over k. A line is a row of the left operand
// or a column of the right one; a panel holds left_lines or right_lines of them.
struct PackPanels {
  const float* x;
  int64_t stride;   // of the rows of x
  int64_t n_lines;
  int64_t k;
  bool along;       // a line is a row of x, [n_lines, k]; if not, a column: x is [k, n_lines]
  void* panels;     // of the whole operand: 4 bytes * panels * lines * units; aligned to 64
  int64_t panel_begin, panel_end;
};

// A product sums at most so many units in one accumulator: with them, a panel of the right operand stays in a first-level
// cache and a stripe of the left one in a second-level one. Sums of blocks are added in order.
inline constexpr int64_t kDenseBlock = 256;

// C[n_rows, n_columns] = left right, or += : what a block of units adds to the columns of some panels of the right operand.
struct DenseProduct {
  const void* left;        // all panels of n_rows, of to - from units
  const void* right;       // all panels, of right_units units
  int64_t right_units;
  int64_t from, to;        // units
  float* c;
  int64_t c_stride;
  int64_t n_rows, n_columns;
  bool add;
  int64_t right_begin, right_end;  // panels
};

// All for one type of number. Sums are f32.
struct DenseKernels {
  int32_t numbers;                 // in a unit, 4 bytes of a panel: 1 f32 or 2 bf16
  int32_t unit_step;               // a line's units are padded with zeros to a multiple of this, as are those of a block
  int32_t left_lines, right_lines;
  void (*pack_left)(const PackPanels&);
  void (*pack_right)(const PackPanels&);
  void (*multiply)(const DenseProduct&);
};

// --- attention over contiguous q [T, H, D] and k, v [T, G, D], H a multiple of G; T holds several documents

struct TrainAttention {
  const float* q;
  const float* k;
  const float* v;
  float* out;              // [T, H, D]: written by forward, read by backward
  float* lse;              // [T, H] ln of the sum of e^score over what a query sees: likewise
  const float* dout;       // [T, H, D]; this and the next three for backward only
  float* dq;               // [T, H, D]
  float* dk;               // [T, G, D]
  float* dv;               // [T, G, D]
  int32_t n_heads, n_kv_heads, head_dim;
  float scale, softcap;    // score = softcap(scale * q . k); softcap 0: none
  int32_t window;          // as AttentionAttrs (graph/graph.h)
  bool causal;
};
// One document, rows first .. first + count - 1, and one KV head with its query heads.
struct AttentionPart {
  int64_t first, count;
  int32_t kv_head;
};
inline constexpr int kAttentionTile = 96;  // queries of a block, and positions of keys
constexpr int64_t attention_blocks(int64_t count) { return (count + kAttentionTile - 1) / kAttentionTile; }
// Scratch of a call, aligned to 64.
constexpr int64_t train_attention_floats(int64_t n_heads, int64_t n_kv_heads, int64_t head_dim) {
  const int64_t width = (head_dim + 95) / 96 * 96, group = n_heads / n_kv_heads;
  return kAttentionTile * (group * (2 * width + 2) + 8 * width + 6 * kAttentionTile) + 1024;
}

// --- rows and columns

struct RowGradient {
  const float* x;       // [n] input of the forward pass
  const float* w;       // [n]
  const float* dy;      // [n]
  float* dx;            // [n], may be dy
  int64_t n;
  float eps;
};
// What a row of x was centred by and scaled with; RMS norm's mean is 0.
struct RowMoments {
  float mean, factor;
};

// Sums over all rows, for columns column_begin .. column_end - 1, added to the outputs.
struct ColumnSums {
  const float* dy;           // [n_rows, stride]
  const float* x;            // [n_rows, stride]; null when dw is
  const RowMoments* moments; // [n_rows]; null when dw is
  int64_t n_rows, stride;
  float* dw;                 // += dy * (x - mean) * factor; may be null
  float* dbias;              // += dy; may be null
  int64_t column_begin, column_end;
};

// dw[ids[t]] += dy[t] for t in order, for columns column_begin .. column_end - 1. Negative ids are passed over.
struct ScatterRows {
  const float* dy;     // [n_rows, width]
  const int32_t* ids;  // [n_rows], below the rows of dw
  int64_t n_rows, width;
  float* dw;           // [.., width]
  int64_t column_begin, column_end;
};

// --- loss

// A teacher's largest log-probabilities for one row, and what they count. p_T is the teacher's distribution over these
// ids at temperature T, softmax(log_probs / T); q_T the student's over the whole vocabulary.
struct SoftTargets {
  const int32_t* ids;       // [n], each once
  const float* log_probs;   // [n]
  float* scratch;           // [n]
  int64_t n;                // 0: none
  float temperature;        // > 0
  float alpha;              // the loss is alpha T^2 KL(p_T || q_T) + (1 - alpha) * cross entropy
};
// One row of logits, which becomes the gradient of weight * loss with respect to them.
struct CrossEntropyRow {
  float* logits;        // [n]
  int64_t n;
  int32_t target;       // negative: the row does not count, and its gradient is 0
  float weight;
  float scale, softcap; // the model's logits are softcap(scale * logits); softcap 0: none
  bool gradient;        // if not, logits are left undefined
  SoftTargets soft;
};
struct RowLoss {
  double cross_entropy;  // -ln p(target), without weight; 0 for a row that does not count
  double distillation;   // T^2 KL(p_T || q_T); 0 without soft targets
};

// --- optimizers: one step for n parameters w with gradients g * gradient_scale (clipping). Decay is decoupled: it takes
// learning_rate * decay * w.

struct AdamW {
  float learning_rate, beta1, beta2, eps, decay;
  float correction1, correction2;  // 1 / (1 - beta^t) of step t = 1, 2, ...
  float gradient_scale;
};
struct Lion {
  float learning_rate, beta1, beta2, decay, gradient_scale;
};
struct Sgd {
  float learning_rate, momentum, decay, gradient_scale;
  bool nesterov;
};
// Moments in 8 bits: a block of 256 parameters has a scale for each moment. m = scale * sign * (code / 127)^4, and
// v = scale * ((code + 128) / 255)^4, rounded up or down by chance with the right mean, so that small changes add up.
// Chance is a function of seed and place: give every tensor and step a seed of its own. A root of v below 1 / 65025 of the
// largest of its block counts as that, which makes steps smaller.
inline constexpr int64_t kStateBlock = 256;
struct AdamW8 {
  int8_t* m;             // [n rounded up to blocks]
  int8_t* v;             // the same; where a scale is 0 all are 0, whatever the codes
  float* m_scales;       // [blocks]
  float* v_scales;
  uint64_t seed;         // of the tensor and step
  int64_t first_block;   // of w among the tensor's: ranges begin at blocks
};

struct TrainKernels {
  constexpr bool bf16_products() const { return dense_bf16.multiply != nullptr; }

  DenseKernels dense_f32;
  DenseKernels dense_bf16;  // operands rounded to bf16; all null without a unit for it

  // Products in f32, or from operands rounded to bf16 (null without a unit). scratch: train_attention_floats(). Forward
  // writes out and lse of one block of a part's queries, block < attention_blocks(count); backward all of a part's dq, dk
  // and dv.
  void (*attention_forward)(const TrainAttention&, const AttentionPart&, int64_t block, float* scratch);
  void (*attention_backward)(const TrainAttention&, const AttentionPart&, float* scratch);
  void (*attention_forward_bf16)(const TrainAttention&, const AttentionPart&, int64_t block, float* scratch);
  void (*attention_backward_bf16)(const TrainAttention&, const AttentionPart&, float* scratch);

  // dx of a row; the moments are what column_sums() wants for dweight and dbias.
  RowMoments (*rms_norm_backward)(const RowGradient&);
  RowMoments (*layer_norm_backward)(const RowGradient&);
  void (*column_sums)(const ColumnSums&);
  void (*scatter_rows)(const ScatterRows&);
  // By UnaryFn (graph/graph.h): dx = f'(x) dy; and of y = f(gate) * up. dx may be dy; dgate and dup may be gate and up.
  void (*unary_backward[kNumActivations])(const float* x, const float* dy, float* dx, int64_t n);
  void (*gated_backward[kNumActivations])(const float* gate, const float* up, const float* dy, float* dgate, float* dup,
                                          int64_t n);
  // Of y = cap * tanh(x / cap).
  void (*softcap_backward)(const float* x, const float* dy, float cap, float* dx, int64_t n);

  RowLoss (*cross_entropy)(const CrossEntropyRow&);

  void (*adamw)(const AdamW&, const float* g, float* m, float* v, float* w, int64_t n);
  void (*adamw8)(const AdamW&, const AdamW8&, const float* g, float* w, int64_t n);
  void (*lion)(const Lion&, const float* g, float* m, float* w, int64_t n);
  void (*sgd)(const Sgd&, const float* g, float* m, float* w, int64_t n);
  // Of n values, in double, in an order of its own. The same bits at every instruction set.
  double (*sum_squares)(const float* x, int64_t n);
};

namespace baseline { extern const TrainKernels kTrainKernels; }
namespace neon { extern const TrainKernels kTrainKernels; }
namespace neon_dotprod { extern const TrainKernels kTrainKernels; }
namespace neon_i8mm { extern const TrainKernels kTrainKernels; }
namespace avx2 { extern const TrainKernels kTrainKernels; }
namespace avxvnni { extern const TrainKernels kTrainKernels; }
namespace avx512 { extern const TrainKernels kTrainKernels; }
namespace amx { extern const DenseKernels kDenseBf16; }
namespace avx512bf16 { extern const TrainKernels kTrainKernels; }

}  // namespace minnow
