#include "base/byte_reader.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(ByteReader, ReadsLittleEndianValuesInTurn) {
  ByteReader reader(bytes(std::string_view("\x01\x02\x03\x04\x00\x00\x80\x3f\xff", 9)), "x.bin");
  EXPECT_EQ(reader.read<uint16_t>(), 0x0201);
  EXPECT_EQ(reader.read<uint16_t>(), 0x0403);
  EXPECT_EQ(reader.read<float>(), 1.0f);
  EXPECT_EQ(reader.offset(), 8u);
  EXPECT_EQ(reader.read<int8_t>(), -1);
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, ReadsAnyByteButZeroAsTrue) {
  ByteReader reader(bytes(std::string_view("\x00\x01\x02\xff", 4)), "x");
  EXPECT_FALSE(reader.read<bool>());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(static_cast<int>(reader.read<bool>()), 1);
}

TEST(ByteReader, TakesViewsOfTheSameBytes) {
  const std::string_view text = "magicrest";
  ByteReader reader(bytes(text), "x");
  EXPECT_EQ(reader.take_text(5), "magic");
  const auto rest = reader.take(4);
  EXPECT_EQ(static_cast<const void*>(rest.data()), text.data() + 5);
  EXPECT_TRUE(reader.take(0).empty());
}

TEST(ByteReader, RefusesToReadPastTheEndAndSaysWhere) {
  ByteReader reader(bytes("abcdef"), "model.gguf");
  reader.take(4);
  try {
    reader.read<uint32_t>();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidInput);
    EXPECT_STREQ(e.what(), "model.gguf: truncated: value of 4 bytes at offset 4 but only 2 bytes remain");
  }
  EXPECT_EQ(reader.offset(), 4u) << "a refused read moves nothing";
  EXPECT_THROW(reader.take(3), Error);
  EXPECT_EQ(reader.take_text(2), "ef");
}

TEST(ByteReader, LengthsNearTheTopOfTheRangeDoNotWrapAround) {
  ByteReader reader(bytes("abcdef"), "x");
  reader.take(3);
  for (const uint64_t n : {UINT64_MAX, UINT64_MAX - 2, uint64_t{1} << 63}) {
    EXPECT_THROW(reader.take(n), Error);
    EXPECT_THROW(reader.take_text(n), Error);
  }
}

TEST(ByteReader, ReadsArraysOnlyWhenTheirBytesAreThere) {
  ByteReader reader(bytes(std::string_view("\x01\x00\x02\x00\x03", 5)), "x");
  for (const uint64_t n : {uint64_t{3}, uint64_t{1} << 40, uint64_t{1} << 63, UINT64_MAX}) {
    EXPECT_THROW(reader.read_array<uint16_t>(n), Error);
  }
  EXPECT_EQ(reader.read_array<uint16_t>(2), (std::vector<uint16_t>{1, 2}));
  EXPECT_TRUE(reader.read_array<double>(0).empty());
  EXPECT_EQ(reader.remaining(), 1u);
}

TEST(ByteReader, AnEmptySpanHasNothing) {
  ByteReader reader({}, "empty");
  EXPECT_EQ(reader.remaining(), 0u);
  EXPECT_THROW(reader.read<uint8_t>(), Error);
  EXPECT_TRUE(reader.take(0).empty());
}

}  // namespace
}  // namespace minnow
