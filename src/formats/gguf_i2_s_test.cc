#include "formats/gguf_i2_s.h"

#include <functional>
#include <vector>

#include "formats/test_bytes.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

using testing::Bytes;

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// A file of bitnet.cpp, written by hand: one tensor of `rows` rows of 256.
struct BitnetFile {
  std::string architecture = "bitnet-b1.58";
  uint32_t file_type = 40;
  uint32_t type = 36;
  int rows = 2;
  float scale = 0.625f;
  std::size_t cut = 0, more = 0;

  // -1, 0 or 1.
  static int value(int i) { return (i * i + i / 7) % 3 - 1; }

  std::string bytes() const {
    Bytes b;
    b.raw("GGUF").u32(3).u64(1).u64(2);
    b.text("general.architecture").u32(8).text(architecture);
    b.text("general.file_type").u32(4).u32(file_type);
    b.text("blk.0.attn_q.weight").u32(2).u64(256).u64(static_cast<uint64_t>(rows)).u32(type).u64(0).pad_to(32);
    for (int group = 0; group < 2 * rows; ++group) {
      for (int p = 0; p < 32; ++p) {
        int byte = 0;
        for (int quarter = 0; quarter < 4; ++quarter) byte = byte << 2 | (value(128 * group + 32 * quarter + p) + 1);
        b.u8(static_cast<uint8_t>(byte));
      }
    }
    b.f32(scale).zeros(28 + more);
    return b.str().substr(0, b.str().size() - cut);
  }
};

GgufFile parse(const std::string& text) { return GgufFile::parse(testing::as_span(text), "x.gguf"); }

TEST(GgufI2S, ReadsCodesAndTheScaleBehindThem) {
  const std::string text = BitnetFile{}.bytes();
  const GgufFile file = parse(text);
  const Tensor& tensor = *file.find("blk.0.attn_q.weight");
  EXPECT_EQ(tensor.dtype, DType::kI2_S);
  EXPECT_EQ(tensor.shape, (Shape{2, 256}));
  const std::vector<float> values = to_f32(tensor);
  for (int i = 0; i < 512; ++i) ASSERT_EQ(values[static_cast<std::size_t>(i)], 0.625f * static_cast<float>(BitnetFile::value(i))) << i;
}

TEST(GgufI2S, TheIdMeansThisTypeOnlyInAFileOfThatType) {
  EXPECT_NO_THROW(parse(BitnetFile{.architecture = "llama"}.bytes())) << "bitnet.cpp converts other architectures as well";
  EXPECT_EQ(refusal([] { parse(BitnetFile{.file_type = 2}.bytes()); }),
            "x.gguf: tensor 'blk.0.attn_q.weight' has type 36 (unknown or retired), which minnow does not read; take a file of "
            "another type, such as Q4_K_M, Q8_0 or F16");
}

TEST(GgufI2S, TypesThatAreShuffledForOneCpuAreRefusedByName) {
  EXPECT_EQ(refusal([] { parse(BitnetFile{.file_type = 39, .type = 39}.bytes()); }),
            "x.gguf: tensor 'blk.0.attn_q.weight' has type 39 (TL2), which minnow does not read; it is shuffled for one CPU; take "
            "the I2_S file of the model");
  EXPECT_THAT(refusal([] { parse(BitnetFile{.type = 39}.bytes()); }), ::testing::HasSubstr("(TL2)"));
  EXPECT_THAT(refusal([] { parse(BitnetFile{.file_type = 38, .type = 38}.bytes()); }), ::testing::HasSubstr("(TL1)"));
  // Anywhere else the same id is MXFP4, of which two rows take 272 bytes.
  const std::string elsewhere = BitnetFile{.architecture = "llama", .file_type = 39, .type = 39, .more = 200}.bytes();
  EXPECT_EQ(parse(elsewhere).tensors()[0].tensor.dtype, DType::kMXFP4);
  const std::string mxfp4 = BitnetFile{.file_type = 2, .type = 39, .more = 200}.bytes();
  EXPECT_EQ(parse(mxfp4).tensors()[0].tensor.dtype, DType::kMXFP4);
}

TEST(GgufI2S, RefusesCutFilesAndRowsThatAreNotWholeBlocks) {
  for (const std::size_t cut : {1u, 28u, 32u, 33u, 159u}) {
    EXPECT_THAT(refusal([&] { parse(BitnetFile{.cut = cut}.bytes()); }), ::testing::HasSubstr("leaves the file")) << cut;
  }
  std::string text = BitnetFile{}.bytes();
  const std::size_t at = text.find(std::string("\x02\0\0\0\0\1\0\0\0\0\0\0", 12)) + 4;
  text[at] = 64, text[at + 1] = 0;
  EXPECT_THAT(refusal([&] { parse(text); }), ::testing::HasSubstr("rows of 64 elements are not whole blocks of 128 (I2_S)"));
}

TEST(GgufI2S, ComesBackByteForByte) {
  const testing::TemporaryFolder folder;
  const std::string text = BitnetFile{.rows = 5}.bytes();
  const GgufFile file = parse(text);
  GgufWriter writer(file.metadata());
  writer.add("blk.0.attn_q.weight", file.tensors()[0].tensor);
  EXPECT_EQ(writer.data_bytes(), 5 * 64 + 32u);
  uint64_t told = 0;
  writer.write(folder / "again.gguf", [&](uint64_t done) { told = done; });
  EXPECT_EQ(told, writer.data_bytes());
  const std::string again = read_text_file(folder / "again.gguf", 1 << 20);
  ASSERT_EQ(again.size(), text.size());
  // The fork leaves the bytes behind the scale to chance.
  EXPECT_EQ(again.substr(0, again.size() - 28), text.substr(0, text.size() - 28));
}

TEST(GgufI2S, TheWriterRefusesWhatNoReaderCouldTell) {
  const testing::TemporaryFolder folder;
  const std::string text = BitnetFile{}.bytes();
  const GgufFile file = parse(text);
  GgufMetadata metadata = file.metadata();
  metadata.set("general.file_type", uint32_t{15});
  GgufWriter writer(metadata);
  writer.add("w.weight", file.tensors()[0].tensor);
  EXPECT_THAT(refusal([&] { writer.write(folder / "x.gguf"); }), ::testing::HasSubstr("tensor 'w.weight' is I2_S, which only a file"));
  EXPECT_FALSE(std::filesystem::exists(folder / "x.gguf"));
}

TEST(GgufI2S, PiecesOfAnySizeGiveTheSameBytesAndTwoScalesAreABug) {
  const std::string text = BitnetFile{.rows = 3}.bytes();
  const GgufFile file = parse(text);
  const std::span<const std::byte> blocks = file.tensors()[0].tensor.span();
  const auto written = [](std::span<const std::byte> all, std::size_t size) {
    std::string out;
    const ByteSink sink = [&](std::span<const std::byte> p) { out.append(reinterpret_cast<const char*>(p.data()), p.size()); };
    gguf::I2sFileForm form(sink);
    for (; all.size() > size; all = all.subspan(size)) form.take(all.first(size));
    form.take(all);
    form.finish();
    return out;
  };
  const std::string whole = written(blocks, blocks.size());
  EXPECT_EQ(whole.size(), 3 * 64 + 32u);
  for (const std::size_t size : {1u, 5u, 35u, 36u, 37u, 100u}) EXPECT_EQ(written(blocks, size), whole) << size;
  std::vector<std::byte> other(blocks.begin(), blocks.end());
  other[36] ^= std::byte{1};
  EXPECT_THROW(written(other, other.size()), Error);
}

}  // namespace
}  // namespace minnow
