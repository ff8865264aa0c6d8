#include "cpu/pack.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>

#include "base/error.h"
#include "base/file.h"
#include "tensor/blocks.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

// The blocks of 16 rows at one step along K; rows past the end of the matrix read as zero blocks.
template <typename Block>
struct SixteenRows {
  const std::byte* rows[kPanelRows];  // nullptr: no such row

  Block at(int row, int64_t step) const {
    Block block{};
    if (rows[row] != nullptr) std::memcpy(&block, rows[row] + step * static_cast<int64_t>(sizeof(Block)), sizeof(Block));
    return block;
  }
};

void fill(PanelQ8_0& panel, const SixteenRows<BlockQ8_0>& rows, int64_t step) {
  for (int r = 0; r < kPanelRows; ++r) {
    const BlockQ8_0 b = rows.at(r, step);
    panel.d[r] = b.d;
    for (int g = 0; g < 8; ++g) {
      uint32_t word;
      std::memcpy(&word, b.qs + 4 * g, 4);
      word ^= 0x80808080u;  // two's complement to offset 128
      std::memcpy(panel.q[g][r], &word, 4);
    }
  }
}

void fill(PanelQ4_0& panel, const SixteenRows<BlockQ4_0>& rows, int64_t step) {
  for (int r = 0; r < kPanelRows; ++r) {
    const BlockQ4_0 b = rows.at(r, step);
    panel.d[r] = b.d;
    for (int g = 0; g < 4; ++g) std::memcpy(panel.q[g][r], b.qs + 4 * g, 4);
  }
}

void fill(PanelQ4_K& panel, const SixteenRows<BlockQ4_K>& rows, int64_t step) {
  for (int r = 0; r < kPanelRows; ++r) {
    const BlockQ4_K b = rows.at(r, step);
    panel.d[r] = b.d;
    panel.dmin[r] = b.dmin;
    for (int s = 0; s < 8; ++s) {
      auto& sub = panel.sub[s];
      const auto [scale, min] = q4_k_scale_min(b.scales, s);
      sub.scale[r] = scale;
      sub.min[r] = min;
      const uint8_t* q = b.qs + 32 * (s / 2);  // columns of an even sub-block in the low nibbles, odd in the high
      const int shift = 4 * (s % 2);
      for (int g = 0; g < 4; ++g) {
        for (int i = 0; i < 4; ++i) {
          const int low = (q[4 * g + i] >> shift) & 15, high = (q[16 + 4 * g + i] >> shift) & 15;
          sub.q[g][r][i] = static_cast<uint8_t>(low | high << 4);
        }
      }
    }
  }
}

void fill(PanelQ6_K& panel, const SixteenRows<BlockQ6_K>& rows, int64_t step) {
  std::memset(&panel, 0, sizeof(panel));
  for (int r = 0; r < kPanelRows; ++r) {
    const BlockQ6_K b = rows.at(r, step);
    panel.d[r] = b.d;
    for (int s = 0; s < 8; ++s) {
      auto& sub = panel.sub[s];
      sub.scale[0][r] = b.scales[2 * s];
      sub.scale[1][r] = b.scales[2 * s + 1];
      for (int i = 0; i < 32; ++i) {
        const int code = q6_k_code(b, 32 * s + i);
        const int g = i / 4;
        auto& low = sub.low[g % 4][r][i % 4];
        auto& high = sub.high[g / 4][r][i % 4];
        low = static_cast<uint8_t>(low | (code & 15) << (g < 4 ? 0 : 4));
        high = static_cast<uint8_t>(high | (code >> 4) << (2 * (g % 4)));
      }
    }
  }
}

template <typename Block, typename Panel>
void pack_panels(const Tensor& t, std::byte* memory, int64_t block_size, int64_t begin, int64_t end) {
  const int64_t steps = t.shape[1] / block_size;
  for (int64_t p = begin; p < end; ++p) {
    SixteenRows<Block> rows;
    for (int r = 0; r < kPanelRows; ++r) {
      const int64_t row = p * kPanelRows + r;
      rows.rows[r] = row < t.shape[0] ? t.row(row) : nullptr;
    }
    auto* out = reinterpret_cast<Panel*>(memory) + p * steps;
    for (int64_t s = 0; s < steps; ++s) fill(out[s], rows, s);
  }
}

using PackFn = void (*)(const Tensor&, std::byte*, int64_t, int64_t, int64_t);

struct PanelType {
  int64_t panel_bytes;  // of one step: block_size columns of 16 rows
  PackFn pack;
  void (*Kernels::*kernel)(const PanelMatMul&);
};

const PanelType* panel_type(DType dtype) {
  static constexpr PanelType kQ8_0{sizeof(PanelQ8_0), pack_panels<BlockQ8_0, PanelQ8_0>, &Kernels::matmul_q8_0};
  static constexpr PanelType kQ4_0{sizeof(PanelQ4_0), pack_panels<BlockQ4_0, PanelQ4_0>, &Kernels::matmul_q4_0};
  static constexpr PanelType kQ4_K{sizeof(PanelQ4_K), pack_panels<BlockQ4_K, PanelQ4_K>, &Kernels::matmul_q4_k};
  static constexpr PanelType kQ6_K{sizeof(PanelQ6_K), pack_panels<BlockQ6_K, PanelQ6_K>, &Kernels::matmul_q6_k};
  switch (dtype) {
    case DType::kQ8_0: return &kQ8_0;
    case DType::kQ4_0: return &kQ4_0;
    case DType::kQ4_K: return &kQ4_K;
    case DType::kQ6_K: return &kQ6_K;
    default: return nullptr;
  }
}

bool is_float(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16; }

}  // namespace

bool can_multiply(DType dtype) { return is_float(dtype) || panel_type(dtype) != nullptr; }

uint64_t packed_bytes(DType dtype, const Shape& shape) {
  const PanelType* type = panel_type(dtype);
  if (type == nullptr) return 0;
  const int64_t panels = (shape[0] + kPanelRows - 1) / kPanelRows;
  const int64_t bytes = panels * (shape[1] / info(dtype).block_size) * type->panel_bytes;
  return static_cast<uint64_t>((bytes + 63) / 64 * 64);
}

PackedMatrix::PackedMatrix(const std::string& name, const Tensor& tensor, std::byte* memory, ThreadPool& pool)
    : dtype_(tensor.dtype), n_rows_(tensor.shape[0]), k_(tensor.shape[1]), data_(tensor.data) {
  if (!can_multiply(dtype_)) {
    fail(ErrorCode::kUnsupported, "{}: cannot multiply with weights of type {}", name, minnow::name(dtype_));
  }
  const PanelType* type = panel_type(dtype_);
  row_bytes_ = static_cast<int64_t>(row_bytes(dtype_, k_));
  if (type == nullptr) return;
  const int64_t block = info(dtype_).block_size;
  panel_bytes_ = k_ / block * type->panel_bytes;
  data_ = memory;
  const bool in_file = MappedFile::is_owner(tensor.owner);
  std::atomic<bool> finite{true};
  pool.parallel_for(units(), 4, [&](int64_t begin, int64_t end) {
    type->pack(tensor, memory, block, begin, end);
    const int64_t last_row = std::min(end * kPanelRows, n_rows_);
    const std::span<const std::byte> source(tensor.row(begin * kPanelRows),
                                            static_cast<std::size_t>((last_row - begin * kPanelRows) * row_bytes_));
    for (int64_t r = begin * kPanelRows; r < last_row; ++r) {
      if (!has_finite_scales(dtype_, tensor.row(r), k_)) finite = false;
    }
    if (in_file) MappedFile::release(source);  // the panels are what is used from here on
  });
  if (!finite) fail(ErrorCode::kInvalidInput, "{}: a block's scale is not a finite number; the file is damaged", name);
}

void PackedMatrix::multiply(const Kernels& kernels, const void* x, int64_t n_cols, float* y, int64_t begin,
                            int64_t end) const {
  if (in_panels()) {
    const PanelMatMul task{data_, k_, static_cast<const ActBlock*>(x), n_cols, y, n_rows_, n_rows_, begin, end};
    (kernels.*panel_type(dtype_)->kernel)(task);
    return;
  }
  const RowMatMul task{data_, k_, static_cast<const float*>(x), n_cols, y, n_rows_, begin, end};
  switch (dtype_) {
    case DType::kF32: return kernels.matmul_f32(task);
    case DType::kF16: return kernels.matmul_f16(task);
    default: return kernels.matmul_bf16(task);
  }
}

}  // namespace minnow
