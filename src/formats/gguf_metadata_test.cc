#include <limits>

#include "formats/gguf.h"
#include "formats/test_bytes.h"

namespace minnow {
namespace {

using testing::expect_refused;

void refuses(std::function<void()> f, std::string_view part) {
  expect_refused(f, ErrorCode::kInvalidInput, part);
}

TEST(GgufMetadata, ConvertsIntegersBetweenWidthsWhenTheyFit) {
  GgufMetadata m("f");
  m.set("u8", uint8_t{200});
  m.set("i32", int32_t{-1});
  m.set("u64", ~uint64_t{0});
  m.set("f32", 3.0f);
  EXPECT_EQ(m.require_integer("u8", 0, 255), 200u);
  EXPECT_EQ(m.require_integer("u64", 0, ~uint64_t{0}), ~uint64_t{0});
  EXPECT_EQ(m.integer("absent", 7, 0, 1), 7u);
  refuses([&] { m.require_integer("u8", 0, 199); }, "f: metadata key 'u8' must be an integer from 0 to 199");
  refuses([&] { m.require_integer("i32", 0, ~uint64_t{0}); }, "'i32'");
  refuses([&] { m.integer("f32", 1, 0, 10); }, "'f32'");
  refuses([&] { m.require_integer("absent", 0, 10); }, "'absent' is missing");
}

TEST(GgufMetadata, TakesFiniteNumbersOnly) {
  GgufMetadata m("f");
  m.set("eps", 1e-5f);
  m.set("integer", int16_t{-4});
  m.set("nan", std::numeric_limits<float>::quiet_NaN());
  m.set("inf", std::numeric_limits<double>::infinity());
  m.set("text", std::string("1"));
  m.set("bool", true);
  EXPECT_FLOAT_EQ(m.number("eps", 0), 1e-5f);
  EXPECT_EQ(m.number("integer", 0), -4);
  EXPECT_EQ(m.number("absent", 0.5), 0.5);
  for (const char* key : {"nan", "inf", "text", "bool"})
    refuses([&] { m.number(key, 0); }, "a finite number");
}

TEST(GgufMetadata, ReadsTextsAndBools) {
  GgufMetadata m("f");
  m.set("text", std::string("llama"));
  m.set("bool", true);
  EXPECT_EQ(m.require_text("text"), "llama");
  EXPECT_EQ(m.text("absent", "x"), "x");
  EXPECT_TRUE(m.boolean("bool", false));
  EXPECT_TRUE(m.boolean("absent", true));
  refuses([&] { m.text("bool", ""); }, "a string");
  refuses([&] { m.boolean("text", false); }, "a bool");
  refuses([&] { m.require_text("absent"); }, "missing");
}

TEST(GgufMetadata, NeverReadsAnArrayAsAnotherType) {
  GgufMetadata m("f");
  m.set("scores", std::vector<uint8_t>{1, 2, 3});
  m.set("tokens", std::vector<std::string>{"a", "b"});
  m.set("bools", GgufBoolArray{{1, 0}});
  m.set("floats", std::vector<float>{1.5f});
  EXPECT_EQ(m.strings("tokens")->size(), 2u);
  EXPECT_EQ(m.strings("absent"), nullptr);
  EXPECT_EQ(m.floats("floats")->front(), 1.5f);
  refuses([&] { m.floats("scores"); }, "an array of f32");
  refuses([&] { m.strings("scores"); }, "an array of strings");
  for (const char* key : {"tokens", "bools", "floats"}) {
    refuses([&] { m.integers(key, 0, 9); }, "an array of integers from 0 to 9");
  }
}

TEST(GgufMetadata, ReadsIntegerArraysOfAnyWidthWithinBounds) {
  GgufMetadata m("f");
  m.set("u8", std::vector<uint8_t>{1, 255});
  m.set("i64", std::vector<int64_t>{-1, 5});
  m.set("u64", std::vector<uint64_t>{~uint64_t{0}});
  m.set("scalar", uint32_t{4});
  m.set("text", std::string("4"));
  EXPECT_EQ(m.integers("u8", 0, 255), (std::vector<int64_t>{1, 255}));
  EXPECT_EQ(m.integers("i64", -1, 5), (std::vector<int64_t>{-1, 5}));
  EXPECT_TRUE(m.integers("absent", 0, 0).empty());
  refuses([&] { m.integers("u8", 0, 254); }, "'u8'");
  refuses([&] { m.integers("i64", 0, 5); }, "'i64'");
  for (const char* key : {"u64", "scalar", "text"}) {
    refuses([&] { m.integers(key, INT64_MIN, INT64_MAX); }, "an array of integers");
  }
}

TEST(GgufMetadata, KeepsOrderWhenAValueIsReplaced) {
  GgufMetadata m("f");
  m.set("a", uint32_t{1});
  m.set("b", uint32_t{2});
  m.set("a", std::string("new"));
  ASSERT_EQ(m.entries().size(), 2u);
  EXPECT_EQ(m.entries()[0], GgufMetadata::Entry("a", std::string("new")));
  m.erase("a");
  EXPECT_FALSE(m.has("a"));
  EXPECT_TRUE(m.has("b"));
}

}  // namespace
}  // namespace minnow
