// Every encoder against golden bytes, golden errors and the bounds of its own format.
#include "tensor/encode.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "tensor/codec.h"
#include "tensor/decode.h"
#include "tensor/ternary.h"
#include "tensor/test_checksum.h"

namespace minnow {
namespace {

constexpr int64_t kRow = 256;

// One row of 256 after the other.
std::vector<std::byte> encode_rows(DType dtype, const std::vector<float>& values, std::span<const float> weights = {}) {
  const uint64_t bytes = row_bytes(dtype, kRow);
  const std::size_t rows = values.size() / kRow;
  std::vector<std::byte> out(rows * bytes);
  for (std::size_t r = 0; r < rows; ++r) {
    encode_row(dtype, values.data() + r * kRow, out.data() + r * bytes, kRow, weights);
  }
  return out;
}

std::vector<float> decode_all(DType dtype, const std::vector<std::byte>& bytes, std::size_t n) {
  std::vector<float> values(n);
  decode_row(dtype, bytes.data(), values.data(), static_cast<int64_t>(n));
  return values;
}

// Sum of squared differences, each times the weight of its column.
double error_of(std::span<const float> x, std::span<const float> y, std::span<const float> weights = {}) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double diff = static_cast<double>(x[i]) - y[i];
    sum += diff * diff * (weights.empty() ? 1.0 : static_cast<double>(weights[i % weights.size()]));
  }
  return sum;
}

std::vector<DType> block_types() {
  std::vector<DType> types;
  for (int i = 0; i < kNumDTypes; ++i) {
    const auto dtype = static_cast<DType>(i);
    if (is_quantized(dtype) && can_encode(dtype)) types.push_back(dtype);
  }
  return types;
}

// Checksums of blocks that ggml's own encoders make of golden_input(), of what its decoders make of them, of blocks
// encoded with the importance weights 1 + (column mod 13) / 4, and the relative error for normal values.
struct Golden {
  DType dtype;
  uint32_t encoded, decoded, weighted;
  double error;
};
constexpr Golden kGolden[] = {
    {DType::kQ4_0, 0x1166137e, 0x4360814b, 0x9cfaa337, 0.0858},  {DType::kQ4_1, 0x01ecb813, 0x0a6d1dd6, 0xa7974a97, 0.0781},
    {DType::kQ5_0, 0xc401e7c0, 0xecb6f11a, 0xf1a6db14, 0.0426},  {DType::kQ5_1, 0xd176520e, 0x7be65158, 0xafa7e10b, 0.0378},
    {DType::kQ8_0, 0x25ef296d, 0x324e3b94, 0x25ef296d, 0.0053},  {DType::kQ2_K, 0xbe69ce2c, 0xb7af8bcc, 0xbc0282d8, 0.2961},
    {DType::kQ3_K, 0xba5fea68, 0x3ce4a92f, 0x4cb93b8a, 0.1507},  {DType::kQ4_K, 0xfb25afea, 0x22c7ab2c, 0xe667c7bc, 0.0713},
    {DType::kQ5_K, 0x3aec4a8a, 0x3dc2487c, 0x056d3652, 0.0361},  {DType::kQ6_K, 0xbb480c7d, 0x55e759aa, 0xc0e9f8c7, 0.0177},
    {DType::kIQ4_NL, 0xb03484e5, 0x412f75a3, 0x82b82a6c, 0.0761}, {DType::kIQ4_XS, 0x63c52c11, 0x66d7346b, 0x67c4834c, 0.0767},
    {DType::kTQ1_0, 0xb182dc22, 0x23b98333, 0xb182dc22, 0.8061}, {DType::kTQ2_0, 0xe3c9f581, 0x23b98333, 0xe3c9f581, 0.8061},
    {DType::kMXFP4, 0x27901a6f, 0x3e56a339, 0x27901a6f, 0.1149}, {DType::kNVFP4, 0x739cefe0, 0x01a6b8f4, 0x739cefe0, 0.0950},
    {DType::kQ1_0, 0x73c793d6, 0x4540398d, 0x73c793d6, 0.5999},  {DType::kQ2_0, 0xd75e7f69, 0x8e466793, 0xd75e7f69, 0.7156},
};

TEST(Encode, GivesTheGoldenBlocksOfEveryType) {
  const std::vector<float> input = golden_input();
  ASSERT_EQ(crc32(input), 0x4a3054d7u);
  for (const Golden& g : kGolden) {
    const auto bytes = encode_rows(g.dtype, input);
    EXPECT_EQ(crc32(bytes), g.encoded) << name(g.dtype);
    EXPECT_EQ(crc32(decode_all(g.dtype, bytes, input.size())), g.decoded) << name(g.dtype);
  }
}

TEST(Encode, GivesTheGoldenBlocksWithImportanceWeights) {
  const std::vector<float> input = golden_input();
  std::vector<float> weights(kRow);
  for (std::size_t c = 0; c < weights.size(); ++c) weights[c] = 1 + static_cast<float>(c % 13) / 4;
  for (const Golden& g : kGolden) EXPECT_EQ(crc32(encode_rows(g.dtype, input, weights)), g.weighted) << name(g.dtype);
}

// bitsandbytes keeps scales and codes apart.
TEST(Encode, Nf4IsThatOfBitsandbytes) {
  const std::vector<float> input = golden_input();
  const auto blocks = encode_rows(DType::kNF4, input);
  std::vector<std::byte> scales, codes;
  for (std::size_t i = 0; i < blocks.size(); i += sizeof(BlockNF4)) {
    const auto at = blocks.begin() + static_cast<std::ptrdiff_t>(i);
    scales.insert(scales.end(), at, at + 4);
    codes.insert(codes.end(), at + 4, at + sizeof(BlockNF4));
  }
  EXPECT_EQ(crc32(scales), 0x119af3ffu);
  EXPECT_EQ(crc32(codes), 0x15e28704u);
  EXPECT_EQ(crc32(decode_all(DType::kNF4, blocks, input.size())), 0x4e554dc4u);
}

TEST(Encode, ErrorsOnNormalValuesAreTheKnownOnes) {
#ifdef MINNOW_EMULATED
  constexpr int kSamples = 51'200;
  constexpr double kRoom = 0.03;
#else
  constexpr int kSamples = 512'000;
  constexpr double kRoom = 0.01;
#endif
  Random random(11);
  std::vector<float> x(kSamples);
  for (float& v : x) v = static_cast<float>(random.normal());
  const double total = error_of(x, std::vector<float>(x.size()));
  for (const Golden& g : kGolden) {
    const double error = std::sqrt(error_of(x, decode_all(g.dtype, encode_rows(g.dtype, x), x.size())) / total);
    EXPECT_NEAR(error, g.error, kRoom * g.error + 0.6e-4) << name(g.dtype);  // four digits are known
  }
}

// Rows of a peer's collection: normal values of many sizes, heavy tails, ternary, zeros, constants, offsets, ramps.
TEST(Encode, AgreesWithAPeersBlocks) {
  const std::filesystem::path folder = MINNOW_SOURCE_DIR "/../shared/conformance/quant";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the golden blocks of a peer are not here";
  const auto read = [&](const std::string& file) { return read_text_file(folder / file, 1 << 20); };
  const std::string text = read("input.f32");
  std::vector<float> input(text.size() / 4);
  std::memcpy(input.data(), text.data(), text.size());
  ASSERT_EQ(input.size(), 64u * kRow);
  for (const std::string file : {"q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K", "iq4_nl",
                                 "iq4_xs", "tq1_0", "tq2_0"}) {
    const DType dtype = *dtype_from_name(file);
    const std::string peer_text = read(file + ".bin");
    std::vector<std::byte> peer(peer_text.size());
    std::memcpy(peer.data(), peer_text.data(), peer.size());
    const auto ours = encode_rows(dtype, input);
    ASSERT_EQ(ours.size(), peer.size());
    std::size_t different = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) different += ours[i] != peer[i];
    EXPECT_EQ(different, 0u) << file;
  }
}

// What no encoder may do worse than: leave everything at 0.
TEST(Encode, NeverDoesWorseThanZeros) {
  Random random(5);
  for (const DType dtype : block_types()) {
    if (dtype == DType::kTQ1_0 || dtype == DType::kTQ2_0 || dtype == DType::kQ2_0) continue;  // made for ternary values
    for (int round = 0; round < 100; ++round) {
      std::vector<float> x(kRow);
      const double size = std::exp(10 * random.uniform() - 5), offset = random.uniform() < 0.5 ? 0 : random.normal();
      for (float& v : x) v = static_cast<float>(size * (std::pow(random.normal(), 3) + offset));
      const double zeros = error_of(x, std::vector<float>(x.size()));
      EXPECT_LE(error_of(x, decode_all(dtype, encode_rows(dtype, x), x.size())), zeros) << name(dtype);
    }
  }
}

TEST(Encode, TernaryTypesGiveTernaryRowsBackExactly) {
  Random random(6);
  std::vector<float> x(4 * kRow);
  for (float& v : x) v = 0.375f * static_cast<float>(static_cast<int>(random.below(3)) - 1);
  for (const DType dtype : {DType::kTQ1_0, DType::kTQ2_0, DType::kI2_S, DType::kQ2_0}) {
    EXPECT_EQ(decode_all(dtype, encode_rows(dtype, x), x.size()), x) << name(dtype);
  }
}

TEST(Encode, EveryTypeTakesZerosAndTheTiniestValues) {
  for (const DType dtype : block_types()) {
    for (const float tiny : {0.0f, FLT_TRUE_MIN, FLT_MIN, 1e-30f}) {
      std::vector<float> x(kRow, 0.0f);
      x[3] = tiny, x[4] = -tiny;
      const auto bytes = encode_rows(dtype, x);
      EXPECT_TRUE(has_finite_scales(dtype, bytes.data(), kRow)) << name(dtype);
      for (const float v : decode_all(dtype, bytes, kRow)) EXPECT_LE(std::abs(v), 1e-29f) << name(dtype);
    }
  }
}

// Past the range of f16 scales: the caller can tell. MXFP4, I2_S and NF4 have scales of a wider range, NVFP4 stops at its top.
TEST(Encode, ValuesTooLargeForATypeAreToldByItsScales) {
  for (const float large : {FLT_MAX, 1e30f, 1e19f, 1e12f}) {
    std::vector<float> x(kRow, large);
    for (std::size_t i = 0; i < x.size(); i += 3) x[i] = -large;
    for (const DType dtype : block_types()) {
      const bool wide = dtype == DType::kMXFP4 || dtype == DType::kI2_S || dtype == DType::kNVFP4 || dtype == DType::kNF4;
      const auto bytes = encode_rows(dtype, x);
      EXPECT_EQ(has_finite_scales(dtype, bytes.data(), kRow), wide) << name(dtype) << " " << large;
    }
  }
}

TEST(Encode, ImportantColumnsGetSmallerErrors) {
  Random random(7);
  std::vector<float> x(64 * kRow), weights(kRow);
  for (float& v : x) v = static_cast<float>(random.normal());
  for (float& w : weights) w = static_cast<float>(std::exp(2 * random.normal()));
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K,
                            DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS}) {
    const double plain = error_of(x, decode_all(dtype, encode_rows(dtype, x), x.size()), weights);
    const double weighted = error_of(x, decode_all(dtype, encode_rows(dtype, x, weights), x.size()), weights);
    EXPECT_LT(weighted, 0.97 * plain) << name(dtype);
    // Columns that count for nothing, or all of them, do no harm.
    const auto dead = encode_rows(dtype, x, std::vector<float>(kRow, 0.0f));
    EXPECT_TRUE(has_finite_scales(dtype, dead.data(), static_cast<int64_t>(x.size()))) << name(dtype);
  }
}

// Every code's value comes back as that code: the table of values and the search for the nearest agree.
TEST(Encode, CodesOfMXFP4AreNearestByExhaustion) {
  Random random(8);
  for (int round = 0; round < 200; ++round) {
    float x[kBlock], y[kBlock];
    for (float& v : x) v = static_cast<float>(random.normal());
    BlockMXFP4 b;
    encode(x, b);
    decode(b, y);
    for (int i = 0; i < kBlock; ++i) {
      for (const int value : kE2M1Values) {
        ASSERT_LE(std::abs(y[i] - x[i]), std::abs(half_e8m0(b.e) * static_cast<float>(value) - x[i]));
      }
    }
  }
}

TEST(Encode, E4M3CodesComeBackAndRoundToNearest) {
  for (int code = 0; code < 0x78; ++code) EXPECT_EQ(to_e4m3(2 * half_e4m3(static_cast<uint8_t>(code))), code);
  EXPECT_EQ(to_e4m3(0), 0);
  EXPECT_EQ(to_e4m3(-1), 0);
  EXPECT_EQ(to_e4m3(1e30f), 0x7E);
  for (int code = 8; code < 0x77; ++code) {
    const float low = 2 * half_e4m3(static_cast<uint8_t>(code)), high = 2 * half_e4m3(static_cast<uint8_t>(code + 1));
    EXPECT_EQ(to_e4m3((low + high) / 2), code + 1);
    EXPECT_EQ(to_e4m3(std::nextafter((low + high) / 2, 0.0f)), code);
  }
}

TEST(TernaryScale, IsTheOneSizeOfTernaryValuesAndElseTheMean) {
  TernaryScale scale;
  EXPECT_EQ(scale.value(), 0.0f);
  scale.add(std::vector<float>{0, 0.75f, -0.75f});
  scale.add(std::vector<float>{-0.75f, 0});
  EXPECT_TRUE(scale.is_ternary());
  EXPECT_EQ(scale.value(), 0.75f);
  scale.add(std::vector<float>{0.25f});
  EXPECT_FALSE(scale.is_ternary());
  EXPECT_EQ(scale.value(), 2.5f / 6);
}

}  // namespace
}  // namespace minnow
