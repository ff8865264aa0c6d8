// Written files are read back, alone and as parts of a split model.
#include <chrono>
#include <numeric>

#include "formats/gguf.h"
#include "formats/test_bytes.h"

namespace minnow {
namespace {

using testing::expect_refused;
using testing::TemporaryFolder;

Tensor counting(const Shape& shape) {
  std::vector<float> values(shape.elements());
  std::iota(values.begin(), values.end(), 1.0f);
  return Tensor::from_f32(values, shape);
}

// One value of every kind.
GgufMetadata every_kind() {
  GgufMetadata m("made here");
  m.set("general.architecture", std::string("llama"));
  m.set("u8", uint8_t{1});
  m.set("i8", int8_t{-1});
  m.set("u16", uint16_t{2});
  m.set("i16", int16_t{-2});
  m.set("u32", uint32_t{3});
  m.set("i32", int32_t{-3});
  m.set("f32", 1.5f);
  m.set("bool", true);
  m.set("bytes", std::string("any \xff bytes\0", 13));
  m.set("u64", ~uint64_t{0});
  m.set("i64", INT64_MIN);
  m.set("f64", -2.5);
  m.set("a.u8", std::vector<uint8_t>{1, 2});
  m.set("a.i8", std::vector<int8_t>{-1});
  m.set("a.u16", std::vector<uint16_t>{});
  m.set("a.i16", std::vector<int16_t>{-7});
  m.set("a.u32", std::vector<uint32_t>{7, 8, 9});
  m.set("a.i32", std::vector<int32_t>{-9});
  m.set("a.f32", std::vector<float>{0.5f, -0.5f});
  m.set("a.bool", GgufBoolArray{{1, 0, 1}});
  m.set("a.string", std::vector<std::string>{"", "x", std::string(100, 'y')});
  m.set("a.u64", std::vector<uint64_t>{1});
  m.set("a.i64", std::vector<int64_t>{-1});
  m.set("a.f64", std::vector<double>{3.25});
  return m;
}

TEST(GgufWriter, WritesWhatTheReaderReads) {
  const TemporaryFolder folder;
  const auto path = folder / "model.gguf";
  const Tensor a = counting({3, 5});
  const Tensor b = counting({2, 2, 2, 2});
  Tensor q = Tensor::allocate(DType::kQ8_0, {2, 64}, nullptr);
  GgufWriter writer(every_kind());
  writer.add("a", a);
  writer.add("b", b);
  writer.add("q", q);
  writer.add("scalar", counting({}));
  uint64_t last = 0;
  writer.write(path, [&](uint64_t done) {
    EXPECT_GE(done, last);
    last = done;
  });
  EXPECT_EQ(last, writer.data_bytes());
  EXPECT_EQ(writer.data_bytes(), 60u + 64 + 136 + 4);

  const GgufFile file = GgufFile::open(path);
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.metadata().entries(), every_kind().entries());
  EXPECT_EQ(file.file_bytes(), std::filesystem::file_size(path));
  ASSERT_EQ(file.tensors().size(), 4u);
  for (const auto& [name, expected] : {std::pair("a", a), {"b", b}, {"q", q}}) {
    const Tensor* read = file.find(name);
    ASSERT_NE(read, nullptr) << name;
    EXPECT_EQ(read->shape, expected.shape);
    EXPECT_EQ(read->dtype, expected.dtype);
    EXPECT_TRUE(std::ranges::equal(read->span(), expected.span())) << name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(read->data) % 32, 0u);
  }
  EXPECT_EQ(file.find("scalar")->shape, (Shape{1}));
}

TEST(GgufWriter, ObeysTheAlignmentOfTheMetadata) {
  const TemporaryFolder folder;
  GgufMetadata m("f");
  m.set("general.alignment", uint32_t{4096});
  GgufWriter writer(m);
  writer.add("a", counting({3}));
  writer.add("b", counting({3}));
  writer.write(folder / "model.gguf");
  const GgufFile file = GgufFile::open(folder / "model.gguf");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.find("b")->data) % 4096, 0u);
  m.set("general.alignment", uint32_t{48});
  expect_refused([&] { GgufWriter(m).write(folder / "other.gguf"); }, ErrorCode::kInvalidInput,
                 "'general.alignment'");
}

TEST(GgufWriter, TakesTensorsInPieces) {
  const TemporaryFolder folder;
  const Tensor a = counting({100});
  GgufWriter writer(GgufMetadata("f"));
  writer.add("a", DType::kF32, {100}, [&](const GgufWriter::Sink& sink) {
    sink(a.span().first(1));
    sink(a.span().subspan(1, 0));
    sink(a.span().subspan(1));
  });
  writer.write(folder / "model.gguf");
  const GgufFile file = GgufFile::open(folder / "model.gguf");
  EXPECT_TRUE(std::ranges::equal(file.find("a")->span(), a.span()));
}

TEST(GgufWriter, LeavesNothingWhenAProducerFails) {
  const TemporaryFolder folder;
  const Tensor a = counting({100});
  for (const std::size_t n : {std::size_t{399}, std::size_t{0}}) {
    GgufWriter writer(GgufMetadata("f"));
    writer.add("a", DType::kF32, {100}, [&](const auto& sink) { sink(a.span().first(n)); });
    expect_refused([&] { writer.write(folder / "model.gguf"); }, ErrorCode::kInternal, "400 bytes");
  }
  GgufWriter writer(GgufMetadata("f"));
  writer.add("a", DType::kF32, {99}, [&](const auto& sink) { sink(a.span()); });
  expect_refused([&] { writer.write(folder / "model.gguf"); }, ErrorCode::kInternal, "396 bytes");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(GgufWriter, RefusesWhatTheReaderWouldRefuse) {
  const TemporaryFolder folder;
  const auto path = folder / "model.gguf";
  const Tensor a = counting({2});
  GgufWriter twice(GgufMetadata("f"));
  twice.add("a", a);
  twice.add("a", a);
  expect_refused([&] { twice.write(path); }, ErrorCode::kInvalidInput, "two tensors are named 'a'");
  GgufWriter nameless(GgufMetadata("f"));
  nameless.add("", a);
  expect_refused([&] { nameless.write(path); }, ErrorCode::kInvalidInput, "cannot be a tensor's name");
  GgufMetadata m("f");
  m.set("\xff", true);
  expect_refused([&] { GgufWriter(m).write(path); }, ErrorCode::kInvalidInput, "cannot be a metadata key");
  expect_refused([&] { twice.add("empty", counting({0})); }, ErrorCode::kInvalidInput, "is empty");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

// Writes part `number` (from 0) of a split model, holding one tensor named t<number>.
void write_part(const TemporaryFolder& folder, int number, int count, int all_tensors = -1, int says = -1) {
  GgufMetadata m("f");
  if (number == 0) m.set("general.architecture", std::string("llama"));
  m.set("split.no", static_cast<uint16_t>(says < 0 ? number : says));
  m.set("split.count", static_cast<uint16_t>(count));
  if (all_tensors >= 0) m.set("split.tensors.count", all_tensors);
  GgufWriter writer(m);
  writer.add(fmt::format("t{}", number), counting({number + 1}));
  writer.write(folder / fmt::format("m-{:05}-of-{:05}.gguf", number + 1, count));
}

TEST(GgufSplit, JoinsAllParts) {
  const TemporaryFolder folder;
  for (int i = 0; i < 3; ++i) write_part(folder, i, 3, 3);
  const GgufFile file = GgufFile::open(folder / "m-00001-of-00003.gguf");
  EXPECT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.find("t2")->shape, (Shape{3}));
  EXPECT_EQ(file.metadata().entries().size(), 1u);
  EXPECT_EQ(file.metadata().require_text("general.architecture"), "llama");
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) bytes += entry.file_size();
  EXPECT_EQ(file.file_bytes(), bytes);
}

TEST(GgufSplit, RefusesIncompleteAndMixedSets) {
  const TemporaryFolder folder;
  const auto first = folder / "m-00001-of-00003.gguf";
  const auto open_first = [&] { GgufFile::open(first); };
  write_part(folder, 0, 3, 3);
  write_part(folder, 1, 3, 3);
  expect_refused(open_first, ErrorCode::kNotFound, "m-00003-of-00003.gguf");
  write_part(folder, 2, 3, 3, 1);
  expect_refused(open_first, ErrorCode::kInvalidInput, "says it is part 2 of 3");
  write_part(folder, 2, 3, 3);
  EXPECT_NO_THROW(open_first());
  expect_refused([&] { GgufFile::open(folder / "m-00002-of-00003.gguf"); }, ErrorCode::kInvalidInput,
                 "open its first part, 'm-00001-of-00003.gguf'");
  write_part(folder, 0, 3, 4);
  expect_refused(open_first, ErrorCode::kInvalidInput, "split.tensors.count is 4");
  std::filesystem::rename(first, folder / "renamed.gguf");
  expect_refused([&] { GgufFile::open(folder / "renamed.gguf"); }, ErrorCode::kInvalidInput,
                 "must be named *-00001-of-00003.gguf");
}

TEST(GgufSplit, RefusesTheSameTensorInTwoParts) {
  const TemporaryFolder folder;
  for (int i = 0; i < 2; ++i) {
    GgufMetadata m("f");
    m.set("split.no", static_cast<uint16_t>(i));
    m.set("split.count", uint16_t{2});
    GgufWriter writer(m);
    writer.add("t", counting({4}));
    writer.write(folder / fmt::format("m-{:05}-of-00002.gguf", i + 1));
  }
  expect_refused([&] { GgufFile::open(folder / "m-00001-of-00002.gguf"); }, ErrorCode::kInvalidInput,
                 "two tensors are named 't'");
}

TEST(GgufFile, IsRecognisedByItsMagic) {
  const TemporaryFolder folder;
  EXPECT_TRUE(looks_like_gguf(folder.write("a", "GGUF....")));
  EXPECT_FALSE(looks_like_gguf(folder.write("b", "GGU")));
  EXPECT_FALSE(looks_like_gguf(folder.path()));
  EXPECT_FALSE(looks_like_gguf(folder / "absent"));
}

TEST(GgufFile, OpensAQuarterMillionTokensFast) {
  const TemporaryFolder folder;
  std::vector<std::string> tokens(250'000);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = fmt::format("token number {}", i);
  GgufMetadata m("f");
  m.set("tokenizer.ggml.tokens", tokens);
  m.set("tokenizer.ggml.scores", std::vector<float>(tokens.size()));
  GgufWriter(m).write(folder / "vocab.gguf");
  const auto begin = std::chrono::steady_clock::now();
  const GgufFile file = GgufFile::open(folder / "vocab.gguf");
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(*file.metadata().strings("tokenizer.ggml.tokens"), tokens);
  RecordProperty("milliseconds", fmt::format("{:.1f}", took.count()));
  // A plain build takes 10 to 20; the bounds leave room for busy machines, and for sanitizers without optimization.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  EXPECT_LT(took.count(), 20'000);
#else
  EXPECT_LT(took.count(), 500);
#endif
}

}  // namespace
}  // namespace minnow
