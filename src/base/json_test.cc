#include "base/json.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"

namespace minnow {
namespace {

Error refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << "one line";
    return e;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorCode::kInternal, ""};
}

std::string nested(int levels, char open, char close) {
  return std::string(static_cast<std::size_t>(levels), open) +
         std::string(static_cast<std::size_t>(levels), close);
}

TEST(Json, ReadsValuesOfEveryKind) {
  const Json json = parse_json(R"({"a": [1, -2, 3.5, true, null, "\u00e4\ud83d\ude00\n"]})", "x");
  EXPECT_EQ(json.at("a").at(5), "\u00e4\U0001F600\n");
  EXPECT_EQ(json.at("a").size(), 6u);
}

TEST(Json, NamesTheSourceAndThePlaceInOneLine) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":\n\nnope}", "\"\\ud800\"", "\"a\nb\"", "1 2", "\"\xff\"",
                           "1e999", "{\"a\" 1}"}) {
    const Error error = refusal([&] { parse_json(text, "config.json"); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    EXPECT_EQ(std::string(error.what()).rfind("config.json: not valid JSON", 0), 0u) << error.what();
  }
  EXPECT_STREQ(refusal([] { parse_json("[1, x]", "a"); }).what(), "a: not valid JSON near byte 5");
}

TEST(Json, RefusesDepthPastTheLimitHoweverDeep) {
  for (const auto& [open, close] : {std::pair('[', ']')}) {
    EXPECT_NO_THROW(parse_json(nested(limits::kMaxJsonDepth, open, close), "x"));
    for (const int levels : {limits::kMaxJsonDepth + 1, 1000000}) {
      EXPECT_EQ(refusal([&] { parse_json(nested(levels, open, close), "x"); }).code(), ErrorCode::kLimit);
      EXPECT_EQ(refusal([&] { parse_ordered_json(nested(levels, open, close), "x"); }).code(),
                ErrorCode::kLimit);
    }
  }
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  EXPECT_EQ(refusal([&] { parse_json(objects, "x"); }).code(), ErrorCode::kLimit);
}

TEST(Json, OfEqualKeysTheLastCounts) {
  EXPECT_EQ(parse_json(R"({"a": 1, "b": 2, "a": 3})", "x").dump(), R"({"a":3,"b":2})");
  EXPECT_EQ(parse_ordered_json(R"({"b": 1, "a": 2, "b": [3]})", "x").dump(), R"({"b":[3],"a":2})");
}

TEST(Json, OrderedObjectsKeepTheirOrderAndAreBounded) {
  EXPECT_EQ(parse_ordered_json(R"({"z": 1, "a": {"y": 1, "b": 2}})", "x").dump(),
            R"({"z":1,"a":{"y":1,"b":2}})");
  const auto object = [](std::size_t keys) {
    std::string text = "{\"nested\": {}";
    for (std::size_t i = 1; i < keys; ++i) text += ",\"k" + std::to_string(i) + "\":{}";
    return text + "}";
  };
  EXPECT_NO_THROW(parse_ordered_json(object(limits::kMaxOrderedJsonKeys), "x"));
  EXPECT_EQ(refusal([&] { parse_ordered_json(object(limits::kMaxOrderedJsonKeys + 1), "x"); }).code(),
            ErrorCode::kLimit);
  EXPECT_NO_THROW(parse_json(object(100000), "x"));
}

TEST(Json, RefusesAZeroByteAndWhatIsHiddenBehindIt) {
  for (const std::string_view text :
       {std::string_view("1\0", 2), std::string_view("{}\0[", 4), std::string_view("\0", 1)}) {
    EXPECT_EQ(refusal([&] { parse_json(text, "x"); }).code(), ErrorCode::kInvalidInput);
  }
  EXPECT_EQ(parse_json(R"("\u0000")", "x").get<std::string>().size(), 1u);
}

TEST(Json, TakesLinearTimeForManySmallContainers) {
  std::string list = "[";
  for (int i = 0; i < 300'000; ++i) list += "{},[],";
  list += "{}]";
  EXPECT_EQ(parse_json(list, "x").size(), 600'001u);
  EXPECT_EQ(parse_ordered_json(list, "x").size(), 600'001u);
}

TEST(Json, IntegersKeepTheirValueUpTo64Bits) {
  const Json json =
      parse_json("[18446744073709551615, -9223372036854775808, 18446744073709551616, 1e3]", "x");
  EXPECT_EQ(json[0].get<uint64_t>(), UINT64_MAX);
  EXPECT_EQ(json[1].get<int64_t>(), INT64_MIN);
  EXPECT_TRUE(json[2].is_number_float());
}

TEST(JsonFields, IntegersAreCheckedAgainstTheirRange) {
  const Json json =
      parse_json(R"({"n": 5, "f": 6.0, "h": 6.5, "big": 18446744073709551615, "huge": 1e30, "s": "5",
                                   "min": -9223372036854775808, "null": null})",
                 "x");
  const JsonFields fields{json, "config.json"};
  EXPECT_EQ(fields.integer("n", 1, 0, 10), 5);
  EXPECT_EQ(fields.integer("f", 1, 0, 10), 6);
  EXPECT_EQ(fields.integer("none", 7, 0, 1), 7);
  EXPECT_EQ(fields.integer("null", 7, 0, 1), 7);
  EXPECT_EQ(fields.integer("min", 0, INT64_MIN, 0), INT64_MIN);
  EXPECT_STREQ(refusal([&] { fields.integer("n", 0, 0, 4); }).what(),
               "config.json: field \"n\" must be an integer from 0 to 4");
  for (const char* key : {"h", "big", "huge", "s"}) {
    EXPECT_EQ(refusal([&] { fields.integer(key, 0, INT64_MIN, INT64_MAX); }).code(), ErrorCode::kInvalidInput)
        << key;
  }
}

TEST(JsonFields, OtherTypesAreCheckedToo) {
  const Json json = parse_json(R"({"x": 1.5, "i": 2, "b": true, "t": "text", "l": []})", "x");
  const JsonFields fields{json, "c"};
  EXPECT_EQ(fields.number("x", 0), 1.5);
  EXPECT_EQ(fields.number("i", 0), 2);
  EXPECT_EQ(fields.number("none", 0.25), 0.25);
  EXPECT_TRUE(fields.boolean("b", false));
  EXPECT_EQ(fields.text("t", ""), "text");
  EXPECT_EQ(fields.text("none", "fallback"), "fallback");
  EXPECT_TRUE(fields.has("l"));
  EXPECT_FALSE(fields.has("none"));
  EXPECT_THROW(fields.number("t", 0), Error);
  EXPECT_THROW(fields.boolean("i", false), Error);
  EXPECT_THROW(fields.text("x", ""), Error);
  const Json list = Json::array();
  EXPECT_FALSE((JsonFields{list, "c"}).has("x"));
}

TEST(Json, FollowsThePublicTestSuite) {
  const std::filesystem::path suite =
      MINNOW_SOURCE_DIR "/../shared/data/conformance/json-test-suite/test_parsing";
  if (!std::filesystem::exists(suite)) GTEST_SKIP() << "the JSON test suite is not here";
  int accepted = 0, refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(suite)) {
    const std::string name = entry.path().filename().string();
    const std::string text = read_text_file(entry.path(), 1 << 20);
    if (name.starts_with("y_")) {
      EXPECT_NO_THROW(parse_json(text, name)) << name;
      EXPECT_NO_THROW(parse_ordered_json(text, name)) << name;
      ++accepted;
    } else if (name.starts_with("n_")) {
      refusal([&] { parse_json(text, name); });
      refusal([&] { parse_ordered_json(text, name); });
      ++refused;
    } else {
      try {
        parse_json(text, name);  // either answer is allowed
      } catch (const Error&) {
      }
    }
  }
  EXPECT_GE(accepted, 90);
  EXPECT_GE(refused, 180);
}

}  // namespace
}  // namespace minnow
