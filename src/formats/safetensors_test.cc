#include "formats/safetensors.h"

#include <numeric>

#include "base/limits.h"
#include "formats/test_bytes.h"

namespace minnow {
namespace {

using testing::as_span;
using testing::Bytes;
using testing::expect_refused;
using testing::TemporaryFolder;

std::string file_of(const std::string& header, std::size_t data_bytes) {
  return Bytes().text(header).zeros(data_bytes).str();
}

Safetensors parse(const std::string& bytes) { return Safetensors::parse(as_span(bytes), "t.safetensors"); }

void refuses(const std::string& bytes, std::string_view part, ErrorCode code = ErrorCode::kInvalidInput) {
  expect_refused([&] { parse(bytes); }, code, part);
}

// The header of one tensor "w" of 2 x 2 f32 with one part replaced.
std::string entry(std::string_view fields) { return fmt::format("{{\"w\":{{{}}}}}", fields); }

constexpr std::string_view kGood = R"("dtype":"F32","shape":[2,2],"data_offsets":[0,16])";

TEST(Safetensors, ReadsTensorsAndMetadata) {
  const std::string header =
      R"({"__metadata__":{"format":"pt","a":"b"},"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
      R"("b":{"shape":[3],"data_offsets":[16,22],"dtype":"BF16"}}    )";
  const std::string bytes = file_of(header, 22);
  const Safetensors file = parse(bytes);
  EXPECT_THAT(file.metadata(),
              ::testing::UnorderedElementsAre(std::pair<std::string, std::string>("format", "pt"),
                                              std::pair<std::string, std::string>("a", "b")));
  ASSERT_EQ(file.tensors().size(), 2u);
  EXPECT_EQ(file.tensors()[0].name, "w");
  EXPECT_EQ(file.find("w")->shape, (Shape{2, 2}));
  EXPECT_EQ(file.find("b")->dtype, DType::kBF16);
  EXPECT_EQ(file.find("b")->bytes(), 6u);
  EXPECT_EQ(file.find("c"), nullptr);
  EXPECT_EQ(file.file_bytes(), bytes.size());
}

TEST(Safetensors, ReadsEveryTypeThatHasADType) {
  for (const auto& [word, dtype, size] : {std::tuple("F64", DType::kF64, 8),
                                          {"F32", DType::kF32, 4},
                                          {"F16", DType::kF16, 2},
                                          {"BF16", DType::kBF16, 2},
                                          {"I64", DType::kI64, 8},
                                          {"I32", DType::kI32, 4},
                                          {"I16", DType::kI16, 2},
                                          {"I8", DType::kI8, 1},
                                          {"U8", DType::kI8, 1},
                                          {"BOOL", DType::kI8, 1}}) {
    const std::string header =
        entry(fmt::format(R"("dtype":"{}","shape":[3],"data_offsets":[0,{}])", word, 3 * size));
    EXPECT_EQ(parse(file_of(header, 3 * size)).find("w")->dtype, dtype);
  }
  for (const char* word : {"F8_E4M3", "F8_E5M2", "U16", "U32", "U64", "C64", "f32", ""}) {
    const std::string header = entry(fmt::format(R"("dtype":"{}","shape":[3],"data_offsets":[0,3])", word));
    refuses(file_of(header, 3), fmt::format("tensor 'w' has type '{}'", word), ErrorCode::kUnsupported);
  }
}

TEST(Safetensors, ReadsScalarsAndEmptyTensors) {
  EXPECT_EQ(
      parse(file_of(entry(R"("dtype":"F32","shape":[],"data_offsets":[0,4])"), 4)).find("w")->shape.rank(),
      0);
  EXPECT_EQ(
      parse(file_of(entry(R"("dtype":"F32","shape":[0,7],"data_offsets":[0,0])"), 0)).find("w")->bytes(), 0u);
  EXPECT_TRUE(parse(file_of("{}", 0)).tensors().empty());
  // Two empty tensors and a full one at the same place.
  const std::string three =
      R"({"a":{"dtype":"I8","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},)"
      R"("c":{"dtype":"I8","shape":[0],"data_offsets":[1,1]}})";
  EXPECT_EQ(parse(file_of(three, 1)).tensors().size(), 3u);
}

TEST(Safetensors, AlignsTensorsThatTheFileDoesNot) {
  std::vector<float> values = {1, -2, 3, 4};
  for (int pad = 0; pad < 8; ++pad) {
    const std::string bytes = Bytes()
                                  .text(entry(kGood) + std::string(pad, ' '))
                                  .raw({reinterpret_cast<const char*>(values.data()), 16})
                                  .str();
    const Tensor w = *parse(bytes).find("w");
    ASSERT_EQ(reinterpret_cast<uintptr_t>(w.data) % 4, 0u);
    // Only a copy outlives the bytes here, so compare while both are there.
    EXPECT_EQ(w.f32()[1], -2);
  }
}

TEST(Safetensors, RefusesHeaderLengthsThatLie) {
  const std::string good = file_of(entry(kGood), 16);
  EXPECT_NO_THROW(parse(good));
  for (const uint64_t length : {uint64_t{1} << 20, limits::kMaxSafetensorsHeader}) {
    refuses(Bytes().u64(length).raw(good.substr(8)).str(), "truncated");
  }
  for (const uint64_t length : {limits::kMaxSafetensorsHeader + 1, uint64_t{1} << 63, ~uint64_t{0}}) {
    refuses(Bytes().u64(length).raw(good.substr(8)).str(), "at most", ErrorCode::kLimit);
  }
  refuses(Bytes().u64(0).raw(good.substr(8)).str(), "does not begin with {");
}

TEST(Safetensors, RefusesEveryTruncation) {
  const std::string whole = file_of(entry(kGood), 16);
  for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_THROW(parse(whole.substr(0, n)), Error) << n;
}

TEST(Safetensors, RefusesWhatIsNotAHeader) {
  for (const char* header : {"",
                             " {}",
                             "\xef\xbb\xbf{}",
                             "[]",
                             "null",
                             "{",
                             "{}{}",
                             "{}x",
                             "{\"w\":1}",
                             "{\"w\":[]}",
                             "{\"w\":null}",
                             "{\"w\":{}}",
                             "{\"w\":\"x\"}",
                             "{\"__metadata__\":[]}",
                             "{\"__metadata__\":{\"a\":1}}",
                             "{\"__metadata__\":{\"a\":{}}}",
                             "{\"__metadata__\":null}",
                             "{\"w\xff\":{}}",
                             "{\"\":{}}",
                             "{'w':{}}",
                             "{\"w\":{},}",
                             "{\"w\":{\"dtype\":{\"dtype\":\"F32\"}}}"}) {
    EXPECT_THROW(parse(file_of(header, 0)), Error) << header;
  }
  refuses(file_of(R"({"w":{"dtype":"F32","shape":[[[[)", 0),
          "an array where it does not belong, in the entry 'w'");
  refuses(file_of("{" + std::string(100'000, '['), 0), "not valid JSON");
  refuses(file_of(std::string("{}\0 hidden", 10), 0), "a zero byte");
}

TEST(Safetensors, RefusesBadEntries) {
  const auto bad = [](std::string_view fields, std::string_view part) {
    refuses(file_of(entry(fields), 16), part);
  };
  bad(R"("dtype":"F32","shape":[2,2])", "lacks");
  bad(R"("dtype":"F32","data_offsets":[0,16])", "lacks");
  bad(R"("shape":[2,2],"data_offsets":[0,16])", "lacks");
  bad(R"("dtype":"F32","dtype":"F32","shape":[2,2],"data_offsets":[0,16])", "second time");
  bad(R"("dtype":"F32","shape":[4],"shape":[2,2],"data_offsets":[0,16])", "second time");
  bad(R"("dtype":"F32","shape":[2,2],"data_offsets":[0,16],"more":1)", "the field 'more'");
  bad(R"("dtype":7,"shape":[2,2],"data_offsets":[0,16])", "a number");
  bad(R"("dtype":"F32","shape":"2,2","data_offsets":[0,16])", "a string");
  bad(R"("dtype":"F32","shape":[2.0,2],"data_offsets":[0,16])", "not a 64-bit integer");
  bad(R"("dtype":"F32","shape":[-2,-2],"data_offsets":[0,16])", "a negative number");
  bad(R"("dtype":"F32","shape":[2,2],"data_offsets":[0])", "not a begin and an end");
  bad(R"("dtype":"F32","shape":[2,2],"data_offsets":[16,0])", "not a begin and an end");
  bad(R"("dtype":"F32","shape":[2,2],"data_offsets":[0,16,16])", "more than 2 data_offsets");
  bad(R"("dtype":"F32","shape":[2,2],"data_offsets":[0,12])", "takes 16 bytes");
  bad(R"("dtype":"F32","shape":[2,3],"data_offsets":[0,16])", "takes 24 bytes");
  bad(R"("dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,16])", "past 2^63");
  bad(R"("dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,16])", "not a 64-bit integer");
  bad(R"("dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16])", "too large");
  bad(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])", "too large");
  refuses(file_of(entry(R"("dtype":"F32","shape":[1,1,1,2,2],"data_offsets":[0,16])"), 16),
          "more than 4 dimensions", ErrorCode::kUnsupported);
}

TEST(Safetensors, RefusesRepeatedNames) {
  const std::string w0 = R"("w":{"dtype":"I8","shape":[1],"data_offsets":[0,1]})";
  const std::string w1 = R"("w":{"dtype":"I8","shape":[1],"data_offsets":[1,2]})";
  refuses(file_of("{" + w0 + "," + w1 + "}", 2), "two tensors are named 'w'");
  refuses(file_of(R"({"__metadata__":{"a":"1","a":"2"}})", 0), "'a' occurs twice");
  refuses(file_of(R"({"__metadata__":{},"__metadata__":{}})", 0), "__metadata__ occurs twice");
}

TEST(Safetensors, RefusesHolesOverlapsAndRests) {
  const auto two = [](int begin, int end, std::size_t data) {
    return file_of(fmt::format(R"({{"a":{{"dtype":"I8","shape":[4],"data_offsets":[0,4]}},)"
                               R"("b":{{"dtype":"I8","shape":[{}],"data_offsets":[{},{}]}}}})",
                               end - begin, begin, end),
                   data);
  };
  EXPECT_NO_THROW(parse(two(4, 8, 8)));
  refuses(two(5, 8, 8), "after a hole");
  refuses(two(3, 8, 8), "inside another tensor");
  refuses(two(0, 4, 4), "inside another tensor");
  refuses(two(4, 8, 9), "cut short");
  refuses(two(4, 8, 7), "cut short");
  refuses(file_of("{}", 1), "cut short");
}

TEST(SafetensorsWriter, WritesWhatTheReaderReads) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const Tensor f32 = Tensor::from_f32(values, {2, 3});
  std::byte* bytes = nullptr;
  const Tensor bf16 = Tensor::allocate(DType::kBF16, {3}, &bytes);
  bytes[1] = std::byte{0x3f};
  SafetensorsWriter writer;
  writer.set_metadata("name", "a \"quoted\" name\n");
  writer.add("half", bf16);
  writer.add("full", f32);
  writer.add("scalar", Tensor::from_f32(std::span(values).first(1), {}));
  uint64_t last = 0;
  writer.write_file(folder / "m.safetensors", [&](uint64_t done) { last = done; });
  EXPECT_EQ(last, writer.data_bytes());
  const Safetensors file = Safetensors::open(folder / "m.safetensors");
  EXPECT_EQ(file.metadata(), (Safetensors::TextPairs{{"format", "pt"}, {"name", "a \"quoted\" name\n"}}));
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_TRUE(std::ranges::equal(file.find("half")->span(), bf16.span()));
  EXPECT_TRUE(std::ranges::equal(file.find("full")->span(), f32.span()));
  EXPECT_EQ(file.find("full")->shape, f32.shape);
  EXPECT_EQ(file.find("scalar")->shape.rank(), 0);
}

TEST(SafetensorsWriter, RefusesOtherTypesAndBadNames) {
  const TemporaryFolder folder;
  SafetensorsWriter writer;
  expect_refused([&] { writer.add("q", DType::kQ8_0, {32}, {}); }, ErrorCode::kUnsupported, "Q8_0");
  writer.add("__metadata__", Tensor::from_f32({}, {0}));
  expect_refused([&] { writer.write_file(folder / "m.safetensors"); }, ErrorCode::kInvalidInput,
                 "__metadata__");
  expect_refused([&] { writer.set_metadata("a", "\xff"); }, ErrorCode::kInvalidInput, "UTF-8");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

// Five tensors t0 … t4 of 100 bytes.
SafetensorsWriter five() {
  SafetensorsWriter writer;
  for (int i = 0; i < 5; ++i) {
    writer.add(fmt::format("t{}", i), Tensor::from_f32(std::vector<float>(25, static_cast<float>(i)), {25}));
  }
  return writer;
}

std::vector<std::string> names_in(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const auto& e : std::filesystem::directory_iterator(folder.path()))
    names.push_back(e.path().filename());
  std::ranges::sort(names);
  return names;
}

TEST(SafetensorsFolder, IsDividedIntoShardsAndJoinedAgain) {
  const TemporaryFolder folder;
  uint64_t last = 0;
  five().write_folder(folder.path(), 250, [&](uint64_t done) { last = done; });
  EXPECT_EQ(last, 500u);
  EXPECT_THAT(names_in(folder),
              ::testing::ElementsAre("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                                     "model-00003-of-00003.safetensors", "model.safetensors.index.json"));
  const Safetensors model = Safetensors::open(folder.path());
  ASSERT_EQ(model.tensors().size(), 5u);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(model.find(fmt::format("t{}", i))->f32()[24], static_cast<float>(i));
  EXPECT_EQ(model.metadata(), (Safetensors::TextPairs{{"format", "pt"}}));
}

TEST(SafetensorsFolder, ReplacesAnOlderModelWhole) {
  const TemporaryFolder folder;
  five().write_folder(folder.path(), 1000);
  EXPECT_THAT(names_in(folder), ::testing::ElementsAre("model.safetensors"));
  five().write_folder(folder.path(), 50);
  EXPECT_EQ(names_in(folder).size(), 6u);
  EXPECT_EQ(Safetensors::open(folder.path()).tensors().size(), 5u);
  five().write_folder(folder.path(), 500);
  EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors.index.json"));
  EXPECT_EQ(Safetensors::open(folder.path()).tensors().size(), 5u);
}

TEST(SafetensorsFolder, TakesTheOnlyFileWhateverItsName) {
  const TemporaryFolder folder;
  expect_refused([&] { Safetensors::open(folder.path()); }, ErrorCode::kNotFound, "no .safetensors file");
  five().write_file(folder / "adapter_model.safetensors");
  EXPECT_EQ(Safetensors::open(folder.path()).tensors().size(), 5u);
  five().write_file(folder / "other.safetensors");
  expect_refused([&] { Safetensors::open(folder.path()); }, ErrorCode::kInvalidInput, "2 .safetensors files");
}

TEST(SafetensorsFolder, RefusesAnIndexThatLies) {
  const TemporaryFolder folder;
  five().write_folder(folder.path(), 250);
  const auto refuses_index = [&](std::string_view index, std::string_view part,
                                 ErrorCode code = ErrorCode::kInvalidInput) {
    folder.write("model.safetensors.index.json", index);
    expect_refused([&] { Safetensors::open(folder.path()); }, code, part);
  };
  const std::string s1 = "model-00001-of-00003.safetensors", s2 = "model-00002-of-00003.safetensors";
  const auto map = [](const std::string& entries) {
    return "{\"metadata\":{},\"weight_map\":{" + entries + "}}";
  };
  refuses_index(map("\"t0\":\"" + s1 + "\""), "tensor 't1' lies in this shard");
  refuses_index(map("\"t0\":\"" + s1 + "\",\"t1\":\"" + s2 + "\""), "tensor 't1' lies in this shard");
  refuses_index(map("\"t0\":\"" + s1 + "\",\"t1\":\"" + s1 + "\",\"t9\":\"" + s1 + "\""),
                "puts 3 tensors here, but 2");
  refuses_index(map("\"t0\":\"" + s1 + "\",\"t0\":\"" + s1 + "\""), "'t0' occurs twice");
  refuses_index(map("\"t0\":\"absent.safetensors\""), "absent.safetensors", ErrorCode::kNotFound);
  for (const char* name : {"../m.safetensors", "/etc/m.safetensors", "a/b.safetensors", "..", ".", "",
                           ".safetensors", "a\\\\b.safetensors", "a\\u0000.safetensors", "model.bin"}) {
    refuses_index(map(fmt::format("\"t0\":\"{}\"", name)), "is not the plain name");
  }
  for (const char* bad :
       {"", "[]", "{}", "7", "{\"weight_map\":[]}", "{\"weight_map\":7}", "{\"weight_map\":{\"a\":7}}",
        "{\"weight_map\":{\"a\":{}}}", "{\"weight_map\":{\"a\":[]}}", "{\"weight_map\":{},\"weight_map\":{}}",
        "{\"x\":{\"weight_map\":{}}}"}) {
    refuses_index(bad, "index.json");
  }
  refuses_index("{\"x\":" + std::string(1000, '[') + std::string(1000, ']') + "}", "nested deeper",
                ErrorCode::kLimit);
}

TEST(SafetensorsFolder, PassesOverOtherPartsOfTheIndex) {
  const TemporaryFolder folder;
  five().write_file(folder / "a.safetensors");
  std::string map;
  for (int i = 0; i < 5; ++i) map += fmt::format("{}\"t{}\":\"a.safetensors\"", i > 0 ? "," : "", i);
  folder.write(
      "model.safetensors.index.json",
      "{\"metadata\":{\"total_size\":500.0,\"x\":[1,-2,null,true,{\"y\":[\"z\"]}]},\"weight_map\":{" + map +
          "},\"after\":\"text\"}");
  EXPECT_EQ(Safetensors::open(folder.path()).tensors().size(), 5u);
}

}  // namespace
}  // namespace minnow
