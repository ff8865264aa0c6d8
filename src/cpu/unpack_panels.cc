#include "cpu/unpack_panels.h"

#include <cstring>

#include "tensor/decode.h"
#include "tensor/half.h"

namespace minnow {
namespace {

template <typename T>
T read(const std::byte* p) {
  T value;
  std::memcpy(&value, p, sizeof(T));
  return value;
}

// One row of one step.
struct StepRow {
  const PanelFormat& f;
  const CodeBits::Groups& groups;
  const std::byte* step;
  int row;  // of the panel

  int byte_at(int sub) const { return f.integer_scales() ? sub / 2 * (2 * kPanelRows) + 2 * row + sub % 2 : sub * kPanelRows + row; }
  uint8_t byte_scale(int sub) const { return read<uint8_t>(step + f.byte_scales_at() + byte_at(sub)); }
  float f16_at(int at) const { return f16_to_f32(read<uint16_t>(step + at + 2 * row)); }

  float scale(int sub) const {
    switch (f.scale) {
      case PanelScale::kF16: return f16_at(f.scale_at());
      case PanelScale::kF32: return read<float>(step + f.scale_at());
      case PanelScale::kE8M0: return half_e8m0(byte_scale(sub));
      case PanelScale::kE4M3: return half_e4m3(byte_scale(sub));
      case PanelScale::kI8: return f16_at(f.scale_at()) * f.unit * static_cast<float>(static_cast<int8_t>(byte_scale(sub)));
      case PanelScale::kU4: return f16_at(f.scale_at()) * static_cast<float>(byte_scale(sub) & 15);
    }
    return 0;
  }
  float min(int sub) const {
    if (!f.has_min) return 0;
    const float all = f16_at(f.min_at());
    if (f.scale == PanelScale::kU4) return all * static_cast<float>(byte_scale(sub) >> 4);
    return f.has_byte_mins() ? all * static_cast<float>(read<int8_t>(step + f.byte_mins_at() + byte_at(sub))) : all;
  }

  // The values of 32 columns, with the format's offset.
  void values(int block, uint8_t* out) const {
    const std::byte* codes = step + block * f.code_bytes() + 4 * row;
    for (int g = 0; g < 8; ++g) {
      uint32_t four = 0;
      for (int i = 0; i < groups.group[g].n; ++i) {
        const CodeBits::Piece& p = groups.group[g].piece[i];
        four |= (read<uint32_t>(codes + kPlaneBytes * p.plane) >> p.from & ((1u << p.bits) - 1) * 0x01010101u) << p.to;
      }
      for (int j = 0; j < 4; ++j) {
        const uint8_t code = four >> (8 * j) & 0xFF;
        out[4 * g + j] = f.values == PanelValues::kIq4    ? kIq4Table.value[code]
                         : f.values == PanelValues::kE2M1 ? kE2M1Table.value[code]
                                                          : static_cast<uint8_t>(code << f.code_shift);
      }
    }
  }
};

}  // namespace

void unpack_row(PanelType type, const std::byte* panels, int64_t row, int64_t k, float* y) {
  const PanelFormat f = panel_format(type);
  const CodeBits::Groups groups = f.codes.groups();
  const int64_t steps = k / f.columns;
  const std::byte* first = panels + row / kPanelRows * steps * f.step_bytes();
  for (int64_t s = 0; s < steps; ++s) {
    const StepRow step{f, groups, first + s * f.step_bytes(), static_cast<int>(row % kPanelRows)};
    for (int block = 0; block < f.columns / 32; ++block) {
      uint8_t values[32];
      step.values(block, values);
      for (int i = 0; i < 32; ++i) {
        const int sub = (32 * block + i) / f.sub_block;
        *y++ = step.scale(sub) * static_cast<float>(values[i] - f.offset) + step.min(sub);
      }
    }
  }
}

}  // namespace minnow
