#include "cpu/pack_panels.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/decode.h"
#include "tensor/half.h"

namespace minnow {
namespace {

// What a step holds of one row: the contents of a block with nothing packed, as panel_format of its type wants them.
struct Parts {
  uint8_t codes[kSuperBlock];
  uint8_t scales[16], mins[16];  // kU4: both in `scales`
  uint16_t d, min;               // f16
  float f32_scale;
};

constexpr uint16_t negated_f16(uint16_t x) { return x ^ 0x8000; }

// Both nibbles of `bytes` bytes: all low ones, then all high ones.
void take_nibbles(const uint8_t* qs, int bytes, uint8_t* codes) {
  for (int j = 0; j < bytes; ++j) {
    codes[j] = qs[j] & 15;
    codes[j + bytes] = qs[j] >> 4;
  }
}

// code_of(i) for all elements of a block. Unrolled by 32, the functions of tensor/blocks.h become vector loops.
template <int kSize, typename CodeOf>
void take_codes(Parts& parts, CodeOf code_of) {
#pragma GCC unroll 8
  for (int first = 0; first < kSize; first += 32) {
    for (int i = first; i < first + 32; ++i) parts.codes[i] = static_cast<uint8_t>(code_of(i));
  }
}

template <typename Block>
void take_scales_and_mins(const Block& b, Parts& parts) {  // Q4_K, Q5_K
  parts.d = b.d;
  parts.min = negated_f16(b.dmin);
  for (int g = 0; g < 8; ++g) {
    const ScaleMin s = q4_k_scale_min(b.scales, g);
    parts.scales[g] = s.scale;
    parts.mins[g] = s.min;
  }
}

void take(const BlockQ4_0& b, Parts& parts) {
  parts.d = b.d;
  take_nibbles(b.qs, 16, parts.codes);
}
void take(const BlockQ4_1& b, Parts& parts) {
  parts.d = b.d;
  parts.min = b.m;
  take_nibbles(b.qs, 16, parts.codes);
}
void take(const BlockQ5_0& b, Parts& parts) {
  parts.d = b.d;
  take_codes<32>(parts, [&](int i) { return q5_code(b, i); });
}
void take(const BlockQ5_1& b, Parts& parts) {
  parts.d = b.d;
  parts.min = b.m;
  take_codes<32>(parts, [&](int i) { return q5_code(b, i); });
}
void take(const BlockQ8_0& b, Parts& parts) {
  parts.d = b.d;
  take_codes<32>(parts, [&](int i) { return b.qs[i] + 128; });
}
void take(const BlockQ2_K& b, Parts& parts) {
  parts.d = b.d;
  parts.min = negated_f16(b.dmin);
  std::memcpy(parts.scales, b.scales, 16);
  take_codes<kSuperBlock>(parts, [&](int i) { return two_bit_plane(b.qs, i); });
}
void take(const BlockQ3_K& b, Parts& parts) {
  parts.d = b.d;
  for (int g = 0; g < 16; ++g) parts.scales[g] = static_cast<uint8_t>(q3_k_scale(b, g));
  take_codes<kSuperBlock>(parts, [&](int i) { return q3_k_code(b, i) + 4; });
}
void take(const BlockQ4_K& b, Parts& parts) {
  take_scales_and_mins(b, parts);
  for (int c = 0; c < 4; ++c) take_nibbles(b.qs + 32 * c, 32, parts.codes + 64 * c);
}
void take(const BlockQ5_K& b, Parts& parts) {
  take_scales_and_mins(b, parts);
  take_codes<kSuperBlock>(parts, [&](int i) { return q5_k_code(b, i); });
}
void take(const BlockQ6_K& b, Parts& parts) {
  parts.d = b.d;
  std::memcpy(parts.scales, b.scales, 16);
  take_codes<kSuperBlock>(parts, [&](int i) { return q6_k_code(b, i); });
}
void take(const BlockIQ4_NL& b, Parts& parts) {
  parts.d = b.d;
  take_nibbles(b.qs, 16, parts.codes);
}
void take(const BlockIQ4_XS& b, Parts& parts) {
  parts.d = b.d;
  for (int g = 0; g < 8; ++g) {
    parts.scales[g] = static_cast<uint8_t>(iq4_xs_scale(b, g));
    take_nibbles(b.qs + 16 * g, 16, parts.codes + 32 * g);
  }
}
void take(const BlockTQ1_0& b, Parts& parts) {
  parts.d = b.d;
  take_codes<kSuperBlock>(parts, [&](int i) { return tq1_0_digit(b, i); });
}
void take(const BlockTQ2_0& b, Parts& parts) {
  parts.d = b.d;
  take_codes<kSuperBlock>(parts, [&](int i) { return two_bit_plane(b.qs, i); });
}
void take(const BlockI2_S& b, Parts& parts) {
  parts.f32_scale = b.d;
  take_codes<BlockI2_S::kSize>(parts, [&](int i) { return i2_s_code(b, i); });
}
void take(const BlockMXFP4& b, Parts& parts) {
  parts.scales[0] = b.e;
  take_nibbles(b.qs, 16, parts.codes);
}
void take(const BlockNVFP4& b, Parts& parts) {
  for (int s = 0; s < 4; ++s) {
    const uint8_t e4m3 = b.d[s] & 0x7F;
    parts.scales[s] = e4m3 == 0x7F ? 0 : e4m3;
    take_nibbles(b.qs + 8 * s, 8, parts.codes + 16 * s);
  }
}
void take(const BlockQ1_0& b, Parts& parts) {
  parts.d = b.d;
  take_codes<BlockQ1_0::kSize>(parts, [&](int i) { return b.qs[i / 8] >> (i % 8) & 1; });
}
void take(const BlockQ2_0& b, Parts& parts) {
  parts.d = b.d;
  take_codes<BlockQ2_0::kSize>(parts, [&](int i) { return (b.qs[i / 4] >> (2 * (i % 4))) & 3; });
}

// Codebook types: value = d / 8 * scale * code, the scale an odd number and the codes within a byte. `scale_of(g)` gives
// it for 16 columns; what is left of the decoded values are the codes.
template <typename Block, typename ScaleOf>
void take_points(const Block& b, uint16_t d, ScaleOf scale_of, Parts& parts) {
  float values[kSuperBlock];
  decode(b, values);
  parts.d = d;
  const float unit = f16_to_f32(d) * 0.125f;
  for (int g = 0; g < 16; ++g) {
    const int scale = 2 * scale_of(g) + 1;
    parts.scales[g] = static_cast<uint8_t>(scale);
    for (int i = 16 * g; i < 16 * g + 16; ++i) {
      const float code = unit == 0 ? 0 : values[i] / (unit * static_cast<float>(scale));
      parts.codes[i] = static_cast<uint8_t>(std::lround(code) + 128);
    }
  }
}

uint32_t last_nibble(const uint8_t* word) { return word[3] >> 4; }

void take(const BlockIQ1_S& b, Parts& parts) {
  take_points(b, b.d, [&](int g) { return b.qh[g / 2] >> 12 & 7; }, parts);
}
void take(const BlockIQ1_M& b, Parts& parts) {
  take_points(b, iq1_m_d(b), [&](int g) { return b.scales[g / 4] >> (3 * (g % 4)) & 7; }, parts);
}
void take(const BlockIQ2_XXS& b, Parts& parts) {
  take_points(b, b.d, [&](int g) { return static_cast<int>(last_nibble(b.qs + 8 * (g / 2) + 4)); }, parts);
}
void take(const BlockIQ2_XS& b, Parts& parts) {
  take_points(b, b.d, [&](int g) { return b.scales[g / 2] >> (4 * (g % 2)) & 15; }, parts);
}
void take(const BlockIQ2_S& b, Parts& parts) {
  take_points(b, b.d, [&](int g) { return b.scales[g / 2] >> (4 * (g % 2)) & 15; }, parts);
}
void take(const BlockIQ3_XXS& b, Parts& parts) {
  take_points(b, b.d, [&](int g) { return static_cast<int>(last_nibble(b.scales_and_signs + 4 * (g / 2))); }, parts);
}
void take(const BlockIQ3_S& b, Parts& parts) {
  take_points(b, b.d, [&](int g) { return b.scales[g / 4] >> (4 * (g / 2 % 2)) & 15; }, parts);
}

// 32 codes of one row, four columns at a time.
template <int kBits>
void put_codes(const uint8_t* codes, std::byte* out, int row) {
  constexpr CodeBits::Groups kGroups = CodeBits{kBits}.groups();
  uint32_t lanes[kBits] = {};
#pragma GCC unroll 8
  for (int g = 0; g < 8; ++g) {
    uint32_t four;
    std::memcpy(&four, codes + 4 * g, 4);
#pragma GCC unroll 3
    for (int i = 0; i < kGroups.group[g].n; ++i) {
      const CodeBits::Piece& p = kGroups.group[g].piece[i];
      lanes[p.plane] |= ((four >> p.to) & ((1u << p.bits) - 1) * 0x01010101u) << p.from;
    }
  }
  for (int i = 0; i < kBits; ++i) std::memcpy(out + kPlaneBytes * i + 4 * row, &lanes[i], 4);
}

template <PanelType kType>
void put(const Parts& parts, int row, std::byte* step) {
  constexpr PanelFormat f = panel_format(kType);
  const auto put_bytes = [&](const uint8_t* bytes, std::byte* to) {
    for (int i = 0; i < f.subs(); ++i) {
      const int at = f.integer_scales() ? i / 2 * (2 * kPanelRows) + 2 * row + i % 2 : i * kPanelRows + row;
      to[at] = static_cast<std::byte>(bytes[i]);
    }
  };
  if constexpr (f.one_scale()) std::memcpy(step + f.scale_at(), &parts.f32_scale, 4);
  if constexpr (f.has_f16_scale()) std::memcpy(step + f.scale_at() + 2 * row, &parts.d, 2);
  if constexpr (f.has_min) std::memcpy(step + f.min_at() + 2 * row, &parts.min, 2);
  if constexpr (f.has_byte_scales()) put_bytes(parts.scales, step + f.byte_scales_at());
  if constexpr (f.has_byte_mins()) put_bytes(parts.mins, step + f.byte_mins_at());
  for (int block = 0; block < f.columns / 32; ++block) {
    put_codes<f.codes.bits>(parts.codes + 32 * block, step + block * f.code_bytes(), row);
  }
}

struct Task {
  const std::byte* rows;
  int64_t n_rows, k;
  std::byte* out;
  int64_t begin, end;
};

template <typename Block, PanelType kType>
bool pack(const Task& task) {
  constexpr PanelFormat f = panel_format(kType);
  static_assert(f.columns == Block::kSize);
  const int64_t steps = task.k / Block::kSize;
  bool agree = true;
  for (int64_t panel = task.begin; panel < task.end; ++panel) {
    std::byte* out = task.out + panel * steps * f.step_bytes();
    std::memset(out, 0, static_cast<std::size_t>(steps * f.step_bytes()));
    const int64_t first = panel * kPanelRows;
    const int n = static_cast<int>(std::min<int64_t>(kPanelRows, task.n_rows - first));
    for (int row = 0; row < n; ++row) {
      const std::byte* blocks = task.rows + (first + row) * steps * static_cast<int64_t>(sizeof(Block));
      for (int64_t s = 0; s < steps; ++s) {
        Block block;
        std::memcpy(&block, blocks + s * static_cast<int64_t>(sizeof(Block)), sizeof(Block));
        Parts parts;
        take(block, parts);
        std::byte* step = out + s * f.step_bytes();
        if (f.one_scale() && row > 0 && std::memcmp(step + f.scale_at(), &parts.f32_scale, 4) != 0) agree = false;
        put<kType>(parts, row, step);
      }
    }
  }
  return agree;
}

struct Packer {
  DType dtype;
  PanelType type;
  bool (*pack)(const Task&);
};
constexpr Packer kPackers[] = {
    {DType::kQ4_0, PanelType::kQ4_0, pack<BlockQ4_0, PanelType::kQ4_0>},
    {DType::kQ4_1, PanelType::kQ4_1, pack<BlockQ4_1, PanelType::kQ4_1>},
    {DType::kQ5_0, PanelType::kQ5_0, pack<BlockQ5_0, PanelType::kQ5_0>},
    {DType::kQ5_1, PanelType::kQ5_1, pack<BlockQ5_1, PanelType::kQ5_1>},
    {DType::kQ8_0, PanelType::kQ8_0, pack<BlockQ8_0, PanelType::kQ8_0>},
    {DType::kQ2_K, PanelType::kQ2_K, pack<BlockQ2_K, PanelType::kQ2_K>},
    {DType::kQ3_K, PanelType::kQ3_K, pack<BlockQ3_K, PanelType::kQ3_K>},
    {DType::kQ4_K, PanelType::kQ4_K, pack<BlockQ4_K, PanelType::kQ4_K>},
    {DType::kQ5_K, PanelType::kQ5_K, pack<BlockQ5_K, PanelType::kQ5_K>},
    {DType::kQ6_K, PanelType::kQ6_K, pack<BlockQ6_K, PanelType::kQ6_K>},
    {DType::kIQ4_NL, PanelType::kIQ4_NL, pack<BlockIQ4_NL, PanelType::kIQ4_NL>},
    {DType::kIQ4_XS, PanelType::kIQ4_XS, pack<BlockIQ4_XS, PanelType::kIQ4_XS>},
    {DType::kTQ1_0, PanelType::kTQ2_0, pack<BlockTQ1_0, PanelType::kTQ2_0>},
    {DType::kTQ2_0, PanelType::kTQ2_0, pack<BlockTQ2_0, PanelType::kTQ2_0>},
    {DType::kI2_S, PanelType::kI2_S, pack<BlockI2_S, PanelType::kI2_S>},
    {DType::kMXFP4, PanelType::kMXFP4, pack<BlockMXFP4, PanelType::kMXFP4>},
    {DType::kNVFP4, PanelType::kNVFP4, pack<BlockNVFP4, PanelType::kNVFP4>},
    {DType::kQ1_0, PanelType::kQ1_0, pack<BlockQ1_0, PanelType::kQ1_0>},
    {DType::kQ2_0, PanelType::kQ2_0, pack<BlockQ2_0, PanelType::kQ2_0>},
    {DType::kIQ1_S, PanelType::kCodebook, pack<BlockIQ1_S, PanelType::kCodebook>},
    {DType::kIQ1_M, PanelType::kCodebook, pack<BlockIQ1_M, PanelType::kCodebook>},
    {DType::kIQ2_XXS, PanelType::kCodebook, pack<BlockIQ2_XXS, PanelType::kCodebook>},
    {DType::kIQ2_XS, PanelType::kCodebook, pack<BlockIQ2_XS, PanelType::kCodebook>},
    {DType::kIQ2_S, PanelType::kCodebook, pack<BlockIQ2_S, PanelType::kCodebook>},
    {DType::kIQ3_XXS, PanelType::kCodebook, pack<BlockIQ3_XXS, PanelType::kCodebook>},
    {DType::kIQ3_S, PanelType::kCodebook, pack<BlockIQ3_S, PanelType::kCodebook>},
};

const Packer* packer_for(DType dtype) {
  const auto* end = std::end(kPackers);
  const auto* found = std::find_if(std::begin(kPackers), end, [&](const Packer& p) { return p.dtype == dtype; });
  return found == end ? nullptr : found;
}

}  // namespace

std::optional<PanelType> panel_type(DType dtype) {
  const Packer* packer = packer_for(dtype);
  if (packer == nullptr) return std::nullopt;
  return packer->type;
}

bool pack_panels(DType dtype, const std::byte* rows, int64_t n_rows, int64_t k, std::byte* out, int64_t begin,
                 int64_t end) {
  return packer_for(dtype)->pack({rows, n_rows, k, out, begin, end});
}

}  // namespace minnow
