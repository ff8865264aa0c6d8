#include "cpu/dense_matmul.h"

#include <algorithm>

#include "base/error.h"

namespace minnow {
namespace {

// Rows of a stripe: its block of the left operand fits a second-level cache, and every number of the right one that comes
// from memory meets as many.
constexpr int64_t kStripeRows = 144;
// Stripes are not made thinner than this while there are columns to divide.
constexpr int64_t kFewestPanels = 4;
// Enough tiles that members who finish early find more, unless there are not so many panels.
constexpr int64_t kTilesEach = 6;

int64_t divided(int64_t n, int64_t by) { return (n + by - 1) / by; }

#if defined(__x86_64__)
// The units of tiles multiply faster than memory brings the operands, and that of vectors of bf16 beside them is slower than f32.
const TrainKernels& amx_kernels() {
  static const TrainKernels all = [] {
    TrainKernels kernels = avx512bf16::kTrainKernels;
    kernels.dense_bf16 = amx::kDenseBf16;
    kernels.attention_forward_bf16 = kernels.attention_forward;
    kernels.attention_backward_bf16 = kernels.attention_backward;
    return kernels;
  }();
  return all;
}
#endif

int64_t stripe_panels(const DenseKernels& kernels) { return kStripeRows / kernels.left_lines; }

}  // namespace

const TrainKernels& train_kernels_for(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2: return avx2::kTrainKernels;
    case Isa::kAvxVnni: return avxvnni::kTrainKernels;
    case Isa::kAvx512: return avx512::kTrainKernels;
    case Isa::kAvx512Bf16: return avx512bf16::kTrainKernels;
    case Isa::kAmx: return amx_kernels();
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

int64_t sum_units(const DenseKernels& kernels, int64_t k) { return divided(k, int64_t{kernels.numbers} * kernels.unit_step) * kernels.unit_step; }

PackedRight::PackedRight(const DenseKernels& kernels, const DenseMatrix& matrix, std::byte* memory)
    : kernels_(&kernels), matrix_(matrix), memory_(memory) {
  if (matrix.n_lines < 0 || matrix.k < 0) {
    fail(ErrorCode::kInvalidInput, "an operand of {} lines of {} numbers; neither may be negative", matrix.n_lines, matrix.k);
  }
  if (reinterpret_cast<uintptr_t>(memory) % 64 != 0) {
    fail(ErrorCode::kInvalidInput, "the memory of a packed operand is not aligned to 64 bytes");
  }
}

void PackedRight::pack(int64_t panel_begin, int64_t panel_end) {
  kernels_->pack_right({matrix_.data, matrix_.stride, matrix_.n_lines, matrix_.k, matrix_.lines == Lines::kRows, memory_,
                        panel_begin, panel_end});
}

void PackedRight::pack(ThreadPool& pool) {
  const int64_t grain = std::max<int64_t>(1, divided(panels(), kTilesEach * pool.size()));
  pool.parallel_for(panels(), grain, [&](int64_t begin, int64_t end) { pack(begin, end); });
}

DenseMatMul::DenseMatMul(std::vector<DenseMatrix> left, std::vector<DenseProductSum> sums, int team)
    : left_(std::move(left)), sums_(std::move(sums)) {
  if (left_.empty() || sums_.empty() || sums_[0].right.empty()) fail(ErrorCode::kInvalidInput, "a product of nothing");
  kernels_ = &sums_[0].right[0]->kernels();
  int64_t columns = 0;  // panels
  for (const DenseProductSum& sum : sums_) {
    if (sum.right.size() != left_.size()) fail(ErrorCode::kInvalidInput, "{} right operands for {} left ones", sum.right.size(), left_.size());
    for (std::size_t t = 0; t < left_.size(); ++t) {
      const PackedRight& right = *sum.right[t];
      if (&right.kernels() != kernels_ || right.k() != left_[t].k || right.n_lines() != sum.right[0]->n_lines() ||
          left_[t].n_lines != left_[0].n_lines) {
        fail(ErrorCode::kInvalidInput,
             "a product of operands that do not belong together: sums over {} and {}, or lines or numbers that differ",
             left_[t].k, right.k());
      }
      columns = std::max(columns, right.panels());
    }
  }
  row_panels_ = divided(left_[0].n_lines, kernels_->left_lines);
  row_tiles_ = std::min(row_panels_, divided(divided(row_panels_, stripe_panels(*kernels_)), team) * team);
  const int64_t wanted = team > 1 ? kTilesEach * team : 1;
  while (tiles() > 0 && tiles() < wanted) {
    const int64_t thick = row_panels_ / kFewestPanels;
    if (row_tiles_ < thick) {
      row_tiles_ = std::min(thick, 2 * row_tiles_);
    } else if (column_tiles_ < columns) {
      column_tiles_ = std::min(columns, 2 * column_tiles_);
    } else if (row_tiles_ < row_panels_) {
      row_tiles_ = std::min(row_panels_, 2 * row_tiles_);
    } else {
      break;
    }
  }
}

int64_t DenseMatMul::scratch_bytes(const DenseKernels& kernels) {
  return stripe_panels(kernels) * kernels.left_lines * kDenseBlock * 4;
}

// Panels of rows, and which of the column tiles.
struct DenseMatMul::Stripe {
  int64_t begin, end;
  int64_t column_tile;
};

void DenseMatMul::compute(int64_t tile, std::byte* scratch) const {
  const int64_t row = tile / column_tiles_;
  const Stripe stripe{row_panels_ * row / row_tiles_, row_panels_ * (row + 1) / row_tiles_, tile % column_tiles_};
  for (std::size_t t = 0; t < left_.size(); ++t) add_blocks(stripe, t, scratch);
}

void DenseMatMul::add_blocks(const Stripe& stripe, std::size_t term, std::byte* scratch) const {
  const DenseMatrix& left = left_[term];
  const int64_t numbers = kernels_->numbers, first_row = stripe.begin * kernels_->left_lines;
  const int64_t rows = std::min(left.n_lines, stripe.end * kernels_->left_lines) - first_row;
  const int64_t step = kernels_->unit_step, units = sum_units(*kernels_, left.k), blocks = std::max<int64_t>(1, divided(units, kDenseBlock));
  const bool along = left.lines == Lines::kRows;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t from = units / step * block / blocks * step, to = units / step * (block + 1) / blocks * step;
    const float* at = left.data + (along ? first_row * left.stride + from * numbers : from * numbers * left.stride + first_row);
    kernels_->pack_left({at, left.stride, rows, std::min(left.k, to * numbers) - from * numbers, along, scratch, 0, stripe.end - stripe.begin});
    for (const DenseProductSum& sum : sums_) {
      const PackedRight& right = *sum.right[term];
      kernels_->multiply({.left = scratch, .right = right.data(), .right_units = units, .from = from, .to = to,
                          .c = sum.c + first_row * sum.c_stride, .c_stride = sum.c_stride, .n_rows = rows, .n_columns = right.n_lines(),
                          .add = sum.add || term > 0 || block > 0,
                          .right_begin = right.panels() * stripe.column_tile / column_tiles_,
                          .right_end = right.panels() * (stripe.column_tile + 1) / column_tiles_});
    }
  }
}

void DenseMatMul::compute(ThreadPool& pool) const {
  pool.parallel_for(tiles(), 1, [&](int64_t begin, int64_t end) {
    const auto bytes = static_cast<std::size_t>(scratch_bytes(*kernels_));
    std::vector<std::byte> memory(bytes + 64);
    std::byte* scratch = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64);
    for (int64_t tile = begin; tile < end; ++tile) compute(tile, scratch);
  });
}

}  // namespace minnow
