// The table of kernels that each instruction set fills, and the plain structs they take. Kernels know nothing of
// graphs, threads or errors; every size is checked before they are called.
//
// Included by files that are compiled for wider instruction sets: nothing of the standard library but plain types.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/panels.h"

namespace minnow {

// Input rows of the products that are computed in bf16 are padded with zeros to a multiple of this many columns.
inline constexpr int kBf16Columns = 32;
constexpr int64_t bf16_row(int64_t k) { return (k + kBf16Columns - 1) / kBf16Columns * kBf16Columns; }

// y[c][r] = sum over k of w[r][k] * x[c][k] for c < n_cols and rows row_begin <= r < row_end.
struct RowMatMul {
  const void* w;   // [N, K] f32, f16 or bf16
  int64_t k;
  const void* x;   // [n_cols, K] f32, or [n_cols, bf16_row(K)] bf16
  int64_t n_cols;
  float* y;        // [n_cols, y_stride]
  int64_t y_stride;
  int64_t row_begin, row_end;
};

// The same for packed weights; panels panel_begin .. panel_end - 1, of rows < n_rows.
struct PanelMatMul {
  const void* w;
  int64_t k;      // a multiple of the columns of a step
  const void* x;  // [n_cols] rows in the form that the type wants (PanelFormat::input)
  int64_t n_cols;
  float* y;
  int64_t y_stride;
  int64_t n_rows;
  int64_t panel_begin, panel_end;
  bool asks_ahead = true;  // also for a single column, whose weights the hardware may fetch in time by itself (isa.h)
};

enum class KvType : uint8_t { kF32, kF16, kBf16, kQ8_0 };
inline constexpr int kKvPage = 64;               // positions per page
inline constexpr int kKvSegment = 8 * kKvPage;   // positions whose softmax is computed as one

// One page of one layer and one KV head, for head size D:
//   keys:   [D / 2][kKvPage][2], q8_0 then scales f32 [D / 32][kKvPage]
//   values: [kKvPage / 2][D][2], q8_0 then scales f32 [kKvPage / 2][D / 32][2]
// The numbers that are next to each other are two features of a key and two positions of a value: what the products add
// up. Keys of an odd D end with a feature of 0; each part takes the bytes of an even D.
struct KvStore {
  KvType type;
  int32_t head_dim;
  const float* k;  // head_dim values
  const float* v;
  void* k_page;
  void* v_page;
  int32_t slot;    // 0 .. kKvPage - 1
};

// Attention of n_q query rows that share one sequence and one KV head.
struct AttentionTask {
  KvType type;
  int32_t head_dim;
  int32_t n_q;                 // at most kAttentionRows
  const float* const* q;       // [n_q] pointers to head_dim values
  float* const* out;           // [n_q]
  const int32_t* begin;        // [n_q] first visible position
  const int32_t* end;          // [n_q] one past the last visible position; end > begin
  float scale, softcap;
  const int32_t* pages;        // page numbers of the sequence
  const char* k_base;          // page p lies at k_base + p * page_stride
  const char* v_base;
  int64_t page_stride;
  float* scratch;              // attention_scratch_floats(head_dim)
};
inline constexpr int kAttentionRows = 64;
// A row of what a query found in one segment.
constexpr int64_t attention_partial_floats(int64_t head_dim) { return (head_dim + 15) / 16 * 16 + 16; }
constexpr int64_t attention_scratch_floats(int64_t head_dim) {
  const int64_t width = (head_dim + 31) / 32 * 32;
  return kAttentionRows * (3 * width + kKvPage + 32 + 2 * attention_partial_floats(head_dim)) + 2 * kKvPage * width + 512;
}

inline constexpr int kNumActivations = 6;  // as kNumUnaryFns

struct Kernels {
  // Whether there is a unit for products of bf16. If so, attention over a bf16 or q8_0 cache rounds queries, keys, what
  // positions weigh and values to bf16, and sums in f32.
  constexpr bool bf16_products() const { return round_bf16 != nullptr; }
  void (*rms_norm)(const float* x, const float* w, float* y, int64_t n, float eps);
  void (*layer_norm)(const float* x, const float* w, const float* bias, float* y, int64_t n, float eps);  // bias or null
  void (*add_scaled)(const float* x, float factor, float* y, int64_t n);  // y += factor * x
  void (*add)(const float* a, const float* b, float* y, int64_t n);
  void (*mul)(const float* a, const float* b, float* y, int64_t n);
  void (*scale)(const float* x, float factor, float* y, int64_t n);
  void (*softcap)(const float* x, float cap, float* y, int64_t n);
  // By UnaryFn (graph/graph.h): y = f(x), and y = f(gate) * up.
  void (*unary[kNumActivations])(const float* x, float* y, int64_t n);
  void (*gated[kNumActivations])(const float* gate, const float* up, float* y, int64_t n);
  // One head, in place allowed: pairs (2i, 2i + 1) or (i, i + n_freq), i < n_freq; table holds n_freq cosines, then
  // sines. The features past 2 * n_freq are copied.
  void (*rope_interleaved)(const float* x, const float* table, float* y, int64_t head_dim, int64_t n_freq);
  void (*rope_halves)(const float* x, const float* table, float* y, int64_t head_dim, int64_t n_freq);

  // x of K values (a multiple of 32) to a row of blocks: d = max |x| / 127, codes to the nearest.
  void (*quantize_32)(const float* x, ActBlock32* y, int64_t k);
  void (*quantize_256)(const float* x, ActBlock256* y, int64_t k);

  // By the type of the weights, computed in f32.
  void (*matmul_f32)(const RowMatMul&);
  void (*matmul_f16)(const RowMatMul&);
  void (*matmul_bf16)(const RowMatMul&);
  // The same computed in bf16 with sums in f32, from inputs rounded by round_bf16: bf16_row(k) values of a row of k.
  // All null without bf16_products().
  void (*round_bf16)(const float* x, uint16_t* y, int64_t k);
  void (*matmul_f16_as_bf16)(const RowMatMul&);
  void (*matmul_bf16_as_bf16)(const RowMatMul&);
  void (*panel_matmul[kNumPanelTypes])(const PanelMatMul&);  // index: PanelType

  void (*kv_store)(const KvStore&);
  // All that the queries see; or one segment of it to n_q rows of partial results, and then the results of all segments
  // that any of the queries sees, in order, to what attention() would have given.
  void (*attention)(const AttentionTask&);
  void (*attention_segment)(const AttentionTask&, int64_t segment, float* partial);
  void (*attention_fold)(const AttentionTask&, const float* partials, int64_t n_segments);

  // Limits of the machine, for doctor and bench: each runs `rounds` of work that nothing else bounds and returns a
  // value that depends on all of it.
  double (*read_memory)(const void* bytes, int64_t n);      // sums n bytes (a multiple of 4096)
  double (*int8_rate)(int64_t rounds, int64_t* operations); // *operations: multiplies plus adds
  double (*bf16_rate)(int64_t rounds, int64_t* operations); // null where matmul_bf16_as_bf16 is
  double (*f32_rate)(int64_t rounds, int64_t* operations);
};

namespace baseline { extern const Kernels kKernels; }
namespace neon { extern const Kernels kKernels; }
namespace neon_dotprod { extern const Kernels kKernels; }
namespace neon_i8mm { extern const Kernels kKernels; }
namespace avx2 { extern const Kernels kKernels; }
namespace avxvnni { extern const Kernels kKernels; }
namespace avx512 { extern const Kernels kKernels; }
namespace avx512bf16 { extern const Kernels kKernels; }

}  // namespace minnow
