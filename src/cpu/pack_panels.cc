#include "cpu/pack_panels.h"

#include <algorithm>
#include <cstring>

#include "tensor/blocks.h"

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
  for (int i = 0; i < 32; ++i) parts.codes[i] = q5_code(b, i);
}
void take(const BlockQ5_1& b, Parts& parts) {
  parts.d = b.d;
  parts.min = b.m;
  for (int i = 0; i < 32; ++i) parts.codes[i] = q5_code(b, i);
}
void take(const BlockQ8_0& b, Parts& parts) {
  parts.d = b.d;
  for (int i = 0; i < 32; ++i) parts.codes[i] = static_cast<uint8_t>(b.qs[i] + 128);
}
void take(const BlockQ2_K& b, Parts& parts) {
  parts.d = b.d;
  parts.min = negated_f16(b.dmin);
  std::memcpy(parts.scales, b.scales, 16);
  for (int i = 0; i < kSuperBlock; ++i) parts.codes[i] = two_bit_plane(b.qs, i);
}
void take(const BlockQ3_K& b, Parts& parts) {
  parts.d = b.d;
  for (int g = 0; g < 16; ++g) parts.scales[g] = static_cast<uint8_t>(q3_k_scale(b, g));
  for (int i = 0; i < kSuperBlock; ++i) parts.codes[i] = static_cast<uint8_t>(q3_k_code(b, i) + 4);
}
void take(const BlockQ4_K& b, Parts& parts) {
  take_scales_and_mins(b, parts);
  for (int c = 0; c < 4; ++c) take_nibbles(b.qs + 32 * c, 32, parts.codes + 64 * c);
}
void take(const BlockQ5_K& b, Parts& parts) {
  take_scales_and_mins(b, parts);
  for (int i = 0; i < kSuperBlock; ++i) parts.codes[i] = q5_k_code(b, i);
}
void take(const BlockQ6_K& b, Parts& parts) {
  parts.d = b.d;
  std::memcpy(parts.scales, b.scales, 16);
  for (int i = 0; i < kSuperBlock; ++i) parts.codes[i] = q6_k_code(b, i);
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
  for (int i = 0; i < kSuperBlock; ++i) parts.codes[i] = static_cast<uint8_t>(tq1_0_digit(b, i));
}
void take(const BlockTQ2_0& b, Parts& parts) {
  parts.d = b.d;
  for (int i = 0; i < kSuperBlock; ++i) parts.codes[i] = two_bit_plane(b.qs, i);
}
void take(const BlockI2_S& b, Parts& parts) {
  parts.f32_scale = b.d;
  for (int i = 0; i < BlockI2_S::kSize; ++i) parts.codes[i] = static_cast<uint8_t>(i2_s_code(b, i));
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
  for (int i = 0; i < BlockQ1_0::kSize; ++i) parts.codes[i] = static_cast<uint8_t>((b.qs[i / 8] >> (i % 8) & 1) << 1);
}
void take(const BlockQ2_0& b, Parts& parts) {
  parts.d = b.d;
  for (int i = 0; i < BlockQ2_0::kSize; ++i) parts.codes[i] = (b.qs[i / 4] >> (2 * (i % 4))) & 3;
}

// 32 codes of one row into a plane, four columns at a time.
template <int kBits, int kAt>
void put_plane(const uint8_t* codes, std::byte* plane, int row) {
  constexpr Plane kPlane{kBits, kAt};
  uint32_t lanes[8] = {};
  for (int g = 0; g < 8; ++g) {
    uint32_t four;
    std::memcpy(&four, codes + 4 * g, 4);
    four = (four >> kAt) & (static_cast<uint32_t>(kPlane.mask()) * 0x01010101u);
    lanes[kPlane.vector(g)] |= four << kPlane.shift(g);
  }
  for (int v = 0; v < kBits; ++v) std::memcpy(plane + 64 * v + 4 * row, &lanes[v], 4);
}

template <PanelType kType>
void put(const Parts& parts, int row, std::byte* step) {
  constexpr PanelFormat f = panel_format(kType);
  const auto put_bytes = [&](const uint8_t* bytes, std::byte* to) {
    for (int i = 0; i < f.columns / f.sub_block; ++i) to[i * kPanelRows + row] = static_cast<std::byte>(bytes[i]);
  };
  if constexpr (f.scale == PanelScale::kF32) {
    std::memcpy(step, &parts.f32_scale, 4);
  } else if constexpr (f.scale != PanelScale::kE8M0 && f.scale != PanelScale::kE4M3) {
    std::memcpy(step + 2 * row, &parts.d, 2);
  }
  if constexpr (f.has_min) std::memcpy(step + f.min_at() + 2 * row, &parts.min, 2);
  if constexpr (f.has_byte_scales()) put_bytes(parts.scales, step + f.scales_at());
  if constexpr (f.codes_at() > f.mins_at()) put_bytes(parts.mins, step + f.mins_at());
  for (int block = 0; block < f.columns / 32; ++block) {
    std::byte* low = step + f.codes_at() + block * f.code_bytes();
    put_plane<f.low.bits, f.low.at>(parts.codes + 32 * block, low, row);
    if constexpr (f.high.bits > 0) {
      put_plane<f.high.bits, f.high.at>(parts.codes + 32 * block, low + f.low.bytes(), row);
    }
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
  bool one_scale = true;
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
        if (f.scale == PanelScale::kF32 && row > 0 && std::memcmp(step, &parts.f32_scale, 4) != 0) one_scale = false;
        put<kType>(parts, row, step);
      }
    }
  }
  return one_scale;
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
