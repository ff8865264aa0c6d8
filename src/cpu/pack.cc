#include "cpu/pack.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>

#include "base/error.h"
#include "base/file.h"
#include "cpu/isa.h"
#include "cpu/pack_panels.h"
#include "cpu/unpack_panels.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

bool is_float(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16; }

bool is_half(DType dtype) { return dtype == DType::kF16 || dtype == DType::kBF16; }

}  // namespace

int64_t input_row_bytes(MatMulInput form, int64_t k) {
  switch (form) {
    case MatMulInput::kF32: return k * static_cast<int64_t>(sizeof(float));
    case MatMulInput::kBf16: return bf16_row(k) * static_cast<int64_t>(sizeof(uint16_t));
    case MatMulInput::kBlocks32: return k / 32 * static_cast<int64_t>(sizeof(ActBlock32));
    case MatMulInput::kBlocks256: break;
  }
  return (k + 255) / 256 * static_cast<int64_t>(sizeof(ActBlock256));
}

void to_input(const Kernels& kernels, MatMulInput form, const float* x, void* y, int64_t k) {
  switch (form) {
    case MatMulInput::kF32: std::memcpy(y, x, static_cast<std::size_t>(input_row_bytes(form, k))); break;
    case MatMulInput::kBf16: kernels.round_bf16(x, static_cast<uint16_t*>(y), k); break;
    case MatMulInput::kBlocks32: kernels.quantize_32(x, static_cast<ActBlock32*>(y), k); break;
    case MatMulInput::kBlocks256: kernels.quantize_256(x, static_cast<ActBlock256*>(y), k); break;
  }
}

MatMulInput half_input(const Kernels& kernels, bool exact) {
  return exact || !kernels.bf16_products() ? MatMulInput::kF32 : MatMulInput::kBf16;
}

bool can_multiply(DType dtype) { return is_float(dtype) || panel_type(dtype).has_value(); }

uint64_t panel_bytes(DType dtype, int64_t k) {
  const auto type = panel_type(dtype);
  if (!type) return 0;
  const PanelFormat format = panel_format(*type);
  return static_cast<uint64_t>(k / format.columns * format.step_bytes());
}

uint64_t packed_bytes(DType dtype, const Shape& shape) {
  const auto panels = static_cast<uint64_t>((shape[0] + kPanelRows - 1) / kPanelRows);
  return (panels * panel_bytes(dtype, shape[1]) + 63) / 64 * 64;
}

Packing pack_units(const Tensor& matrix, int64_t begin, int64_t end, std::byte* out) {
  const int64_t n_rows = matrix.shape[0], k = matrix.shape[1];
  const int64_t first = begin * kPanelRows, last = std::min(end * kPanelRows, n_rows);
  const std::byte* rows = matrix.row(first);
  Packing result = Packing::kGood;
  if (!pack_panels(matrix.dtype, rows, n_rows - first, k, out, 0, end - begin)) result = Packing::kScalesDiffer;
  for (int64_t r = first; r < last; ++r) {
    if (!has_finite_scales(matrix.dtype, matrix.row(r), k)) result = Packing::kScaleNotFinite;
  }
  if (MappedFile::is_owner(matrix.owner)) {
    MappedFile::release({rows, static_cast<std::size_t>(last - first) * row_bytes(matrix.dtype, k)});  // not needed any more
  }
  return result;
}

void check_packing(const std::string& name, DType dtype, Packing packing) {
  if (packing == Packing::kScaleNotFinite) {
    fail(ErrorCode::kInvalidInput, "{}: a block's scale is not a finite number; the file is damaged", name);
  }
  if (packing == Packing::kScalesDiffer) {
    fail(ErrorCode::kInvalidInput, "{}: an {} tensor has one scale, but its rows differ", name, minnow::name(dtype));
  }
}

PackedMatrix::PackedMatrix(const std::string& name, const Tensor& tensor, const std::byte* panels, MatMulInput halves)
    : dtype_(tensor.dtype), n_rows_(tensor.shape[0]), k_(tensor.shape[1]), data_(tensor.data) {
  if (!can_multiply(dtype_)) {
    fail(ErrorCode::kUnsupported, "{}: cannot multiply with weights of type {}", name, minnow::name(dtype_));
  }
  row_bytes_ = static_cast<int64_t>(row_bytes(dtype_, k_));
  panel_type_ = panel_type(dtype_);
  if (is_half(dtype_)) input_ = halves;
  if (!panel_type_) return;
  input_ = panel_format(*panel_type_).input();
  panel_bytes_ = static_cast<int64_t>(minnow::panel_bytes(dtype_, k_));
  data_ = panels;
}

PackedMatrix::PackedMatrix(const std::string& name, const Tensor& tensor, std::byte* memory, ThreadPool& pool,
                           MatMulInput halves)
    : PackedMatrix(name, tensor, memory, halves) {
  if (!panel_type_) return;
  std::atomic<Packing> worst{Packing::kGood};
  pool.parallel_for(units(), 4, [&](int64_t begin, int64_t end) {
    const Packing packing = pack_units(tensor, begin, end, memory + begin * panel_bytes_);
    if (packing != Packing::kGood) worst = packing;
  });
  check_packing(name, dtype_, worst);
}

void PackedMatrix::row(int64_t r, float* y) const {
  if (panel_type_) return unpack_row(*panel_type_, data_, r, k_, y);
  decode_row(dtype_, data_ + r * row_bytes_, y, k_);
}

void PackedMatrix::multiply(const Kernels& kernels, const void* x, int64_t n_cols, float* y, int64_t begin,
                            int64_t end) const {
  if (panel_type_) {
    const PanelMatMul task{data_, k_, x, n_cols, y, n_rows_, n_rows_, begin, end, !follows_streams()};
    kernels.panel_matmul[static_cast<int>(*panel_type_)](task);
    return;
  }
  const RowMatMul task{data_, k_, x, n_cols, y, n_rows_, begin, end};
  switch (dtype_) {
    case DType::kF32: return kernels.matmul_f32(task);
    case DType::kF16: return (input_ == MatMulInput::kBf16 ? kernels.matmul_f16_as_bf16 : kernels.matmul_f16)(task);
    default: return (input_ == MatMulInput::kBf16 ? kernels.matmul_bf16_as_bf16 : kernels.matmul_bf16)(task);
  }
}

}  // namespace minnow
