#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "formats/packed/test_layers.h"

namespace minnow {
namespace {

using namespace packed_test;

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
    for (int64_t i = 0; i < in * out; ++i)
      codes.push_back(static_cast<int>(random.below(uint64_t{1} << bits)));
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
      for (int64_t w = 0; w < words_in; ++w)
        qweight[static_cast<std::size_t>(w * out + o)] = words[static_cast<std::size_t>(w)];
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
        const auto q =
            settings("gptq", fmt::format(R"({{"bits": {}, "group_size": {}, "checkpoint_format": "{}"}})",
                                         bits, group_size, v2 ? "gptq_v2" : "gptq"));
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
  const Tensor w = unpack({{"l.qweight", i32({1, 8}, same)},
                           {"l.qzeros", i32({1, 1}, {0x77777777u})},
                           {"l.scales", f16({1, 8}, Values(8, 0.5f))}},
                          q);
  for (int64_t o = 0; o < 8; ++o) {
    for (int64_t k = 0; k < 8; ++k)
      EXPECT_EQ(to_f32(w)[static_cast<std::size_t>(8 * o + k)], 0.5f * static_cast<float>(k - 8));
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
  refuses(without(3), settings("gptq", R"({"bits": 4, "group_size": 48000})"),
          "64 inputs in groups of 48000 do not make the 2 groups");
  refuses(without(3), settings("gptq", R"({"bits": 4, "group_size": 0})"), "groups of 0");
  refuses(without(3), settings("gptq", R"({"bits": 4, "group_size": -7})"), "group_size");
  refuses(without(3), settings("gptq", R"({"bits": 5})"), "bits \"5\" is not unpacked, only 2, 3, 4 and 8",
          ErrorCode::kUnsupported);
  refuses(without(3), settings("gptq", R"({"bits": 3})"), "no whole number of 3-bit codes");
  refuses(without(3), settings("gptq", R"({"bits": 4, "checkpoint_format": "marlin"})"), "marlin",
          ErrorCode::kUnsupported);
}

// ---- AWQ ----

TEST(UnpackAwq, ReadsOutputsInTheirOrder) {
  // Codes 0 to 7 in outputs 0 to 7 of every input; zeros 8 - output.
  const auto q = settings("awq", R"({"bits": 4, "group_size": 2, "version": "GEMM"})");
  const Tensor w = unpack({{"l.qweight", i32({4, 1}, std::vector<uint32_t>(4, 0x75316420u))},
                           {"l.qzeros", i32({2, 1}, {0x75316420u, 0u})},
                           {"l.scales", f16({2, 8}, Values(16, 0.25f))}},
                          q);
  ASSERT_EQ(w.shape, (Shape{8, 4}));
  const Values values = to_f32(w);
  for (int o = 0; o < 8; ++o) {
    const float second = 0.25f * static_cast<float>(o);
    EXPECT_EQ(Values(values.begin() + 4 * o, values.begin() + 4 * o + 4), (Values{0, 0, second, second}))
        << o;
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
      for (unsigned i = 0; i < 8; ++i)
        words[w] |= static_cast<uint32_t>(rows[8 * w + static_cast<std::size_t>(kOrder[i])]) << (4 * i);
    }
    return words;
  };
  const Tensor w = unpack({{"l.qweight", i32({in, out / 8}, pack(codes))},
                           {"l.qzeros", i32({groups, out / 8}, pack(zeros))},
                           {"l.scales", f16({groups, out}, scales)}},
                          settings("awq", R"({"w_bit": 4, "q_group_size": 16})"));
  const Values values = to_f32(w);
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t k = 0; k < in; ++k) {
      const auto g = static_cast<std::size_t>(k / 16 * out + o);
      const float exact =
          scales[g] * static_cast<float>(codes[static_cast<std::size_t>(k * out + o)] - zeros[g]);
      EXPECT_EQ(values[static_cast<std::size_t>(o * in + k)], f16_to_f32(f32_to_f16(exact)));
    }
  }
  refuses({{"l.qweight", i32({4, 1}, {0, 0, 0, 0})}}, settings("awq", R"({"bits": 4, "version": "gemv"})"),
          "version \"gemv\" is not unpacked", ErrorCode::kUnsupported);
  refuses({{"l.qweight", i32({4, 1}, {0, 0, 0, 0})}}, settings("awq", R"({"bits": 8})"), "bits \"8\"",
          ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace minnow
