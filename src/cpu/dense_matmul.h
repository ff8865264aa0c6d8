// The dense products of training: C = A B or C += A B in f32 or bf16 with f32 sums. Right operands are packed once and then
// serve several products and all threads; left ones are packed by whoever multiplies them, a block at a time.
//
// The three products of a layer y = x W^T, with x [T, K], W [N, K] and dy [T, N]:
//   y  = x W^T    left x by kRows,     right W by kRows,     sum over K
//   dx = dy W     left dy by kRows,    right W by kColumns,  sum over N
//   dW += dy^T x  left dy by kColumns, right x by kColumns,  sum over T
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/train_kernels.h"

namespace minnow {

const TrainKernels& train_kernels_for(Isa isa);

// What products multiply. bf16 becomes f32 where the instruction set has no unit for it.
enum class Multiplied : uint8_t { kF32, kBf16 };
const DenseKernels& dense_kernels(const TrainKernels& kernels, Multiplied numbers);

// Whether a line of an operand, one row of A or one column of B, is a row of the matrix in memory or a column.
enum class Lines : uint8_t { kRows, kColumns };

// An operand [n_lines, k] of a product that sums over k, as it lies in memory: a row-major matrix [n_lines, k] (kRows) or
// [k, n_lines] (kColumns).
struct DenseMatrix {
  const float* data;
  int64_t stride;  // floats from row to row of the matrix
  Lines lines;
  int64_t n_lines, k;
};

// That a line of k numbers is packed as, zeros at its end included.
int64_t sum_units(const DenseKernels& kernels, int64_t k);

// A right operand in memory of its user: `bytes()` of it, aligned to 64. The matrix is not needed once it is packed.
class PackedRight {
 public:
  // Throws kInvalidInput for negative sizes and memory that is not aligned. `memory` may be null to ask for bytes().
  PackedRight(const DenseKernels& kernels, const DenseMatrix& matrix, std::byte* memory);

  int64_t bytes() const { return panels() * kernels_->right_lines * units() * 4; }
  int64_t n_lines() const { return matrix_.n_lines; }
  int64_t k() const { return matrix_.k; }
  const DenseKernels& kernels() const { return *kernels_; }
  const void* data() const { return memory_; }
  // What the kernels call so (train_kernels.h). Packing is divided by panels.
  int64_t panels() const { return (matrix_.n_lines + kernels_->right_lines - 1) / kernels_->right_lines; }
  int64_t units() const { return sum_units(*kernels_, matrix_.k); }

  void pack(int64_t panel_begin, int64_t panel_end);
  void pack(ThreadPool& pool);

 private:
  const DenseKernels* kernels_;
  DenseMatrix matrix_;
  std::byte* memory_;
};

// C = the sum over t of left[t] right[t], or C += that.
struct DenseProductSum {
  std::vector<const PackedRight*> right;
  float* c;          // [left.n_lines, right.n_lines]
  int64_t c_stride;  // floats from row to row
  bool add;
};

// Sums of products with the same left operands, cut into tiles for a team. A tile is a stripe of rows of all C, which is
// packed once, or a part of it when there are too few rows for the team. The tiles depend on the size of the team, the bits of C do
// not.
class DenseMatMul {
 public:
  // All that is named must outlive this. Throws kInvalidInput when operands do not belong together.
  DenseMatMul(std::vector<DenseMatrix> left, std::vector<DenseProductSum> sums, int team);

  // Memory for a member's packed stripe.
  static int64_t scratch_bytes(const DenseKernels& kernels);

  int64_t tiles() const { return row_tiles_ * column_tiles_; }
  // scratch: scratch_bytes(), aligned to 64.
  void compute(int64_t tile, std::byte* scratch) const;
  void compute(ThreadPool& pool) const;

 private:
  struct Stripe;
  void add_blocks(const Stripe& stripe, std::size_t term, std::byte* scratch) const;

  const DenseKernels* kernels_;
  std::vector<DenseMatrix> left_;
  std::vector<DenseProductSum> sums_;
  int64_t row_panels_, row_tiles_, column_tiles_ = 1;
};

}  // namespace minnow
