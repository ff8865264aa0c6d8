#include "formats/packed/unpack_quantized.h"

#include "base/random.h"
#include "formats/packed/test_layers.h"

namespace minnow {
namespace {

using namespace packed_test;

using testing::expect_refused;
using testing::TemporaryFolder;

// ---- compressed-tensors ----

TEST(UnpackCompressed, ReadsPackedIntegersWithAndWithoutZeros) {
  Random random(5);
  for (const int bits : {2, 4, 8}) {
    const int64_t in = 20, out = 9, groups = 2, per_word = 32 / bits;  // the last words are not full
    const int half = 1 << (bits - 1);
    std::vector<int> codes, zeros;
    Values scales;
    for (int64_t i = 0; i < in * out; ++i)
      codes.push_back(static_cast<int>(random.below(uint64_t{1} << bits)) - half);
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
      for (int64_t o = 0; o < out; ++o)
        column.push_back(zeros[static_cast<std::size_t>(o * groups + g)] + half);
      const auto words = stream_of(column, bits);
      for (int64_t r = 0; r < zero_rows; ++r)
        packed_zeros[static_cast<std::size_t>(r * groups + g)] = words[static_cast<std::size_t>(r)];
    }
    std::vector<NamedTensor> tensors = {
        {"l.weight_packed", i32({out, n_words}, packed)},
        {"l.weight_scale", f16({out, groups}, scales)},
        {"l.weight_shape", tensor(DType::kI64, {2}, std::vector<int64_t>{out, in})}};
    const auto q = settings(
        "compressed-tensors",
        fmt::format(
            R"({{"format": "pack-quantized", "config_groups": {{"group_0": {{"weights": {{"num_bits": {}}}}}}}}})",
            bits));
    for (const bool with_zeros : {false, true}) {
      if (with_zeros) tensors.push_back({"l.weight_zero_point", i32({zero_rows, groups}, packed_zeros)});
      const Values values = to_f32(unpack(tensors, q));
      for (int64_t o = 0; o < out; ++o) {
        for (int64_t k = 0; k < in; ++k) {
          const auto g = static_cast<std::size_t>(o * groups + k / 10);
          const float exact = scales[g] * static_cast<float>(codes[static_cast<std::size_t>(o * in + k)] -
                                                             (with_zeros ? zeros[g] : 0));
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
  const Tensor w = unpack({{"l.weight", bytes({2, 2}, {1, 0xFF, 127, 0x80})},
                           {"l.weight_scale", f32({2, 1}, {0.5f, 2})},
                           {"l.input_scale", f32({1}, {1})}},
                          q);
  EXPECT_EQ(to_f32(w), (Values{0.5f, -0.5f, 254, -256}));
  refuses({{"l.weight", f32({1, 1}, {1})}, {"l.weight_scale", f32({1, 1}, {1})}}, q,
          "weight is F32 [1, 1], it must be I8");
}

// ---- BitNet ----

TEST(UnpackBitnet, ReadsFourRowsFromEachByteRow) {
  const auto q = settings("bitnet", R"({"linear_class": "autobitlinear", "quantization_mode": "offline"})");
  const Tensor w = unpack({{"l.weight", bytes({2, 2}, {0b10100001, 0b00011000, 0b10010000, 0b00001010})},
                           {"l.weight_scale", f16({1}, {2})}},
                          q);
  EXPECT_EQ(w.dtype, DType::kF16);
  EXPECT_EQ(to_f32(w), (Values{0, -2, -2, 2, -2, 2, -2, 2, 2, 0, 0, -2, 2, -2, 2, -2}));
  refuses({{"l.weight", bytes({1, 1}, {0xFF})}, {"l.weight_scale", f16({1}, {2})}}, q,
          "not ternary in row 0");
}

TEST(UnpackBitnet, GivesBlocksWhereRowsAllowIt) {
  Random random(9);
  std::vector<uint8_t> packed;
  for (int i = 0; i < 3 * 512; ++i) {
    uint8_t byte = 0;
    for (int j = 0; j < 4; ++j) byte = static_cast<uint8_t>(byte | random.below(3) << (2 * j));
    packed.push_back(byte);
  }
  const Tensor w = unpack({{"l.weight", bytes({3, 512}, packed)}, {"l.weight_scale", f32({1}, {4})}},
                          settings("bitnet", "{}"));
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
  EXPECT_EQ(find(R"({"quantization_config": {"quant_method": "awq"}, "torch_dtype": "float16"})")->dtype,
            "float16");
  EXPECT_EQ(find(R"({"quantization_config": {"load_in_4bit": true}})")->method, "bitsandbytes");
  folder.write("quant_config.json", R"({"w_bit": 4, "q_group_size": 128})");
  EXPECT_EQ(find("{}")->method, "awq");
  folder.write("quantize_config.json", R"({"bits": 4, "group_size": 128})");
  EXPECT_EQ(find("{}")->method, "gptq");
}

TEST(FindQuantization, RefusesOtherMethodsByName) {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& json, std::string_view part,
                           ErrorCode code = ErrorCode::kUnsupported) {
    expect_refused([&] { find_quantization(parse_json(json, "t"), folder.path()); }, code, part);
  };
  refused(R"({"quantization_config": {"quant_method": "exl3"}})",
          "weights packed by the method 'exl3' are not read; take the unpacked model");
  refused(R"({"quantization_config": {"quant_method": "fp8"}})", "'fp8'");
  refused(
      R"({"quantization_config": {"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}})",
      "in the format 'nvfp4-pack-quantized'");
  refused(R"({"quantization_config": {"quant_method": "bitnet", "quantization_mode": "online"}})",
          "in the mode 'online'");
  refused(R"({"quantization_config": [1]})", "must be an object", ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace minnow
