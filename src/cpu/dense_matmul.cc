#include "cpu/dense_matmul.h"

#include <algorithm>

#include "base/error.h"

namespace minnow {
namespace {

// A tile's panels and its part of C fit a second-level cache together.
constexpr int64_t kTileRows = 144, kTileColumns = 256;
// Enough tiles that members who finish early find more, unless there are not so many panels.
constexpr int64_t kTilesEach = 6;

int64_t divided(int64_t n, int64_t by) { return (n + by - 1) / by; }

}  // namespace

const TrainKernels& train_kernels_for(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2: return avx2::kTrainKernels;
    case Isa::kAvxVnni: return avxvnni::kTrainKernels;
    case Isa::kAvx512: return avx512::kTrainKernels;
    case Isa::kAvx512Bf16: return avx512bf16::kTrainKernels;
#elif defined(__aarch64__)
    case Isa::kNeon: return neon::kTrainKernels;
    case Isa::kNeonDotprod: return neon_dotprod::kTrainKernels;
    case Isa::kNeonI8mm: return neon_i8mm::kTrainKernels;
#endif
    default: return baseline::kTrainKernels;
  }
}

const DenseKernels& dense_kernels(const TrainKernels& kernels, Multiplied numbers) {
  return numbers == Multiplied::kBf16 && kernels.bf16_products() ? kernels.dense_bf16 : kernels.dense_f32;
}

PackedOperand::PackedOperand(const DenseKernels& kernels, Side side, int64_t n_lines, int64_t k, std::byte* memory)
    : kernels_(&kernels),
      side_(side),
      lines_(side == Side::kLeft ? kernels.left_lines : kernels.right_lines),
      n_lines_(n_lines),
      units_(divided(k, kernels.numbers)),
      k_(k),
      memory_(memory) {
  if (n_lines < 0 || k < 0) {
    fail(ErrorCode::kInvalidInput, "an operand of {} lines of {} numbers; neither may be negative", n_lines, k);
  }
  if (reinterpret_cast<uintptr_t>(memory) % 64 != 0) {
    fail(ErrorCode::kInvalidInput, "the memory of a packed operand is not aligned to 64 bytes");
  }
}

void PackedOperand::pack(const float* matrix, int64_t stride, Lines lines, int64_t begin, int64_t end) {
  const PackPanels panels{matrix, stride, n_lines_, k_, lines == Lines::kRows, memory_, begin, end};
  (side_ == Side::kLeft ? kernels_->pack_left : kernels_->pack_right)(panels);
}

void PackedOperand::pack(ThreadPool& pool, const float* matrix, int64_t stride, Lines lines) {
  const int64_t grain = std::max<int64_t>(1, divided(panels(), kTilesEach * pool.size()));
  pool.parallel_for(panels(), grain, [&](int64_t begin, int64_t end) { pack(matrix, stride, lines, begin, end); });
}

DenseMatMul::DenseMatMul(const PackedOperand& left, const PackedOperand& right, float* c, int64_t c_stride, int team)
    : multiply_(left.kernels().multiply), row_panels_(left.panels()), column_panels_(right.panels()) {
  if (left.side() != Side::kLeft || right.side() != Side::kRight || &left.kernels() != &right.kernels() ||
      left.k() != right.k()) {
    fail(ErrorCode::kInvalidInput,
         "a product of operands that do not belong together: sums over {} and {}, or sides or numbers that differ",
         left.k(), right.k());
  }
  product_ = {.left = left.data(), .right = right.data(), .k = left.k(), .c = c, .c_stride = c_stride,
              .n_rows = left.n_lines(), .n_columns = right.n_lines()};
  row_tiles_ = divided(left.n_lines(), kTileRows);
  column_tiles_ = divided(right.n_lines(), kTileColumns);
  const int64_t wanted = team > 1 ? kTilesEach * team : 1;
  while (tiles() > 0 && tiles() < wanted && (row_tiles_ < row_panels_ || column_tiles_ < column_panels_)) {
    const bool rows = column_tiles_ == column_panels_ ||
                      (row_tiles_ < row_panels_ && left.n_lines() * column_tiles_ >= right.n_lines() * row_tiles_);
    if (rows) {
      row_tiles_ = std::min(row_panels_, 2 * row_tiles_);
    } else {
      column_tiles_ = std::min(column_panels_, 2 * column_tiles_);
    }
  }
}

void DenseMatMul::compute(int64_t begin, int64_t end, bool add) const {
  DenseProduct p = product_;
  p.add = add;
  for (int64_t tile = begin; tile < end; ++tile) {
    const int64_t row = tile / column_tiles_, column = tile % column_tiles_;
    p.left_begin = row_panels_ * row / row_tiles_;
    p.left_end = row_panels_ * (row + 1) / row_tiles_;
    p.right_begin = column_panels_ * column / column_tiles_;
    p.right_end = column_panels_ * (column + 1) / column_tiles_;
    multiply_(p);
  }
}

void DenseMatMul::compute(ThreadPool& pool, bool add) const {
  pool.parallel_for(tiles(), 1, [&](int64_t begin, int64_t end) { compute(begin, end, add); });
}

}  // namespace minnow
