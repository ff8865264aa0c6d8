#include <algorithm>
#include <cmath>
#include <numeric>

#include "formats/packed/test_layers.h"

namespace minnow {
namespace {

using namespace packed_test;

uint32_t crc32(const void* data, std::size_t size) {
  uint32_t crc = ~0u;
  for (std::size_t i = 0; i < size; ++i) {
    crc ^= static_cast<const uint8_t*>(data)[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

// ---- bitsandbytes ----

const Values kNf4 = {-1,
                     -0.6961928010f,
                     -0.5250730515f,
                     -0.3949174881f,
                     -0.2844413817f,
                     -0.1847734302f,
                     -0.0910500363f,
                     0,
                     0.0795802996f,
                     0.1609302014f,
                     0.2461123019f,
                     0.3379152417f,
                     0.4407098293f,
                     0.5626170039f,
                     0.7229568362f,
                     1};

// The input that the checksums of the block formats are made with.
Values golden_input() {
  Values x;
  for (int i = 0; i < 1024; ++i) x.push_back(static_cast<float>((31 * i * i + 17 * i + 7) % 211 - 105) / 64);
  return x;
}

struct Nf4 {
  std::vector<uint8_t> packed;
  Values absmax;
};

// Nearest table entry, the lower of two at the same distance.
Nf4 encode_nf4(const Values& x, std::size_t block) {
  Nf4 r{std::vector<uint8_t>(x.size() / 2), {}};
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (i % block == 0) {
      float most = 0;
      for (std::size_t j = i; j < i + block; ++j) most = std::max(most, std::fabs(x[j]));
      r.absmax.push_back(most);
    }
    const float v = x[i] * (1 / r.absmax.back());
    unsigned code = 0;
    while (code < 15 && v > (kNf4[code] + kNf4[code + 1]) / 2) ++code;
    r.packed[i / 2] |= static_cast<uint8_t>(i % 2 == 0 ? code << 4 : code);
  }
  return r;
}

// 256 values like those that scales are packed with (a file brings its own).
Values dynamic_book() {
  Values book = {0, 1};
  for (int e = 0; e <= 6; ++e) {
    const int n = (1 << e) + 1;
    for (int i = 0; i + 1 < n; ++i) {
      const double step = 0.9 / (n - 1);
      const auto low = static_cast<float>(0.1 + step * i), high = static_cast<float>(0.1 + step * (i + 1));
      const auto value = static_cast<float>(std::pow(10.0, e - 6) * ((static_cast<double>(low) + high) / 2));
      book.push_back(value);
      book.push_back(-value);
    }
  }
  std::sort(book.begin(), book.end());
  return book;
}

std::string state(const std::string& more, const std::string& type = "float32",
                  const std::string& shape = "[4, 256]") {
  return fmt::format(R"({{"quant_type": "nf4", "blocksize": 64, "dtype": "{}", "shape": {}{}}})", type, shape,
                     more);
}

const std::string kState = "l.weight.quant_state.bitsandbytes__nf4";

TEST(UnpackBitsandbytes, MatchesTheGoldenChecksumsOfNf4) {
  const Nf4 nf4 = encode_nf4(golden_input(), 64);
  EXPECT_EQ(crc32(nf4.packed.data(), nf4.packed.size()), 0x15e28704u);
  EXPECT_EQ(crc32(nf4.absmax.data(), nf4.absmax.size() * 4), 0x119af3ffu);
  const Tensor w = unpack({{"l.weight", bytes({512, 1}, nf4.packed)},
                           {"l.weight.absmax", f32({16}, nf4.absmax)},
                           {"l.weight.quant_map", f32({16}, kNf4)},
                           {kState, text(state(""))}},
                          settings("bitsandbytes", R"({"load_in_4bit": true})"));
  EXPECT_EQ(w.shape, (Shape{4, 256}));
  EXPECT_EQ(crc32(w.data, w.bytes()), 0x4e554dc4u);
}

TEST(UnpackBitsandbytes, ReadsScalesThatArePackedThemselves) {
  const Values book = dynamic_book();
  ASSERT_EQ(book.size(), 256u);
  const Values x = golden_input();
  const Nf4 nf4 = encode_nf4(x, 64);
  const float offset = std::accumulate(nf4.absmax.begin(), nf4.absmax.end(), 0.0f) / 16;
  EXPECT_NEAR(offset, 1.5976562f, 1e-6);
  float most = 0;
  for (const float a : nf4.absmax) most = std::max(most, std::fabs(a - offset));
  std::vector<uint8_t> codes;
  Values absmax;
  for (const float a : nf4.absmax) {
    const float v = (a - offset) / most;
    const auto nearer = [&](float p, float q) { return std::fabs(p - v) < std::fabs(q - v); };
    codes.push_back(static_cast<uint8_t>(std::min_element(book.begin(), book.end(), nearer) - book.begin()));
    absmax.push_back(book[codes.back()] * most + offset);
  }
  const Tensor w = unpack(
      {{"l.weight", bytes({512, 1}, nf4.packed)},
       {"l.weight.absmax", bytes({16}, codes)},
       {"l.weight.quant_map", f32({16}, kNf4)},
       {"l.weight.nested_absmax", f32({1}, {most})},
       {"l.weight.nested_quant_map", f32({256}, book)},
       {kState,
        text(state(fmt::format(R"(, "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": {})",
                               offset),
                   "bfloat16"))}},
      settings("bitsandbytes", "{}"));
  EXPECT_EQ(w.dtype, DType::kBF16);
  const Values values = to_f32(w);
  double error = 0, power = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const uint8_t byte = nf4.packed[i / 2];
    const float expected = kNf4[i % 2 == 0 ? byte >> 4 : byte & 15] * absmax[i / 64];
    ASSERT_EQ(values[i], bf16_to_f32(f32_to_bf16(expected))) << i;
    error += (values[i] - x[i]) * (values[i] - x[i]);
    power += x[i] * x[i];
  }
  EXPECT_LT(std::sqrt(error / power), 0.1);
}

TEST(UnpackBitsandbytes, ReadsFp4AndAnOddNumberOfCodes) {
  const Values fp4 = {0,     0.0625f / 12,  8.0f / 12,  1,  4.0f / 12,  0.5f,  2.0f / 12,  0.25f,
                      -0.0f, -0.0625f / 12, -8.0f / 12, -1, -4.0f / 12, -0.5f, -2.0f / 12, -0.25f};
  const Tensor w = unpack({{"l.weight", bytes({8, 1}, {0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xE0})},
                           {"l.weight.absmax", f32({1}, {12})},
                           {"l.weight.quant_map", f32({16}, fp4)},
                           {"l.weight.quant_state.bitsandbytes__fp4", text(state("", "float16", "[3, 5]"))}},
                          settings("bitsandbytes", "{}"));
  EXPECT_EQ(to_f32(w), (Values{0, 0.0625f, 8, 12, 4, 6, 2, 3, 0, -0.0625f, -8, -12, -4, -6, -2}));
}

TEST(UnpackBitsandbytes, ReadsEightBits) {
  const Tensor w = unpack({{"l.weight", bytes({2, 2}, {127, 0x81, 0, 64})},
                           {"l.SCB", f32({2}, {2, 127})},
                           {"l.weight_format", bytes({}, {0})}},
                          settings("bitsandbytes", R"({"load_in_8bit": true})", "torch.float32"));
  EXPECT_EQ(to_f32(w), (Values{2, -2, 0, 64}));
}

TEST(UnpackBitsandbytes, RefusesWhatDoesNotFit) {
  const auto q = settings("bitsandbytes", "{}");
  const auto tensors = [&](const std::string& json, std::size_t n_bytes = 512, int64_t n_scales = 16) {
    return std::vector<NamedTensor>{
        {"l.weight", bytes({static_cast<int64_t>(n_bytes), 1}, std::vector<uint8_t>(n_bytes))},
        {"l.weight.absmax", f32({n_scales}, Values(static_cast<std::size_t>(n_scales), 1))},
        {"l.weight.quant_map", f32({16}, kNf4)},
        {kState, text(json)}};
  };
  refuses(tensors(state("", "float32", "[4, 255]")), q,
          "does not hold the 1020 4-bit codes of shape [4, 255]");
  refuses(tensors(state("", "float32", "[1099511627776, 1099511627776]")), q, "says a shape of");
  refuses(tensors(state("", "float32", "[-4, 256]")), q, "says a shape of [-4, 256]");
  refuses(tensors(state("", "float32", "\"x\"")), q, "no \"shape\"");
  refuses(tensors("[]"), q, "not an object");
  refuses(tensors("{"), q, "not valid JSON");
  refuses(tensors(state(""), 512, 15), q, "weight.absmax has shape [15], 16 values are needed");
  auto stateless = tensors(state(""));
  stateless.pop_back();
  refuses(stateless, q, "its tensor weight.quant_state.bitsandbytes__fp4 is missing");
  refuses({{"l.weight", bytes({2, 2}, {1, 2, 3, 4})}, {"l.SCB", f32({1}, {1})}}, q,
          "SCB has shape [1], 2 values are needed");
}

}  // namespace
}  // namespace minnow
