// Types that are read only, on random bits: checksums of what ggml's own decoders make of the same blocks.
#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <vector>

#include "tensor/codebooks.h"
#include "tensor/codec.h"
#include "tensor/decode.h"
#include "tensor/test_checksum.h"

namespace minnow {
namespace {

constexpr int kBlocks = 2048;  // enough for every point of every codebook

// Bytes of a linear congruential generator, with scales of 0.0625 and more put in their places.
std::vector<std::byte> random_blocks(DType dtype) {
  const std::size_t size = info(dtype).block_bytes;
  std::vector<std::byte> bytes(kBlocks * size);
  uint32_t state = 1;
  for (std::byte& b : bytes) {
    state = state * 1664525u + 1013904223u;
    b = static_cast<std::byte>(state >> 24);
  }
  for (std::size_t i = 0; i < kBlocks; ++i) {
    const auto d = static_cast<uint16_t>(0x2C00 + i);
    if (dtype != DType::kIQ1_M) {
      std::memcpy(bytes.data() + i * size, &d, 2);
      continue;
    }
    for (std::size_t j = 0; j < 4; ++j) {  // a nibble of d on top of each of the last four u16
      std::byte& top = bytes[(i + 1) * size - 8 + 2 * j + 1];
      top = (top & std::byte{15}) | static_cast<std::byte>((d >> (4 * j) & 15) << 4);
    }
  }
  return bytes;
}

TEST(DecodeCodebook, GivesTheGoldenValuesOfEveryType) {
  struct Golden {
    DType dtype;
    uint32_t bytes, decoded;
  };
  for (const Golden& g : {Golden{DType::kIQ2_XXS, 0x3f2afed7, 0x12c8824f}, Golden{DType::kIQ2_XS, 0xf3a3239d, 0x340ecc85},
                          Golden{DType::kIQ3_XXS, 0xc01c1f41, 0x4a446e76}, Golden{DType::kIQ1_S, 0xcd97e9c8, 0x058f7448},
                          Golden{DType::kIQ3_S, 0xee5e24e1, 0xf2e4846f}, Golden{DType::kIQ2_S, 0x70c92b7b, 0xe458fb1a},
                          Golden{DType::kIQ1_M, 0x5efd4ca7, 0xd6e626c5}}) {
    const auto bytes = random_blocks(g.dtype);
    ASSERT_EQ(crc32(bytes), g.bytes) << name(g.dtype);
    std::vector<float> values(std::size_t{kBlocks} * 256);
    decode_row(g.dtype, bytes.data(), values.data(), static_cast<int64_t>(values.size()));
    EXPECT_EQ(crc32(values), g.decoded) << name(g.dtype);
    EXPECT_TRUE(has_finite_scales(g.dtype, bytes.data(), static_cast<int64_t>(values.size())));
  }
}

TEST(DecodeCodebook, PointsAreDistinctAndAsManyAsCodes) {
  const auto distinct = [](auto points) { return std::set(points.begin(), points.end()).size(); };
  EXPECT_EQ(distinct(iq2_xxs_points()), 256u);
  EXPECT_EQ(distinct(iq2_xs_points()), 512u);
  EXPECT_EQ(distinct(iq2_s_points()), 1024u);
  EXPECT_EQ(distinct(iq3_xxs_points()), 256u);
  EXPECT_EQ(distinct(iq3_s_points()), 512u);
  EXPECT_EQ(distinct(iq1_points()), 2048u);
}

TEST(DecodeCodebook, FindsTheScaleOfIQ1MInItsNibbles) {
  BlockIQ1_M b{};
  b.scales[0] = 0xF000, b.scales[1] = 0xF000, b.scales[2] = 0xB000, b.scales[3] = 0x7000;
  EXPECT_EQ(iq1_m_d(b), 0x7BFF);
  EXPECT_TRUE(has_finite_scale(b));
  b.scales[2] = 0xC000;
  EXPECT_FALSE(has_finite_scale(b));
}

}  // namespace
}  // namespace minnow
