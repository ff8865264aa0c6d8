#include "formats/llama2c.h"

#include <numeric>

#include "base/limits.h"
#include "formats/test_bytes.h"

namespace minnow {
namespace {

using testing::as_span;
using testing::Bytes;
using testing::expect_refused;

// dim 8, hidden 12, 2 layers, 2 heads, 1 kv head, 10 tokens, 6 positions.
struct Sample {
  std::vector<int32_t> numbers = {8, 12, 2, 2, 1, 10, 6};
  bool shared = true;

  // Floats of all tensors: the embedding, the layers, the last norm, and what the forms add.
  int floats() const { return 10 * 8 + 2 * (8 + 64 + 32 + 32 + 64 + 8 + 3 * 96) + 8 + (shared ? 0 : 80); }

  std::string legacy(int more = 0) const {
    Bytes out;
    for (int32_t n : numbers) out.put(n);
    for (int i = 0; i < floats() + 2 * 6 * 2 + more; ++i) out.f32(static_cast<float>(i));
    return out.str();
  }
  std::string version_1(int32_t version = 1, int more = 0) const {
    Bytes out;
    out.u32(0x616b3432).put(version);
    for (int32_t n : numbers) out.put(n);
    out.u8(shared ? 1 : 0).pad_to(256);
    for (int i = 0; i < floats() + more; ++i) out.f32(static_cast<float>(i));
    return out.str();
  }
};

void refuses(const std::string& bytes, std::string_view part, ErrorCode code = ErrorCode::kInvalidInput) {
  expect_refused([&] { Llama2cFile::parse(as_span(bytes), "m.bin"); }, code, part);
}

TEST(Llama2c, ReadsTheLegacyForm) {
  const std::string bytes = Sample{}.legacy();
  const Llama2cFile file = Llama2cFile::parse(as_span(bytes), "m.bin");
  EXPECT_EQ(file.header().version, 0);
  EXPECT_EQ(file.header().hidden_dim, 12);
  EXPECT_EQ(file.header().vocab_size, 10);
  EXPECT_TRUE(file.header().shared_classifier);
  EXPECT_EQ(file.tensors().size(), 2u + 2 * 9);
  EXPECT_EQ(file.find("output.weight"), nullptr);
  EXPECT_EQ(file.find("token_embd.weight")->f32()[0], 0);
  EXPECT_EQ(file.find("blk.0.attn_norm.weight")->f32()[0], 80);
  EXPECT_EQ(file.find("blk.1.attn_q.weight")->f32()[0], 80 + 16 + 64);
  EXPECT_EQ(file.find("blk.1.attn_k.weight")->shape, (Shape{4, 8}));
  EXPECT_EQ(file.find("blk.0.ffn_down.weight")->shape, (Shape{8, 12}));
  EXPECT_EQ(file.find("output_norm.weight")->f32()[7], Sample{}.floats() - 1);
}

TEST(Llama2c, ReadsAClassifierOfItsOwn) {
  Sample sample{.shared = false};
  const std::string v1 = sample.version_1();
  const Llama2cFile file = Llama2cFile::parse(as_span(v1), "m.bin");
  EXPECT_EQ(file.header().version, 1);
  EXPECT_FALSE(file.header().shared_classifier);
  EXPECT_EQ(file.find("blk.0.attn_norm.weight")->f32()[0], 0);
  EXPECT_EQ(file.find("output_norm.weight")->f32()[0], 4 * 8);
  EXPECT_EQ(file.find("token_embd.weight")->f32()[0], 5 * 8);
  EXPECT_EQ(file.find("output.weight")->f32()[79], sample.floats() - 1);

  sample.numbers[5] = -10;
  const std::string legacy = sample.legacy();
  const Llama2cFile old = Llama2cFile::parse(as_span(legacy), "m.bin");
  EXPECT_EQ(old.header().vocab_size, 10);
  EXPECT_FALSE(old.header().shared_classifier);
  // After the two rotary tables of 6 x 2.
  EXPECT_EQ(old.find("output.weight")->f32()[0], sample.floats() - 80 + 24);
}

TEST(Llama2c, RefusesOtherVersionsByName) {
  refuses(Sample{}.version_1(2), "version 2 (Q8_0)", ErrorCode::kUnsupported);
  refuses(Sample{}.version_1(3), "version 3", ErrorCode::kUnsupported);
  refuses(Sample{}.version_1(-1), "version -1", ErrorCode::kUnsupported);
}

TEST(Llama2c, RefusesEveryTruncationAndEveryRest) {
  for (const std::string& whole : {Sample{}.legacy(), Sample{}.version_1()}) {
    for (std::size_t n = 0; n < whole.size(); ++n) {
      const std::string cut = whole.substr(0, n);
      EXPECT_THROW(Llama2cFile::parse(as_span(cut), "m.bin"), Error) << n;
    }
  }
  refuses(Sample{}.legacy(1), "is it a whole llama2.c checkpoint?");
  refuses(Sample{}.version_1(1, 1), "is it a whole llama2.c checkpoint?");
}

TEST(Llama2c, RefusesHeadersThatCannotBe) {
  const auto with = [](int field, int32_t value) {
    Sample sample;
    sample.numbers[field] = value;
    return sample;
  };
  for (int field = 0; field < 7; ++field) {
    for (const int32_t value : {0, INT32_MIN, INT32_MAX}) {
      refuses(with(field, value).legacy(), "is it a llama2.c checkpoint?");
      refuses(with(field, value).version_1(), "is it a llama2.c checkpoint?");
    }
    if (field != 5) refuses(with(field, -1).legacy(), "is it a llama2.c checkpoint?");
  }
  refuses(with(5, -10).version_1(), "vocab_size");
  refuses(with(3, 3).legacy(), "n_heads is 3");
  refuses(with(3, 8).legacy(), "heads of even size");
  refuses(with(4, 3).legacy(), "n_kv_heads is 3");
  refuses(with(2, limits::kMaxLayers).legacy(), "promises");
  Sample huge{.numbers = {1 << 20, 1 << 20, 1024, 2, 2, 4 << 20, 1 << 24}};
  refuses(huge.legacy(), "promises");
  std::string bad_flag = Sample{}.version_1();
  bad_flag[36] = 2;
  refuses(bad_flag, "shared_classifier is 2");
}

}  // namespace
}  // namespace minnow
