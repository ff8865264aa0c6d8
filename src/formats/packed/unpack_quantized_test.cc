#include "formats/packed/unpack_quantized.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/random.h"
#include "formats/test_bytes.h"
#include "tensor/codec.h"
#include "tensor/half.h"

namespace minnow {
namespace {

using testing::expect_refused;
using testing::TemporaryFolder;
using Values = std::vector<float>;

template <typename T>
Tensor tensor(DType dtype, const Shape& shape, const std::vector<T>& values) {
  std::byte* data = nullptr;
  Tensor t = Tensor::allocate(dtype, shape, &data);
  EXPECT_EQ(t.bytes(), values.size() * sizeof(T));
  std::memcpy(data, values.data(), values.size() * sizeof(T));
  return t;
}

Tensor i32(const Shape& shape, const std::vector<uint32_t>& values) { return tensor(DType::kI32, shape, values); }
Tensor bytes(const Shape& shape, const std::vector<uint8_t>& values) { return tensor(DType::kI8, shape, values); }
Tensor f32(const Shape& shape, const Values& values) { return tensor(DType::kF32, shape, values); }
Tensor text(const std::string& s) { return bytes({static_cast<int64_t>(s.size())}, {s.begin(), s.end()}); }
Tensor f16(const Shape& shape, const Values& values) {
  std::vector<uint16_t> halves;
  for (const float v : values) halves.push_back(f32_to_f16(v));
  return tensor(DType::kF16, shape, halves);
}

Quantization settings(const std::string& method, const std::string& json, const std::string& dtype = "") {
  return {method, parse_json(json, "test"), "config.json: quantization_config", dtype};
}

// The weight of the one layer "l".
Tensor unpack(const std::vector<NamedTensor>& tensors, const Quantization& q) {
  const auto plain = unpack_quantized(tensors, q, "model.safetensors");
  EXPECT_EQ(plain.size(), 1u);
  EXPECT_EQ(plain.at(0).name, "l.weight");
  return plain.at(0).tensor;
}

void refuses(const std::vector<NamedTensor>& tensors, const Quantization& q, std::string_view part,
             ErrorCode code = ErrorCode::kInvalidInput) {
  expect_refused([&] { unpack_quantized(tensors, q, "model.safetensors"); }, code, part);
}

// Bit by bit: bit b of code i is bit i * bits + b of the stream.
std::vector<uint32_t> stream_of(const std::vector<int>& codes, int bits) {
  std::vector<uint32_t> words((codes.size() * static_cast<std::size_t>(bits) + 31) / 32);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    for (int b = 0; b < bits; ++b) {
      const std::size_t at = i * static_cast<std::size_t>(bits) + static_cast<std::size_t>(b);
      if (((codes[i] >> b) & 1) != 0) words[at / 32] |= 1u << (at % 32);
    }
  }
  return words;
}

uint32_t crc32(const void* data, std::size_t size) {
  uint32_t crc = ~0u;
  for (std::size_t i = 0; i < size; ++i) {
    crc ^= static_cast<const uint8_t*>(data)[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

// ---- GPTQ ----

// A random layer of GPTQ, with what it means in plain numbers.
struct GptqLayer {
  int bits;
  int64_t in, out, groups;
  std::vector<int> codes, zeros, group;  // [in][out], [groups][out], [in]
  Values scales;                         // [groups][out]

  GptqLayer(int bits_, int64_t in_, int64_t out_, int64_t group_size, uint64_t seed)
      : bits(bits_), in(in_), out(out_), groups((in_ + group_size - 1) / group_size) {
    Random random(seed);
    for (int64_t i = 0; i < in * out; ++i) codes.push_back(static_cast<int>(random.below(uint64_t{1} << bits)));
    for (int64_t i = 0; i < groups * out; ++i) {
      zeros.push_back(static_cast<int>(random.below(uint64_t{1} << bits)));
      scales.push_back(f16_to_f32(f32_to_f16(static_cast<float>(random.uniform() * 0.1 + 0.001))));
    }
    for (int64_t k = 0; k < in; ++k) group.push_back(static_cast<int>(k / group_size));
  }

  std::vector<NamedTensor> tensors(int zero_offset, bool with_g_idx) const {
    const int64_t words_in = in * bits / 32, words_out = out * bits / 32;
    std::vector<uint32_t> qweight(static_cast<std::size_t>(words_in * out)), qzeros;
    for (int64_t o = 0; o < out; ++o) {
      std::vector<int> column;
      for (int64_t k = 0; k < in; ++k) column.push_back(codes[static_cast<std::size_t>(k * out + o)]);
      const auto words = stream_of(column, bits);
      for (int64_t w = 0; w < words_in; ++w) qweight[static_cast<std::size_t>(w * out + o)] = words[static_cast<std::size_t>(w)];
    }
    for (int64_t g = 0; g < groups; ++g) {
      std::vector<int> row;
      for (int64_t o = 0; o < out; ++o) {
        row.push_back((zeros[static_cast<std::size_t>(g * out + o)] - zero_offset) & ((1 << bits) - 1));
      }
      for (const uint32_t word : stream_of(row, bits)) qzeros.push_back(word);
    }
    std::vector<NamedTensor> all = {{"l.qweight", i32({words_in, out}, qweight)},
                                    {"l.qzeros", i32({groups, words_out}, qzeros)},
                                    {"l.scales", f16({groups, out}, scales)}};
    if (with_g_idx) all.push_back({"l.g_idx", i32({in}, {group.begin(), group.end()})});
    return all;
  }

  // scale * (code - zero), rounded to f16.
  Values weight() const {
    Values w;
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t k = 0; k < in; ++k) {
        const auto at = static_cast<std::size_t>(group[static_cast<std::size_t>(k)] * out + o);
        const double exact = double{scales[at]} * (codes[static_cast<std::size_t>(k * out + o)] - zeros[at]);
        w.push_back(f16_to_f32(f32_to_f16(static_cast<float>(exact))));
      }
    }
    return w;
  }
};

TEST(UnpackGptq, ReadsEveryWidthGroupAndVersion) {
  uint64_t seed = 0;
  for (const int bits : {2, 3, 4, 8}) {
    for (const int64_t group_size : {int64_t{-1}, int64_t{32}, int64_t{40}}) {
      for (const bool v2 : {false, true}) {
        GptqLayer layer(bits, 96, 64, group_size < 0 ? 96 : group_size, ++seed);
        const auto q = settings("gptq", fmt::format(R"({{"bits": {}, "group_size": {}, "checkpoint_format": "{}"}})", bits,
                                                    group_size, v2 ? "gptq_v2" : "gptq"));
        const Tensor w = unpack(layer.tensors(v2 ? 0 : 1, false), q);
        EXPECT_EQ(w.shape, (Shape{64, 96}));
        EXPECT_EQ(w.dtype, DType::kF16);
        EXPECT_EQ(to_f32(w), layer.weight()) << bits << " bits, groups of " << group_size;
        // Inputs in another order ("desc_act").
        std::reverse(layer.group.begin(), layer.group.end());
        std::swap(layer.group[3], layer.group[90]);
        EXPECT_EQ(to_f32(unpack(layer.tensors(v2 ? 0 : 1, true), q)), layer.weight());
      }
    }
  }
}

TEST(UnpackGptq, ReadsWordsWrittenByHand) {
  // Codes 0 to 7 along the inputs, zero 8 stored minus one.
  const auto q = settings("gptq", R"({"bits": 4, "group_size": 8})");
  const std::vector<uint32_t> same(8, 0x76543210u);
  const Tensor w = unpack({{"l.qweight", i32({1, 8}, same)}, {"l.qzeros", i32({1, 1}, {0x77777777u})}, {"l.scales", f16({1, 8}, Values(8, 0.5f))}}, q);
  for (int64_t o = 0; o < 8; ++o) {
    for (int64_t k = 0; k < 8; ++k) EXPECT_EQ(to_f32(w)[static_cast<std::size_t>(8 * o + k)], 0.5f * static_cast<float>(k - 8));
  }
}

TEST(UnpackGptq, KeepsTheTypeOfTheScalesAndOtherTensors) {
  auto tensors = GptqLayer(4, 32, 8, 32, 1).tensors(1, false);
  tensors[2].tensor = f32({1, 8}, Values(8, 0.3f));
  tensors.push_back({"l.bias", f16({8}, Values(8, 1))});
  tensors.insert(tensors.begin(), {"norm.weight", f16({32}, Values(32, 1))});
  const auto plain = unpack_quantized(tensors, settings("gptq", R"({"bits": 4, "group_size": 32})"), "m");
  ASSERT_EQ(plain.size(), 3u);
  EXPECT_EQ(plain[0].name, "norm.weight");
  EXPECT_EQ(plain[1].name, "l.weight");
  EXPECT_EQ(plain[1].tensor.dtype, DType::kF32);
  EXPECT_EQ(plain[2].name, "l.bias");
}

TEST(UnpackGptq, RefusesWhatDoesNotFit) {
  const GptqLayer layer(4, 64, 16, 32, 3);
  const auto q = settings("gptq", R"({"bits": 4, "group_size": 32})");
  auto without = [&](std::size_t i) {
    auto t = layer.tensors(1, true);
    t.erase(t.begin() + static_cast<std::ptrdiff_t>(i));
    return t;
  };
  auto with = [&](std::size_t i, Tensor replacement) {
    auto t = layer.tensors(1, true);
    t[i].tensor = std::move(replacement);
    return t;
  };
  refuses(without(1), q, "model.safetensors: packed layer 'l': its tensor qzeros is missing");
  refuses(without(2), q, "its tensor scales is missing");
  refuses(with(0, f16({8, 16}, Values(128, 0))), q, "qweight is F16 [8, 16], it must be I32");
  refuses(with(0, i32({0, 16}, {})), q, "qweight of shape [0, 16] is empty");
  refuses(with(1, i32({2, 1}, {0, 0})), q, "qzeros has shape [2, 1], it must be [2, 2]");
  refuses(with(2, f16({1, 16}, Values(16, 1))), q, "scales has shape [1, 16], 32 values are needed");
  refuses(with(2, f32({2, 16}, Values(32, NAN))), q, "not finite");
  refuses(with(2, i32({2, 16}, std::vector<uint32_t>(32))), q, "scales is I32");
  std::vector<uint32_t> indices(64, 1);
  indices[5] = 2;
  refuses(with(3, i32({64}, indices)), q, "g_idx puts input 5 into group 2 of 2");
  indices[5] = static_cast<uint32_t>(-1);
  refuses(with(3, i32({64}, indices)), q, "group -1 of 2");
  refuses(with(3, i32({63}, std::vector<uint32_t>(63))), q, "g_idx has shape [63], it must be [64]");
  refuses(without(3), settings("gptq", R"({"bits": 4, "group_size": 48000})"), "64 inputs in groups of 48000 do not make the 2 groups");
  refuses(without(3), settings("gptq", R"({"bits": 4, "group_size": 0})"), "groups of 0");
  refuses(without(3), settings("gptq", R"({"bits": 4, "group_size": -7})"), "group_size");
  refuses(without(3), settings("gptq", R"({"bits": 5})"), "bits \"5\" is not unpacked, only 2, 3, 4 and 8", ErrorCode::kUnsupported);
  refuses(without(3), settings("gptq", R"({"bits": 3})"), "no whole number of 3-bit codes");
  refuses(without(3), settings("gptq", R"({"bits": 4, "checkpoint_format": "marlin"})"), "marlin", ErrorCode::kUnsupported);
}

// ---- AWQ ----

TEST(UnpackAwq, ReadsOutputsInTheirOrder) {
  // Codes 0 to 7 in outputs 0 to 7 of every input; zeros 8 - output.
  const auto q = settings("awq", R"({"bits": 4, "group_size": 2, "version": "GEMM"})");
  const Tensor w = unpack({{"l.qweight", i32({4, 1}, std::vector<uint32_t>(4, 0x75316420u))},
                           {"l.qzeros", i32({2, 1}, {0x75316420u, 0u})},
                           {"l.scales", f16({2, 8}, Values(16, 0.25f))}}, q);
  ASSERT_EQ(w.shape, (Shape{8, 4}));
  const Values values = to_f32(w);
  for (int o = 0; o < 8; ++o) {
    const float second = 0.25f * static_cast<float>(o);
    EXPECT_EQ(Values(values.begin() + 4 * o, values.begin() + 4 * o + 4), (Values{0, 0, second, second})) << o;
  }
}

TEST(UnpackAwq, ReadsRandomLayers) {
  constexpr int kOrder[8] = {0, 2, 4, 6, 1, 3, 5, 7};
  Random random(11);
  const int64_t in = 48, out = 24, groups = 3;
  std::vector<int> codes, zeros;
  Values scales;
  for (int64_t i = 0; i < in * out; ++i) codes.push_back(static_cast<int>(random.below(16)));
  for (int64_t i = 0; i < groups * out; ++i) {
    zeros.push_back(static_cast<int>(random.below(16)));
    scales.push_back(f16_to_f32(f32_to_f16(static_cast<float>(random.uniform()))));
  }
  const auto pack = [&](const std::vector<int>& rows) {
    std::vector<uint32_t> words(rows.size() / 8);
    for (std::size_t w = 0; w < words.size(); ++w) {
      for (unsigned i = 0; i < 8; ++i) words[w] |= static_cast<uint32_t>(rows[8 * w + static_cast<std::size_t>(kOrder[i])]) << (4 * i);
    }
    return words;
  };
  const Tensor w = unpack({{"l.qweight", i32({in, out / 8}, pack(codes))}, {"l.qzeros", i32({groups, out / 8}, pack(zeros))}, {"l.scales", f16({groups, out}, scales)}},
                          settings("awq", R"({"w_bit": 4, "q_group_size": 16})"));
  const Values values = to_f32(w);
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t k = 0; k < in; ++k) {
      const auto g = static_cast<std::size_t>(k / 16 * out + o);
      const float exact = scales[g] * static_cast<float>(codes[static_cast<std::size_t>(k * out + o)] - zeros[g]);
      EXPECT_EQ(values[static_cast<std::size_t>(o * in + k)], f16_to_f32(f32_to_f16(exact)));
    }
  }
  refuses({{"l.qweight", i32({4, 1}, {0, 0, 0, 0})}}, settings("awq", R"({"bits": 4, "version": "gemv"})"), "version \"gemv\" is not unpacked", ErrorCode::kUnsupported);
  refuses({{"l.qweight", i32({4, 1}, {0, 0, 0, 0})}}, settings("awq", R"({"bits": 8})"), "bits \"8\"", ErrorCode::kUnsupported);
}

// ---- bitsandbytes ----

const Values kNf4 = {-1, -0.6961928010f, -0.5250730515f, -0.3949174881f, -0.2844413817f, -0.1847734302f, -0.0910500363f, 0,
                     0.0795802996f, 0.1609302014f, 0.2461123019f, 0.3379152417f, 0.4407098293f, 0.5626170039f, 0.7229568362f, 1};

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

std::string state(const std::string& more, const std::string& type = "float32", const std::string& shape = "[4, 256]") {
  return fmt::format(R"({{"quant_type": "nf4", "blocksize": 64, "dtype": "{}", "shape": {}{}}})", type, shape, more);
}

const std::string kState = "l.weight.quant_state.bitsandbytes__nf4";

TEST(UnpackBitsandbytes, MatchesTheGoldenChecksumsOfNf4) {
  const Nf4 nf4 = encode_nf4(golden_input(), 64);
  EXPECT_EQ(crc32(nf4.packed.data(), nf4.packed.size()), 0x15e28704u);
  EXPECT_EQ(crc32(nf4.absmax.data(), nf4.absmax.size() * 4), 0x119af3ffu);
  const Tensor w = unpack({{"l.weight", bytes({512, 1}, nf4.packed)}, {"l.weight.absmax", f32({16}, nf4.absmax)},
                           {"l.weight.quant_map", f32({16}, kNf4)}, {kState, text(state(""))}},
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
      {{"l.weight", bytes({512, 1}, nf4.packed)}, {"l.weight.absmax", bytes({16}, codes)}, {"l.weight.quant_map", f32({16}, kNf4)},
       {"l.weight.nested_absmax", f32({1}, {most})}, {"l.weight.nested_quant_map", f32({256}, book)},
       {kState, text(state(fmt::format(R"(, "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": {})", offset), "bfloat16"))}},
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
  const Values fp4 = {0, 0.0625f / 12, 8.0f / 12, 1, 4.0f / 12, 0.5f, 2.0f / 12, 0.25f, -0.0f, -0.0625f / 12, -8.0f / 12, -1, -4.0f / 12, -0.5f, -2.0f / 12, -0.25f};
  const Tensor w = unpack({{"l.weight", bytes({8, 1}, {0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xE0})}, {"l.weight.absmax", f32({1}, {12})},
                           {"l.weight.quant_map", f32({16}, fp4)}, {"l.weight.quant_state.bitsandbytes__fp4", text(state("", "float16", "[3, 5]"))}},
                          settings("bitsandbytes", "{}"));
  EXPECT_EQ(to_f32(w), (Values{0, 0.0625f, 8, 12, 4, 6, 2, 3, 0, -0.0625f, -8, -12, -4, -6, -2}));
}

TEST(UnpackBitsandbytes, ReadsEightBits) {
  const Tensor w = unpack({{"l.weight", bytes({2, 2}, {127, 0x81, 0, 64})}, {"l.SCB", f32({2}, {2, 127})}, {"l.weight_format", bytes({}, {0})}},
                          settings("bitsandbytes", R"({"load_in_8bit": true})", "torch.float32"));
  EXPECT_EQ(to_f32(w), (Values{2, -2, 0, 64}));
}

TEST(UnpackBitsandbytes, RefusesWhatDoesNotFit) {
  const auto q = settings("bitsandbytes", "{}");
  const auto tensors = [&](const std::string& json, std::size_t n_bytes = 512, int64_t n_scales = 16) {
    return std::vector<NamedTensor>{{"l.weight", bytes({static_cast<int64_t>(n_bytes), 1}, std::vector<uint8_t>(n_bytes))},
                                    {"l.weight.absmax", f32({n_scales}, Values(static_cast<std::size_t>(n_scales), 1))},
                                    {"l.weight.quant_map", f32({16}, kNf4)},
                                    {kState, text(json)}};
  };
  refuses(tensors(state("", "float32", "[4, 255]")), q, "does not hold the 1020 4-bit codes of shape [4, 255]");
  refuses(tensors(state("", "float32", "[1099511627776, 1099511627776]")), q, "says a shape of");
  refuses(tensors(state("", "float32", "[-4, 256]")), q, "says a shape of [-4, 256]");
  refuses(tensors(state("", "float32", "\"x\"")), q, "no \"shape\"");
  refuses(tensors("[]"), q, "not an object");
  refuses(tensors("{"), q, "not valid JSON");
  refuses(tensors(state(""), 512, 15), q, "weight.absmax has shape [15], 16 values are needed");
  auto stateless = tensors(state(""));
  stateless.pop_back();
  refuses(stateless, q, "its tensor weight.quant_state.bitsandbytes__fp4 is missing");
  refuses({{"l.weight", bytes({2, 2}, {1, 2, 3, 4})}, {"l.SCB", f32({1}, {1})}}, q, "SCB has shape [1], 2 values are needed");
}

// ---- compressed-tensors ----

TEST(UnpackCompressed, ReadsPackedIntegersWithAndWithoutZeros) {
  Random random(5);
  for (const int bits : {2, 4, 8}) {
    const int64_t in = 20, out = 9, groups = 2, per_word = 32 / bits;  // the last words are not full
    const int half = 1 << (bits - 1);
    std::vector<int> codes, zeros;
    Values scales;
    for (int64_t i = 0; i < in * out; ++i) codes.push_back(static_cast<int>(random.below(uint64_t{1} << bits)) - half);
    for (int64_t i = 0; i < out * groups; ++i) {
      zeros.push_back(static_cast<int>(random.below(uint64_t{1} << bits)) - half);
      scales.push_back(f16_to_f32(f32_to_f16(static_cast<float>(random.uniform()))));
    }
    std::vector<uint32_t> packed;
    for (int64_t o = 0; o < out; ++o) {
      std::vector<int> row;
      for (int64_t k = 0; k < in; ++k) row.push_back(codes[static_cast<std::size_t>(o * in + k)] + half);
      for (const uint32_t word : stream_of(row, bits)) packed.push_back(word);
    }
    const int64_t n_words = (in + per_word - 1) / per_word, zero_rows = (out + per_word - 1) / per_word;
    std::vector<uint32_t> packed_zeros(static_cast<std::size_t>(zero_rows * groups));
    for (int64_t g = 0; g < groups; ++g) {
      std::vector<int> column;
      for (int64_t o = 0; o < out; ++o) column.push_back(zeros[static_cast<std::size_t>(o * groups + g)] + half);
      const auto words = stream_of(column, bits);
      for (int64_t r = 0; r < zero_rows; ++r) packed_zeros[static_cast<std::size_t>(r * groups + g)] = words[static_cast<std::size_t>(r)];
    }
    std::vector<NamedTensor> tensors = {{"l.weight_packed", i32({out, n_words}, packed)},
                                        {"l.weight_scale", f16({out, groups}, scales)},
                                        {"l.weight_shape", tensor(DType::kI64, {2}, std::vector<int64_t>{out, in})}};
    const auto q = settings("compressed-tensors", fmt::format(R"({{"format": "pack-quantized", "config_groups": {{"group_0": {{"weights": {{"num_bits": {}}}}}}}}})", bits));
    for (const bool with_zeros : {false, true}) {
      if (with_zeros) tensors.push_back({"l.weight_zero_point", i32({zero_rows, groups}, packed_zeros)});
      const Values values = to_f32(unpack(tensors, q));
      for (int64_t o = 0; o < out; ++o) {
        for (int64_t k = 0; k < in; ++k) {
          const auto g = static_cast<std::size_t>(o * groups + k / 10);
          const float exact = scales[g] * static_cast<float>(codes[static_cast<std::size_t>(o * in + k)] - (with_zeros ? zeros[g] : 0));
          ASSERT_EQ(values[static_cast<std::size_t>(o * in + k)], f16_to_f32(f32_to_f16(exact))) << bits;
        }
      }
    }
    auto scaleless = tensors;
    scaleless.erase(scaleless.begin() + 1);
    refuses(scaleless, q, "weight_scale is missing");
    tensors[2].tensor = tensor(DType::kI64, {2}, std::vector<int64_t>{out, in + 100});
    refuses(tensors, q, "weight_shape does not fit");
  }
}

TEST(UnpackCompressed, ReadsBytesWithOneScaleARow) {
  const auto q = settings("compressed-tensors", R"({"format": "int-quantized"})");
  const Tensor w = unpack({{"l.weight", bytes({2, 2}, {1, 0xFF, 127, 0x80})}, {"l.weight_scale", f32({2, 1}, {0.5f, 2})}, {"l.input_scale", f32({1}, {1})}}, q);
  EXPECT_EQ(to_f32(w), (Values{0.5f, -0.5f, 254, -256}));
  refuses({{"l.weight", f32({1, 1}, {1})}, {"l.weight_scale", f32({1, 1}, {1})}}, q, "weight is F32 [1, 1], it must be I8");
}

// ---- BitNet ----

TEST(UnpackBitnet, ReadsFourRowsFromEachByteRow) {
  const auto q = settings("bitnet", R"({"linear_class": "autobitlinear", "quantization_mode": "offline"})");
  const Tensor w = unpack({{"l.weight", bytes({2, 2}, {0b10100001, 0b00011000, 0b10010000, 0b00001010})}, {"l.weight_scale", f16({1}, {2})}}, q);
  EXPECT_EQ(w.dtype, DType::kF16);
  EXPECT_EQ(to_f32(w), (Values{0, -2, -2, 2, -2, 2, -2, 2, 2, 0, 0, -2, 2, -2, 2, -2}));
  refuses({{"l.weight", bytes({1, 1}, {0xFF})}, {"l.weight_scale", f16({1}, {2})}}, q, "not ternary in row 0");
}

TEST(UnpackBitnet, GivesBlocksWhereRowsAllowIt) {
  Random random(9);
  std::vector<uint8_t> packed;
  for (int i = 0; i < 3 * 512; ++i) {
    uint8_t byte = 0;
    for (int j = 0; j < 4; ++j) byte = static_cast<uint8_t>(byte | random.below(3) << (2 * j));
    packed.push_back(byte);
  }
  const Tensor w = unpack({{"l.weight", bytes({3, 512}, packed)}, {"l.weight_scale", f32({1}, {4})}}, settings("bitnet", "{}"));
  ASSERT_EQ(w.dtype, DType::kTQ2_0);
  const Values values = to_f32(w);
  for (std::size_t o = 0; o < 12; ++o) {
    for (std::size_t k = 0; k < 512; ++k) {
      const int code = packed[o % 3 * 512 + k] >> (2 * (o / 3)) & 3;
      ASSERT_EQ(values[o * 512 + k], 0.25f * static_cast<float>(code - 1));
    }
  }
}

// ---- Which method ----

TEST(FindQuantization, ReadsTheConfigOrTheFilesOfOlderTools) {
  const TemporaryFolder folder;
  const auto find = [&](const char* json) { return find_quantization(parse_json(json, "t"), folder.path()); };
  EXPECT_FALSE(find("{}").has_value());
  EXPECT_EQ(find(R"({"quantization_config": {"quant_method": "awq"}, "torch_dtype": "float16"})")->dtype, "float16");
  EXPECT_EQ(find(R"({"quantization_config": {"load_in_4bit": true}})")->method, "bitsandbytes");
  folder.write("quant_config.json", R"({"w_bit": 4, "q_group_size": 128})");
  EXPECT_EQ(find("{}")->method, "awq");
  folder.write("quantize_config.json", R"({"bits": 4, "group_size": 128})");
  EXPECT_EQ(find("{}")->method, "gptq");
}

TEST(FindQuantization, RefusesOtherMethodsByName) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& json, std::string_view part, ErrorCode code = ErrorCode::kUnsupported) {
    expect_refused([&] { find_quantization(parse_json(json, "t"), folder.path()); }, code, part);
  };
  refused(R"({"quantization_config": {"quant_method": "exl3"}})", "weights packed by the method 'exl3' are not read; take the unpacked model");
  refused(R"({"quantization_config": {"quant_method": "fp8"}})", "'fp8'");
  refused(R"({"quantization_config": {"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}})", "in the format 'nvfp4-pack-quantized'");
  refused(R"({"quantization_config": {"quant_method": "bitnet", "quantization_mode": "online"}})", "in the mode 'online'");
  refused(R"({"quantization_config": [1]})", "must be an object", ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace minnow
