// Dense products of bf16 by tiles (Intel Architecture Instruction Set Extensions Programming Reference, chapter 3): a tile
// register holds 16 rows of 64 bytes, and one instruction adds the product of 16 rows with 32 numbers each and 32 rows with 16 columns
// to 16 x 16 sums.
//
// A step is 16 units, the 32 numbers that one instruction sums over. A left panel, 32 rows, is [steps][32 rows][16 units], whose
// steps are two tiles; a right panel, 32 columns, is [units][32 columns] as for vectors.
#include <immintrin.h>

#include "cpu/amx/vector.h"
#include "cpu/body/dense_tile.h"

namespace minnow::amx {
namespace {

using V = Vector;
using U = body::UnitsBf16<V>;
using body::units_of;

constexpr int kStep = 16;   // units
constexpr int kLines = 32;  // of a panel of either operand
constexpr int kTileFloats = 16 * kStep;

constexpr int64_t padded(int64_t units) { return (units + kStep - 1) / kStep * kStep; }

int lines_of(const PackPanels& t, int64_t panel) {
  return static_cast<int>(t.n_lines - panel * kLines < kLines ? t.n_lines - panel * kLines : kLines);
}

// Each line's units of a step lie side by side.
void pack_left_along(const float* x, int64_t stride, int n, int64_t k, float* out) {
  for (int64_t at = 0; at < k; at += kStep * U::kNumbers, out += kLines * kStep) {
    for (int i = 0; i < kLines; ++i) V::store(out + i * kStep, i < n ? U::along(x + i * stride + at, k - at) : V::zero());
  }
}

void pack_left_across(const float* x, int64_t stride, int n, int64_t k, float* out) {
  for (int64_t at = 0; at < k; at += kStep * U::kNumbers) {
    for (int half = 0; half < kLines; half += V::kLanes, out += kTileFloats) {
      const int many = n - half < V::kLanes ? n - half : V::kLanes;
      V::F lines[V::kLanes];
      for (int u = 0; u < kStep; ++u) {
        const int64_t row = at + u * U::kNumbers;
        const float* first = x + row * stride + half;
        lines[u] = row < k && many > 0 ? U::across(first, row + 1 < k ? first + stride : nullptr, many) : V::zero();
      }
      V::transpose(lines);
      for (int i = 0; i < V::kLanes; ++i) V::store(out + i * kStep, lines[i]);
    }
  }
}

void pack_left(const PackPanels& t) {
  const int64_t panel = padded(units_of<U>(t.k)) * kLines;
  for (int64_t p = t.panel_begin; p < t.panel_end; ++p) {
    const float* x = t.x + p * kLines * (t.along ? t.stride : 1);
    (t.along ? pack_left_along : pack_left_across)(x, t.stride, lines_of(t, p), t.k, static_cast<float*>(t.panels) + p * panel);
  }
}

void pack_right(const PackPanels& t) {
  const int64_t units = units_of<U>(t.k), panel = padded(units) * kLines;
  auto* out = static_cast<float*>(t.panels);
  if (t.along) {
    for (int64_t p = t.panel_begin; p < t.panel_end; ++p) {
      body::pack_along<U, kLines>(t.x + p * kLines * t.stride, t.stride, lines_of(t, p), t.k, out + p * panel);
    }
  } else {
    for (int64_t unit = 0; unit < units; unit += body::kAcrossUnits) {
      const int64_t end = unit + body::kAcrossUnits < units ? unit + body::kAcrossUnits : units;
      for (int64_t p = t.panel_begin; p < t.panel_end; ++p) {
        body::pack_across<U, kLines>(t.x + p * kLines, t.stride, lines_of(t, p), t.k, unit, end, out + p * panel);
      }
    }
  }
  for (int64_t p = t.panel_begin; p < t.panel_end; ++p) {
    for (int64_t at = units * kLines; at < panel; at += V::kLanes) V::store(out + p * panel + at, V::zero());
  }
}

// A constant in memory: gcc 12 takes the intrinsic to read only the first 8 bytes of it.
struct alignas(64) TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileShapes) == 64);
constinit const TileShapes kWholeTiles;

// All eight registers are 16 rows of 64 bytes while a thread multiplies. Its other work does not carry them along.
struct TileRegisters {
  TileRegisters() { _tile_loadconfig(&kWholeTiles); }
  ~TileRegisters() { _tile_release(); }
};

// 32 x 32 sums at c, which begin at what is there or at 0.
void multiply_panels(const float* left, const float* right, int64_t units, float* c, int64_t c_stride, bool add) {
  const auto row_bytes = static_cast<std::size_t>(c_stride) * sizeof(float);
  constexpr std::size_t kLeftBytes = kStep * sizeof(float), kRightBytes = kLines * sizeof(float);
  float* lower = c + 16 * c_stride;
  if (add) {
    _tile_loadd(0, c, row_bytes);
    _tile_loadd(1, c + 16, row_bytes);
    _tile_loadd(2, lower, row_bytes);
    _tile_loadd(3, lower + 16, row_bytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t u = 0; u < units; u += kStep, left += kLines * kStep, right += kStep * kLines) {
    _tile_loadd(4, left, kLeftBytes);
    _tile_loadd(6, right, kRightBytes);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, right + 16, kRightBytes);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, left + kTileFloats, kLeftBytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, row_bytes);
  _tile_stored(1, c + 16, row_bytes);
  _tile_stored(2, lower, row_bytes);
  _tile_stored(3, lower + 16, row_bytes);
}

void multiply(const DenseProduct& p) {
  const TileRegisters registers;
  alignas(64) float edge[kLines * kLines] = {};  // of a C that ends within a panel
  const int64_t units = p.to - p.from;
  const auto* right = static_cast<const float*>(p.right);
  for (int64_t j = p.right_begin; j < p.right_end; ++j) {
    const float* a = static_cast<const float*>(p.left);
    const float* b = right + (j * p.right_units + p.from) * kLines;
    const int64_t columns = p.n_columns - j * kLines < kLines ? p.n_columns - j * kLines : kLines;
    for (int64_t row = 0; row < p.n_rows; row += kLines, a += units * kLines) {
      const int64_t rows = p.n_rows - row < kLines ? p.n_rows - row : kLines;
      float* c = p.c + row * p.c_stride + j * kLines;
      if (rows == kLines && columns == kLines) {
        multiply_panels(a, b, units, c, p.c_stride, p.add);
        continue;
      }
      const auto copy = [&](float* to, int64_t to_stride, const float* from, int64_t from_stride) {
        for (int64_t i = 0; i < rows; ++i) {
          for (int64_t x = 0; x < columns; ++x) to[i * to_stride + x] = from[i * from_stride + x];
        }
      };
      if (p.add) copy(edge, kLines, c, p.c_stride);
      asm volatile("" ::: "memory");  // gcc 12 does not know that tiles are loaded from memory
      multiply_panels(a, b, units, edge, kLines, p.add);
      copy(c, p.c_stride, edge, kLines);
    }
  }
}

}  // namespace

constinit const DenseKernels kDenseBf16 = {
    .numbers = U::kNumbers,
    .unit_step = kStep,
    .left_lines = kLines,
    .right_lines = kLines,
    .pack_left = pack_left,
    .pack_right = pack_right,
    .multiply = multiply,
};

}  // namespace minnow::amx
