// The GGUF reader: what it accepts, and every reason for which it refuses.
#include "formats/gguf.h"

#include "base/limits.h"
#include "formats/test_bytes.h"

namespace minnow {
namespace {

using testing::as_span;
using testing::Bytes;
using testing::expect_refused;

constexpr uint32_t kU8 = 0, kU32 = 4, kF32 = 6, kBoolType = 7, kStringType = 8, kArrayType = 9;

// Header of a file with one tensor "w" of 4 x 2 f32, which tests spoil in one place each.
struct OneTensor {
  uint32_t version = 3;
  uint64_t n_tensors = 1;
  uint64_t n_entries = 1;
  std::string entries = Bytes().text("general.architecture").u32(kStringType).text("llama").str();
  std::string name = "w";
  uint32_t rank = 2;
  std::vector<uint64_t> dims = {4, 2};
  uint32_t type = 0;
  uint64_t offset = 0;
  std::string more_tensors;
  std::size_t data_bytes = 32;
  std::size_t alignment = 32;

  std::string bytes() const {
    Bytes out;
    out.raw("GGUF").u32(version).u64(n_tensors).u64(n_entries).raw(entries);
    out.text(name).u32(rank);
    for (const uint64_t d : dims) out.u64(d);
    out.u32(type).u64(offset).raw(more_tensors).pad_to(alignment).zeros(data_bytes);
    return out.str();
  }
};

std::string tensor_entry(std::string_view name, std::vector<uint64_t> dims, uint32_t type, uint64_t offset) {
  Bytes out;
  out.text(name).u32(dims.size());
  for (const uint64_t d : dims) out.u64(d);
  return out.u32(type).u64(offset).str();
}

// A file of metadata only.
std::string with_entries(uint64_t count, const std::string& entries) {
  return Bytes().raw("GGUF").u32(3).u64(0).u64(count).raw(entries).str();
}

void parse(const std::string& bytes) { GgufFile::parse(as_span(bytes), "test.gguf"); }

void refuses(const std::string& bytes, ErrorCode code, std::string_view part) {
  expect_refused([&] { parse(bytes); }, code, part);
}

TEST(Gguf, ReadsTensorsAndMetadata) {
  const std::string bytes = OneTensor{}.bytes();
  const GgufFile file = GgufFile::parse(as_span(bytes), "test.gguf");
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.file_bytes(), bytes.size());
  EXPECT_EQ(file.metadata().require_text("general.architecture"), "llama");
  ASSERT_EQ(file.tensors().size(), 1u);
  const Tensor* w = file.find("w");
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->shape, (Shape{2, 4}));
  EXPECT_EQ(w->dtype, DType::kF32);
  EXPECT_EQ(w->data, as_span(bytes).data() + bytes.size() - 32);
  EXPECT_EQ(file.find("x"), nullptr);
  EXPECT_EQ(file.find(""), nullptr);
}

TEST(Gguf, ReadsVersionTwo) { EXPECT_NO_THROW(parse(OneTensor{.version = 2}.bytes())); }

TEST(Gguf, RefusesOtherVersionsByName) {
  refuses(OneTensor{.version = 1}.bytes(), ErrorCode::kUnsupported, "GGUF version 1");
  refuses(OneTensor{.version = 4}.bytes(), ErrorCode::kUnsupported, "GGUF version 4");
  refuses(OneTensor{.version = 0}.bytes(), ErrorCode::kUnsupported, "GGUF version 0");
  refuses(OneTensor{.version = 0x03000000}.bytes(), ErrorCode::kUnsupported, "big-endian");
}

TEST(Gguf, RefusesOtherFiles) {
  refuses("GGML and more, of the years before", ErrorCode::kInvalidInput, "not a GGUF file");
  refuses("", ErrorCode::kInvalidInput, "truncated");
  refuses("GGUF", ErrorCode::kInvalidInput, "truncated");
}

TEST(Gguf, RefusesEveryTruncation) {
  const std::string whole = OneTensor{}.bytes();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const std::string cut = whole.substr(0, n);
    EXPECT_THROW(parse(cut), Error) << n << " of " << whole.size() << " bytes";
  }
}

TEST(Gguf, RefusesCountsThatTheFileCannotHold) {
  for (const uint64_t n : {uint64_t{2}, uint64_t{1} << 19}) {
    refuses(OneTensor{.n_tensors = n}.bytes(), ErrorCode::kInvalidInput, "test.gguf");
  }
  for (const uint64_t n : {uint64_t{1} << 32, uint64_t{1} << 63, ~uint64_t{0}}) {
    refuses(OneTensor{.n_tensors = n}.bytes(), ErrorCode::kLimit, "at most");
    refuses(OneTensor{.n_entries = n}.bytes(), ErrorCode::kLimit, "at most");
  }
  refuses(OneTensor{.n_entries = 5000}.bytes(), ErrorCode::kInvalidInput, "truncated");
}

TEST(Gguf, RefusesStringsPastTheEnd) {
  const auto entry = [](uint64_t length) {
    return with_entries(1, Bytes().text("key").u32(kStringType).u64(length).raw("abc").str());
  };
  EXPECT_NO_THROW(parse(entry(3)));
  refuses(entry(4), ErrorCode::kInvalidInput, "truncated");
  refuses(entry(1 << 20), ErrorCode::kInvalidInput, "truncated");
  refuses(entry(limits::kMaxStringBytes + 1), ErrorCode::kLimit, "at most");
  refuses(entry(~uint64_t{0}), ErrorCode::kLimit, "at most");
}

TEST(Gguf, RefusesBadKeys) {
  const auto key = [](std::string_view k) {
    return with_entries(1, Bytes().text(k).u32(kU8).u8(1).zeros(4).str());
  };
  EXPECT_NO_THROW(parse(key("ключ")));
  refuses(key(""), ErrorCode::kInvalidInput, "metadata key");
  refuses(key("a\xff"), ErrorCode::kInvalidInput, "UTF-8");
  refuses(key("a\xed\xa0\x80"), ErrorCode::kInvalidInput, "UTF-8");
  refuses(key(std::string(limits::kMaxKeyBytes + 1, 'k')), ErrorCode::kInvalidInput, "metadata key");
}

TEST(Gguf, RefusesRepeatedKeys) {
  const std::string entry = Bytes().text("key").u32(kU8).u8(1).str();
  const std::string other = Bytes().text("kez").u32(kU8).u8(1).str();
  refuses(with_entries(3, entry + other + entry), ErrorCode::kInvalidInput, "'key' occurs twice");
}

TEST(Gguf, KeepsErrorsOnOneLineWhateverTheKey) {
  const std::string entry = Bytes().text("a\nb\x1b[31m" + std::string(5000, 'x')).u32(77).zeros(8).str();
  refuses(with_entries(1, entry), ErrorCode::kInvalidInput, "'a\\x0ab\\x1b[31mxx");
}

TEST(Gguf, AcceptsValuesThatAreNotText) {
  const std::string bytes = with_entries(1, Bytes().text("key").u32(kStringType).text("\xff\xfe\n").str());
  EXPECT_EQ(GgufFile::parse(as_span(bytes), "f").metadata().require_text("key"), "\xff\xfe\n");
}

TEST(Gguf, RefusesUndefinedValueTypes) {
  refuses(with_entries(1, Bytes().text("key").u32(13).zeros(8).str()), ErrorCode::kInvalidInput,
          "value type 13");
  refuses(with_entries(1, Bytes().text("key").u32(kArrayType).u32(13).u64(0).str()), ErrorCode::kInvalidInput,
          "value type 13");
}

TEST(Gguf, RefusesBoolsThatAreNeitherTrueNorFalse) {
  refuses(with_entries(1, Bytes().text("key").u32(kBoolType).u8(2).str()), ErrorCode::kInvalidInput,
          "a bool is 2");
  refuses(with_entries(1, Bytes().text("key").u32(kArrayType).u32(kBoolType).u64(2).u8(1).u8(9).str()),
          ErrorCode::kInvalidInput, "a bool is 9");
}

TEST(Gguf, RefusesArraysThatTheFileCannotHoldBeforeAllocatingThem) {
  for (const uint32_t type : {kU8, kF32, kBoolType, kStringType, 10u, 12u}) {
    const auto array = [&](uint64_t count) {
      return with_entries(1, Bytes().text("key").u32(kArrayType).u32(type).u64(count).zeros(4).str());
    };
    // The whole array is named, not one of its elements.
    refuses(array(1000), ErrorCode::kInvalidInput, "truncated: array of");
    refuses(array(limits::kMaxArrayElements), ErrorCode::kInvalidInput, "truncated: array of");
    refuses(array(uint64_t{1} << 61), ErrorCode::kLimit, "at most");
    refuses(array(uint64_t{1} << 63), ErrorCode::kLimit, "at most");
  }
}

TEST(Gguf, RefusesArraysOfArrays) {
  const std::string inner = Bytes().u32(kU8).u64(1).u8(7).str();
  refuses(with_entries(1, Bytes().text("key").u32(kArrayType).u32(kArrayType).u64(1).raw(inner).str()),
          ErrorCode::kUnsupported, "array of arrays");
}

TEST(Gguf, RefusesBadAlignments) {
  const auto aligned = [](uint32_t a) {
    return OneTensor{.entries = Bytes().text("general.alignment").u32(kU32).u32(a).str(), .alignment = a}
        .bytes();
  };
  for (const uint32_t good : {8u, 64u, 65536u}) EXPECT_NO_THROW(parse(aligned(good))) << good;
  for (const uint32_t bad : {1u, 4u, 12u, 33u, 1u << 17}) {
    refuses(aligned(bad), ErrorCode::kInvalidInput, "'general.alignment'");
  }
  for (const uint32_t bad : {0u, 1u << 31, ~0u}) {
    refuses(with_entries(1, Bytes().text("general.alignment").u32(kU32).u32(bad).str()),
            ErrorCode::kInvalidInput, "'general.alignment'");
  }
  refuses(with_entries(1, Bytes().text("general.alignment").u32(10).u64(32).str()), ErrorCode::kInvalidInput,
          "a u32");
  refuses(with_entries(1, Bytes().text("general.alignment").u32(kF32).f32(32).str()),
          ErrorCode::kInvalidInput, "a u32");
  refuses(with_entries(1, Bytes().text("general.alignment").u32(kStringType).text("32").str()),
          ErrorCode::kInvalidInput, "a u32");
}

TEST(Gguf, RefusesBadTensorNames) {
  refuses(OneTensor{.name = ""}.bytes(), ErrorCode::kInvalidInput, "tensor name");
  refuses(OneTensor{.name = "w\xc0\xaf"}.bytes(), ErrorCode::kInvalidInput, "UTF-8");
  refuses(OneTensor{.name = std::string(70000, 'w')}.bytes(), ErrorCode::kInvalidInput, "tensor name");
}

TEST(Gguf, RefusesRepeatedTensorNames) {
  OneTensor file{.n_tensors = 2, .more_tensors = tensor_entry("w", {4, 2}, 0, 32), .data_bytes = 64};
  refuses(file.bytes(), ErrorCode::kInvalidInput, "two tensors are named 'w'");
  file.more_tensors = tensor_entry("v", {4, 2}, 0, 32);
  EXPECT_NO_THROW(parse(file.bytes()));
}

TEST(Gguf, RefusesBadRanksAndDimensions) {
  refuses(OneTensor{.rank = 0, .dims = {}}.bytes(), ErrorCode::kInvalidInput, "0 dimensions");
  refuses(OneTensor{.rank = 5, .dims = {1, 1, 1, 1, 1}}.bytes(), ErrorCode::kInvalidInput, "5 dimensions");
  refuses(OneTensor{.rank = ~0u}.bytes(), ErrorCode::kInvalidInput, "dimensions");
  refuses(OneTensor{.dims = {4, 0}}.bytes(), ErrorCode::kInvalidInput, "dimension 1 is 0");
  refuses(OneTensor{.dims = {0, 4}}.bytes(), ErrorCode::kInvalidInput, "dimension 0 is 0");
  refuses(OneTensor{.dims = {~uint64_t{0}, 1}}.bytes(), ErrorCode::kInvalidInput, "dimension 0");
}

TEST(Gguf, RefusesProductsThatWrap) {
  constexpr uint64_t k = 1;
  refuses(OneTensor{.dims = {k << 32, k << 32}}.bytes(), ErrorCode::kInvalidInput, "too large");
  refuses(OneTensor{.dims = {(k << 62) + 1, 4}}.bytes(), ErrorCode::kInvalidInput, "too large");
  refuses(OneTensor{.dims = {k << 62, 2}}.bytes(), ErrorCode::kInvalidInput, "too large");
  refuses(OneTensor{.rank = 4, .dims = {k << 16, k << 16, k << 16, k << 16}}.bytes(),
          ErrorCode::kInvalidInput, "too large");
  // Fits in 64 bits, but not in the file.
  refuses(OneTensor{.dims = {(k << 42) + 1, 1}}.bytes(), ErrorCode::kInvalidInput, "leaves the file");
}

TEST(Gguf, RefusesTypesThatItDoesNotReadByName) {
  refuses(OneTensor{.type = 9}.bytes(), ErrorCode::kUnsupported, "tensor 'w' has type 9 (Q8_1)");
  refuses(OneTensor{.type = 4}.bytes(), ErrorCode::kUnsupported, "retired");
  refuses(OneTensor{.type = ~0u}.bytes(), ErrorCode::kUnsupported, "unknown");
}

TEST(Gguf, RefusesRowsThatAreNotWholeBlocks) {
  refuses(OneTensor{.dims = {16, 2}, .type = 8, .data_bytes = 34}.bytes(), ErrorCode::kInvalidInput,
          "whole blocks");
  EXPECT_NO_THROW(parse(OneTensor{.dims = {32, 1}, .type = 8, .data_bytes = 34}.bytes()));
}

TEST(Gguf, RefusesOffsetsThatAreNotAligned) {
  refuses(OneTensor{.offset = 4, .data_bytes = 64}.bytes(), ErrorCode::kInvalidInput,
          "multiple of the alignment 32");
}

TEST(Gguf, RefusesOffsetPastEndOfFile) {
  EXPECT_NO_THROW(parse(OneTensor{.offset = 32, .data_bytes = 64}.bytes()));
  refuses(OneTensor{.offset = 64, .data_bytes = 64}.bytes(), ErrorCode::kInvalidInput, "leaves the file");
  refuses(OneTensor{.offset = uint64_t{1} << 63}.bytes(), ErrorCode::kInvalidInput, "leaves the file");
  refuses(OneTensor{.offset = ~uint64_t{31}}.bytes(), ErrorCode::kInvalidInput, "leaves the file");
}

TEST(Gguf, RefusesTensorsThatOverlap) {
  OneTensor file{.n_tensors = 2, .more_tensors = tensor_entry("v", {4, 4}, 0, 0), .data_bytes = 64};
  refuses(file.bytes(), ErrorCode::kInvalidInput, "overlap");
  file.more_tensors = tensor_entry("v", {4, 2}, 0, 0);
  refuses(file.bytes(), ErrorCode::kInvalidInput, "overlap");
}

TEST(Gguf, RefusesOnePartOfASplitInMemory) {
  const std::string split = Bytes().text("split.no").u32(2).u16(0).text("split.count").u32(2).u16(2).str();
  refuses(with_entries(2, split), ErrorCode::kInvalidInput, "part 1 of 2");
}

}  // namespace
}  // namespace minnow
