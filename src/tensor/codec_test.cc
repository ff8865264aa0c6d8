#include "tensor/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace minnow {
namespace {

std::vector<std::byte> encode(DType dtype, const std::vector<float>& values) {
  const auto n = static_cast<int64_t>(values.size());
  std::vector<std::byte> bytes(row_bytes(dtype, n));
  encode_row(dtype, values.data(), bytes.data(), n);
  return bytes;
}

std::vector<float> decode(DType dtype, const std::vector<std::byte>& bytes, std::size_t n) {
  std::vector<float> values(n);
  decode_row(dtype, bytes.data(), values.data(), static_cast<int64_t>(n));
  return values;
}

TEST(Codec, DecodesAPeersBlocksToTheBit) {
  const std::filesystem::path folder = MINNOW_SOURCE_DIR "/../shared/conformance/quant";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the golden blocks of a peer are not here";
  const auto floats = [&](const std::string& file) {
    const std::string text = read_text_file(folder / file, 1 << 20);
    std::vector<float> values(text.size() / 4);
    std::memcpy(values.data(), text.data(), text.size());
    return values;
  };
  const auto input = floats("input.f32");
  ASSERT_EQ(input.size(), 64u * 256u);
  for (const std::string file : {"q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K", "iq4_nl", "iq4_xs", "tq1_0", "tq2_0"}) {
    const DType dtype = *dtype_from_name(file);
    const std::string text = read_text_file(folder / (file + ".bin"), 1 << 20);
    ASSERT_EQ(text.size(), row_bytes(dtype, 64 * 256));
    std::vector<std::byte> bytes(text.size());
    std::memcpy(bytes.data(), text.data(), text.size());
    const auto expected = floats(file + ".f32");
    const auto decoded = decode(dtype, bytes, input.size());
    EXPECT_EQ(std::memcmp(decoded.data(), expected.data(), decoded.size() * 4), 0) << file;
    EXPECT_TRUE(has_finite_scales(dtype, bytes.data(), 64 * 256));
  }
}

// The layouts once more, by the formulas of blocks.h on random bits and in double.
TEST(Codec, DecodesQ4KByItsFormula) {
  Random random(1);
  for (int round = 0; round < 50; ++round) {
    BlockQ4_K block;
    for (auto& q : block.qs) q = static_cast<uint8_t>(random.below(256));
    block.d = f32_to_f16(static_cast<float>(random.normal()));
    block.dmin = f32_to_f16(static_cast<float>(random.normal()));
    // Eight scales, then eight mins, six bits each: the low six bits of the first four of both fill bytes 0-7
    // to bit 5; the last four have their low nibbles in bytes 8-11 and their high two bits on top of bytes
    // 0-7.
    int scales[8], mins[8];
    for (int g = 0; g < 8; ++g)
      scales[g] = static_cast<int>(random.below(64)), mins[g] = static_cast<int>(random.below(64));
    for (int g = 0; g < 4; ++g) {
      block.scales[g] = static_cast<uint8_t>(scales[g] | (scales[g + 4] >> 4) << 6);
      block.scales[g + 4] = static_cast<uint8_t>(mins[g] | (mins[g + 4] >> 4) << 6);
      block.scales[g + 8] = static_cast<uint8_t>((scales[g + 4] & 15) | (mins[g + 4] & 15) << 4);
    }
    float x[256];
    decode_row(DType::kQ4_K, reinterpret_cast<const std::byte*>(&block), x, 256);
    for (int i = 0; i < 256; ++i) {
      const int g = i / 32, chunk = i / 64, within = i % 64;
      const int byte = block.qs[32 * chunk + within % 32];
      const int q = within < 32 ? byte % 16 : byte / 16;
      const double exact =
          double{f16_to_f32(block.d)} * scales[g] * q - double{f16_to_f32(block.dmin)} * mins[g];
      ASSERT_NEAR(x[i], exact, 1e-3) << i;  // a difference of two numbers of up to 3000
    }
  }
}

TEST(Codec, DecodesQ6KByItsFormula) {
  Random random(2);
  for (int round = 0; round < 50; ++round) {
    BlockQ6_K block{};
    int codes[256];
    // 128 elements at a time: rows of 32 whose low nibbles lie in ql (rows 0, 1 low, rows 2, 3 high), high
    // bits in qh.
    for (int i = 0; i < 256; ++i) {
      codes[i] = static_cast<int>(random.below(64));
      const int half = i / 128, row = i % 128 / 32, column = i % 32;
      block.ql[64 * half + 32 * (row % 2) + column] |=
          static_cast<uint8_t>((codes[i] % 16) << (row < 2 ? 0 : 4));
      block.qh[32 * half + column] |= static_cast<uint8_t>((codes[i] / 16) << (2 * row));
    }
    for (auto& scale : block.scales) scale = static_cast<int8_t>(random.below(256));
    block.d = f32_to_f16(static_cast<float>(random.normal()));
    float x[256];
    decode_row(DType::kQ6_K, reinterpret_cast<const std::byte*>(&block), x, 256);
    for (int i = 0; i < 256; ++i) {
      const double exact = double{f16_to_f32(block.d)} * block.scales[i / 16] * (codes[i] - 32);
      ASSERT_NEAR(x[i], exact, 1e-6 * std::abs(exact)) << i;
    }
  }
}

TEST(Codec, RoundTripErrorsStayWithinHalfAStep) {
  Random random(3);
  std::vector<float> values(4096);
  for (float& x : values) x = static_cast<float>(random.normal());
  for (const auto& [dtype, steps] : {std::pair(DType::kQ8_0, 127.0f), std::pair(DType::kQ4_0, 8.0f)}) {
    const auto back = decode(dtype, encode(dtype, values), values.size());
    for (std::size_t b = 0; b < values.size(); b += 32) {
      float largest = 0;
      for (std::size_t i = b; i < b + 32; ++i) largest = std::max(largest, std::abs(values[i]));
      // Half a step, but a whole one at the far end of Q4_0 (codes reach from -8 to 7), and the f16 scale.
      const float room = largest / steps * (dtype == DType::kQ4_0 ? 1.01f : 0.56f);
      for (std::size_t i = b; i < b + 32; ++i) ASSERT_NEAR(back[i], values[i], room);
    }
  }
}

TEST(Codec, FloatsComeBackAsTheyAre) {
  const std::vector<float> values = {0.0f, -1.5f, 65504.0f, 0x1.0p-24f, -0.0f};
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    const auto back = decode(dtype, encode(dtype, values), values.size());
    EXPECT_EQ(std::memcmp(back.data(), values.data(), values.size() * 4), 0) << name(dtype);
  }
  EXPECT_EQ(decode(DType::kBF16, encode(DType::kBF16, {1.0f, 1.00390625f}), 2),
            (std::vector<float>{1.0f, 1.0f}));
}

TEST(Codec, FindsScalesThatAreNotFinite) {
  for (const DType dtype : {DType::kQ8_0, DType::kQ4_0, DType::kQ4_K, DType::kQ6_K}) {
    const auto& i = info(dtype);
    for (const uint16_t bad : {0x7C00, 0xFC00, 0x7E01}) {
      // The second of three blocks; dmin of Q4_K as well as d.
      const std::size_t at_d = dtype == DType::kQ6_K ? offsetof(BlockQ6_K, d) : 0;
      for (const std::size_t at :
           dtype == DType::kQ4_K ? std::vector<std::size_t>{0, 2} : std::vector{at_d}) {
        std::vector<std::byte> bytes(3 * i.block_bytes);
        EXPECT_TRUE(has_finite_scales(dtype, bytes.data(), 3 * i.block_size));
        std::memcpy(bytes.data() + i.block_bytes + at, &bad, 2);
        EXPECT_FALSE(has_finite_scales(dtype, bytes.data(), 3 * i.block_size)) << name(dtype);
        EXPECT_TRUE(has_finite_scales(dtype, bytes.data(), i.block_size)) << "only the blocks asked for";
      }
    }
  }
  EXPECT_TRUE(has_finite_scales(DType::kF32, nullptr, 0));
}

TEST(Codec, RefusesWhatItCannotDo) {
  float x[32] = {};
  std::byte bytes[128] = {};
  EXPECT_THROW(decode_row(DType::kI32, bytes, x, 1), Error);
  EXPECT_THROW(encode_row(DType::kI32, x, bytes, 1), Error);
  EXPECT_THROW(encode_row(DType::kQ4_0, x, bytes, 32, std::vector<float>(31)), Error) << "one weight per column";
  for (int i = 0; i < kNumDTypes; ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(can_encode(dtype), info(dtype).is_weight) << name(dtype);
  }
}

TEST(Codec, DecodesWholeTensorsRowByRow) {
  std::byte* data = nullptr;
  const Tensor tensor = Tensor::allocate(DType::kQ8_0, {2, 3, 64}, &data);
  std::vector<float> values(2 * 3 * 64);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 127);
  values[0] = 127;
  encode_row(DType::kQ8_0, values.data(), data, static_cast<int64_t>(values.size()));
  const auto back = to_f32(tensor);
  ASSERT_EQ(back.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(back[i], values[i], 0.51);
}

}  // namespace
}  // namespace minnow
