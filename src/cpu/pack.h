// Weight matrices in the form that the kernels read: float types as they lie in the file, quantized ones in panels.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/thread_pool.h"
#include "cpu/kernels.h"
#include "tensor/tensor.h"

namespace minnow {

// Whether minnow multiplies with weights of this type.
bool can_multiply(DType dtype);

// Bytes of an input row of k values, and a row brought into the form.
int64_t input_row_bytes(MatMulInput form, int64_t k);
void to_input(const Kernels& kernels, MatMulInput form, const float* x, void* y, int64_t k);

// How F16 and BF16 weights are multiplied: as bf16 where the kernels have a unit for it, unless f32 is asked for.
MatMulInput half_input(const Kernels& kernels, bool exact);

// Bytes that the packed form of an [n_rows, k] matrix takes beside the file; 0 for float types, which need none.
uint64_t packed_bytes(DType dtype, const Shape& shape);
// Of one panel of it.
uint64_t panel_bytes(DType dtype, int64_t k);

// Packs panels [begin, end) of a quantized matrix to `out` and gives back the pages of the file they were read from.
enum class Packing : uint8_t { kGood, kScaleNotFinite, kScalesDiffer };
Packing pack_units(const Tensor& matrix, int64_t begin, int64_t end, std::byte* out);
// Throws kInvalidInput naming the weight unless the packing is good.
void check_packing(const std::string& name, DType dtype, Packing packing);

class PackedMatrix {
 public:
  // Of panels that are packed already (unused for float types, which are read from the tensor). They and the tensor's
  // storage must outlive the matrix. `halves` is what F16 and BF16 weights meet: f32 or bf16. Throws kUnsupported for types
  // that cannot be multiplied.
  PackedMatrix(const std::string& name, const Tensor& tensor, const std::byte* panels, MatMulInput halves);
  // Packs into `memory` (packed_bytes() of it, aligned to 64) with all threads of the pool. Throws kInvalidInput naming the
  // weight when a scale is not finite or the rows of an I2_S tensor have different ones.
  PackedMatrix(const std::string& name, const Tensor& tensor, std::byte* memory, ThreadPool& pool,
               MatMulInput halves = MatMulInput::kF32);

  int64_t n_rows() const { return n_rows_; }
  int64_t k() const { return k_; }
  bool in_panels() const { return panel_type_.has_value(); }
  MatMulInput input() const { return input_; }
  // The units that work is divided in: panels of rows, or rows.
  int64_t units() const { return in_panels() ? (n_rows_ + kPanelRows - 1) / kPanelRows : n_rows_; }
  // Bytes of weights in one unit.
  int64_t unit_bytes() const { return in_panels() ? panel_bytes_ : row_bytes_; }

  // Bytes [begin, end) of units, for fetching them ahead.
  std::span<const std::byte> unit_data(int64_t begin, int64_t end) const {
    return {data_ + begin * unit_bytes(), static_cast<std::size_t>((end - begin) * unit_bytes())};
  }

  // Row r as floats.
  void row(int64_t r, float* y) const;

  // y[c][r] for all rows of units [begin, end). x: n_cols rows in the form input().
  void multiply(const Kernels& kernels, const void* x, int64_t n_cols, float* y, int64_t begin, int64_t end) const;

 private:
  DType dtype_;
  int64_t n_rows_, k_;
  std::optional<PanelType> panel_type_;
  MatMulInput input_ = MatMulInput::kF32;
  int64_t panel_bytes_ = 0, row_bytes_ = 0;
  const std::byte* data_;
};

}  // namespace minnow
