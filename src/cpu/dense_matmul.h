// The dense products of training: C = A B or C += A B in f32 or bf16 with f32 sums, from operands that are packed once
// and then serve several products and threads.
//
// The three products of a layer y = x W^T, with x [T, K], W [N, K] and dy [T, N]:
//   y  = x W^T    left x by kRows,     right W by kRows,     sum over K
//   dx = dy W     left dy by kRows,    right W by kColumns,  sum over N
//   dW += dy^T x  left dy by kColumns, right x by kColumns,  sum over T
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/train_kernels.h"

namespace minnow {

const TrainKernels& train_kernels_for(Isa isa);

// What products multiply. bf16 becomes f32 where the instruction set has no unit for it.
enum class Multiplied : uint8_t { kF32, kBf16 };
const DenseKernels& dense_kernels(const TrainKernels& kernels, Multiplied numbers);

enum class Side : uint8_t { kLeft, kRight };
// Whether a line of the operand, one row of A or one column of B, is a row of the matrix in memory or a column.
enum class Lines : uint8_t { kRows, kColumns };

// An operand [n_lines, k] of products that sum over k, in memory of its user: `bytes()` of it, aligned to 64. Packing
// reads a row-major matrix [n_lines, k] (kRows) or [k, n_lines] (kColumns); the matrix is not needed after that.
class PackedOperand {
 public:
  // Throws kInvalidInput for negative sizes and memory that is not aligned. `memory` may be null to ask for bytes().
  PackedOperand(const DenseKernels& kernels, Side side, int64_t n_lines, int64_t k, std::byte* memory);

  int64_t bytes() const { return panels() * lines_ * units_ * 4; }
  int64_t n_lines() const { return n_lines_; }
  int64_t k() const { return k_; }
  Side side() const { return side_; }
  const DenseKernels& kernels() const { return *kernels_; }
  // The units that packing is divided in.
  int64_t panels() const { return (n_lines_ + lines_ - 1) / lines_; }

  // Panels [begin, end). `stride`: floats from row to row of the matrix.
  void pack(const float* matrix, int64_t stride, Lines lines, int64_t begin, int64_t end);
  void pack(ThreadPool& pool, const float* matrix, int64_t stride, Lines lines);

  const void* data() const { return memory_; }

 private:
  const DenseKernels* kernels_;
  Side side_;
  int64_t lines_, n_lines_, units_, k_;
  std::byte* memory_;
};

// One product, cut into tiles for a team. The tiles depend on the size of the team, the bits of C do not.
class DenseMatMul {
 public:
  // c: [left.n_lines, right.n_lines], rows c_stride floats apart. The operands' memory and c must outlive this. Throws
  // kInvalidInput when the operands do not belong together.
  DenseMatMul(const PackedOperand& left, const PackedOperand& right, float* c, int64_t c_stride, int team);

  int64_t tiles() const { return row_tiles_ * column_tiles_; }
  // C = A B, or C += A B, for tiles [begin, end).
  void compute(int64_t begin, int64_t end, bool add) const;
  void compute(ThreadPool& pool, bool add) const;

 private:
  DenseProduct product_;
  void (*multiply_)(const DenseProduct&);
  int64_t row_panels_, column_panels_;
  int64_t row_tiles_, column_tiles_;
};

}  // namespace minnow
