// Real files, ours and strangers': each is read, or refused with one line.
#include <cstring>

#include "formats/gguf.h"
#include "formats/llama2c.h"
#include "formats/safetensors.h"
#include "formats/safetensors_header.h"
#include "formats/test_bytes.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

using testing::shared_data;

std::vector<std::filesystem::path> files_under(const std::filesystem::path& folder, std::string_view ending) {
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::is_directory(folder)) return found;
  for (const auto& e : std::filesystem::recursive_directory_iterator(folder)) {
    if (e.is_regular_file() && e.path().string().ends_with(ending)) found.push_back(e.path());
  }
  return found;
}

// "" when read, else the error.
std::string outcome(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Fixtures, OfStrangeGgufsAreReadOrRefusedInOneLine) {
  const auto files = files_under(shared_data() / "data/conformance/gguf", ".gguf");
  if (files.empty()) GTEST_SKIP() << "the conformance files are not on this machine";
  int read = 0;
  for (const auto& path : files) {
    const std::string error = outcome([&] { GgufFile::open(path); });
    EXPECT_EQ(error.find('\n'), std::string::npos) << path;
    EXPECT_TRUE(error.empty() || error.starts_with(path.string())) << error;
    read += error.empty() ? 1 : 0;
  }
  // Only mini.gguf (a key cut off by a wrong length) and tiny.gguf (no data behind its tensor) break the
  // format.
  EXPECT_EQ(read, static_cast<int>(files.size()) - 2);
  const auto folder = shared_data() / "data/conformance/gguf";
  EXPECT_THAT(outcome([&] { GgufFile::open(folder / "weight-inspect/tiny.gguf"); }),
              ::testing::HasSubstr("leaves the file"));
  EXPECT_NE(outcome([&] { GgufFile::open(folder / "minimal-and-bad/mini.gguf"); }), "");
}

TEST(Fixtures, OfRealModelsAreRead) {
  auto files = files_under(shared_data() / "conformance", ".gguf");
  for (const char* more : {"data/tokenizers/ggml-vocab", "data/models/stories260k"}) {
    for (auto& path : files_under(shared_data() / more, ".gguf")) files.push_back(path);
  }
  if (files.empty()) GTEST_SKIP() << "the conformance files are not on this machine";
  for (const auto& path : files) {
    EXPECT_EQ(outcome([&] {
                EXPECT_FALSE(GgufFile::open(path).metadata().text("general.architecture", "").empty());
              }),
              "");
  }
}

TEST(Fixtures, OfRealSafetensorsAreRead) {
  const auto files = files_under(shared_data() / "data/models", ".safetensors");
  if (files.empty()) GTEST_SKIP() << "the model files are not on this machine";
  for (const auto& path : files) {
    EXPECT_EQ(outcome([&] { EXPECT_FALSE(Safetensors::open(path).tensors().empty()); }), "");
  }
}

TEST(Fixtures, OfSafetensorsWithBytesLeftOverAreRefused) {
  const auto path = shared_data() / "data/conformance/gguf/weight-inspect/tiny.safetensors";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "the conformance files are not on this machine";
  EXPECT_THAT(outcome([&] { Safetensors::open(path); }),
              ::testing::HasSubstr("take 32768 bytes, but 32773 follow"));
}

TEST(Fixtures, OfRealModelsSurviveBeingWrittenAgain) {
  const auto path = shared_data() / "data/models/stories260k/stories260K-F16.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "the model files are not on this machine";
  const testing::TemporaryFolder folder;
  const GgufFile before = GgufFile::open(path);
  GgufWriter writer(before.metadata());
  for (const auto& [name, tensor] : before.tensors()) writer.add(name, tensor);
  writer.write(folder / "again.gguf");
  EXPECT_EQ(read_text_file(folder / "again.gguf", 1 << 24), read_text_file(path, 1 << 24));
}

// Flips and cuts of real headers: never a crash; under a sanitizer, never a bad access.
TEST(Fixtures, OfRealModelsAreReadOrRefusedWithAnyByteSpoiled) {
  const auto path = shared_data() / "data/models/stories260k/stories260K-F16.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "the model files are not on this machine";
  std::string bytes = read_text_file(path, 1 << 24);
  for (std::size_t at = 0; at < 4096; ++at) {
    const char before = bytes[at];
    bytes[at] = static_cast<char>(before ^ (1 << (at % 8)));
    outcome([&] { GgufFile::parse(testing::as_span(bytes), "f"); });
    bytes[at] = before;
    const std::string cut = bytes.substr(0, at);
    EXPECT_NE(outcome([&] { GgufFile::parse(testing::as_span(cut), "f"); }), "") << at;
  }
}

// Findings of the fuzz targets. A file there once broke something; now it is read, or refused in one line.
TEST(Fixtures, OfFuzzingAreReadOrRefusedInOneLine) {
  const auto root = std::filesystem::path(MINNOW_SOURCE_DIR) / "fuzz/regress";
  const auto replay = [&](const char* target, auto parse) {
    for (const auto& path : files_under(root / target, "")) {
      const std::string bytes = read_text_file(path, 1 << 24);
      EXPECT_EQ(outcome([&] { parse(testing::as_span(bytes), "input"); }).find('\n'), std::string::npos)
          << path;
    }
  };
  replay("gguf", GgufFile::parse);
  replay("safetensors", Safetensors::parse);
  replay("safetensors_index", [](std::span<const std::byte> bytes, const std::string& source) {
    safetensors::parse_index({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, source);
  });
  replay("llama2c", Llama2cFile::parse);
}

class Stories : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = shared_data() / "data/models/stories260k";
    if (!std::filesystem::exists(folder_)) GTEST_SKIP() << "the stories260k model is not on this machine";
  }
  std::filesystem::path folder_;
};

TEST_F(Stories, HoldTheSameNumbersInGgufAndInBothLlama2cForms) {
  const GgufFile gguf = GgufFile::open(folder_ / "stories260K-f32.gguf");
  const Llama2cFile legacy = Llama2cFile::open(folder_ / "stories260K.bin");
  const Llama2cFile version_1 = Llama2cFile::open(folder_ / "stories260K_v1.bin");
  EXPECT_EQ(legacy.header().seq_len, 512);
  EXPECT_EQ(version_1.header().n_kv_heads, 4);
  ASSERT_EQ(legacy.tensors().size(), 2u + 5 * 9);
  ASSERT_EQ(version_1.tensors().size(), legacy.tensors().size());
  for (const auto& [name, tensor] : legacy.tensors()) {
    const Tensor* other = version_1.find(name);
    ASSERT_NE(other, nullptr) << name;
    EXPECT_EQ(other->shape, tensor.shape) << name;
    EXPECT_TRUE(std::ranges::equal(other->span(), tensor.span())) << name;
    const Tensor* third = gguf.find(name);
    ASSERT_NE(third, nullptr) << name;
    EXPECT_EQ(third->shape, tensor.shape) << name;
    EXPECT_TRUE(std::ranges::equal(third->span(), tensor.span())) << name;
  }
}

// GGUF keeps the two halves of a rotary pair next to each other, Hugging Face half a head apart: row 2i + s
// of a head there is row i + s * head_size / 2 here.
std::vector<float> interleaved(const Tensor& t, int n_heads) {
  const auto columns = t.shape.last();
  const auto head = t.shape.rows() / n_heads;
  const std::vector<float> in = to_f32(t);
  std::vector<float> out(in.size());
  for (int64_t r = 0; r < t.shape.rows(); ++r) {
    const int64_t from = r / head * head + (r % head) / 2 + (r % 2) * (head / 2);
    std::copy_n(in.begin() + from * columns, columns, out.begin() + r * columns);
  }
  return out;
}

TEST_F(Stories, HoldTheSameNumbersInGgufAndSafetensors) {
  const GgufFile gguf = GgufFile::open(folder_ / "stories260K-f32.gguf");
  const Safetensors hf = Safetensors::open(folder_ / "hf/model.safetensors");
  EXPECT_EQ(Safetensors::open(folder_ / "hf").tensors().size(), hf.tensors().size());
  EXPECT_EQ(to_f32(*hf.find("model.embed_tokens.weight")), to_f32(*gguf.find("token_embd.weight")));
  EXPECT_EQ(to_f32(*hf.find("model.norm.weight")), to_f32(*gguf.find("output_norm.weight")));
  const std::pair<const char*, const char*> kinds[] = {
      {"input_layernorm", "attn_norm"},    {"self_attn.v_proj", "attn_v"},
      {"self_attn.o_proj", "attn_output"}, {"post_attention_layernorm", "ffn_norm"},
      {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
      {"mlp.down_proj", "ffn_down"},
  };
  for (int layer = 0; layer < 5; ++layer) {
    const auto in_hf = [&](const char* kind) {
      return *hf.find(fmt::format("model.layers.{}.{}.weight", layer, kind));
    };
    const auto in_gguf = [&](const char* kind) {
      return to_f32(*gguf.find(fmt::format("blk.{}.{}.weight", layer, kind)));
    };
    for (const auto& [theirs, ours] : kinds) EXPECT_EQ(to_f32(in_hf(theirs)), in_gguf(ours)) << layer << ours;
    EXPECT_EQ(interleaved(in_hf("self_attn.q_proj"), 8), in_gguf("attn_q")) << layer;
    EXPECT_EQ(interleaved(in_hf("self_attn.k_proj"), 4), in_gguf("attn_k")) << layer;
  }
}

}  // namespace
}  // namespace minnow
