#include "serve/fields.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

OrderedJson json(const char* text) { return parse_ordered_json(text, "test"); }

// What the error says, and which field it names; empty when there is none.
template <typename F>
std::pair<std::string, std::string> refusal(F&& f) {
  try {
    f();
  } catch (const RequestError& error) {
    return {error.what(), error.param()};
  }
  return {};
}

TEST(RequestFields, takes_null_for_missing) {
  const OrderedJson body = json(R"({"a": null})");
  const RequestFields fields(body);
  EXPECT_FALSE(fields.has("a"));
  EXPECT_EQ(fields.text("a", "x"), "x");
  EXPECT_EQ(fields.integer("b", 7, 0, 9), 7);
  EXPECT_TRUE(fields.boolean("a", true));
  EXPECT_EQ(fields.optional_number("a", 0, 1), std::nullopt);
  EXPECT_TRUE(fields.array("a", 3).empty());
  EXPECT_TRUE(fields.object("a").json().empty());
  EXPECT_TRUE(fields.texts("a", 3).empty());
}

TEST(RequestFields, reads_what_is_there) {
  const OrderedJson body = json(R"({"t": "x", "i": 3.0, "n": 2, "b": false, "one": "s", "many": ["p", "q"], "ids": [0, 5]})");
  const RequestFields fields(body);
  EXPECT_EQ(fields.required_text("t"), "x");
  EXPECT_EQ(fields.integer("i", 0, 0, 9), 3);
  EXPECT_EQ(fields.number("n", 0, 0, 9), 2);
  EXPECT_FALSE(fields.boolean("b", true));
  EXPECT_EQ(fields.texts("one", 1), std::vector<std::string>{"s"});
  EXPECT_EQ(fields.texts("many", 2), (std::vector<std::string>{"p", "q"}));
  EXPECT_EQ(fields.token_ids("ids", 2), (std::vector<TokenId>{0, 5}));
}

TEST(RequestFields, names_the_whole_path_of_what_is_wrong) {
  const OrderedJson body = json(R"({"role": 5})");
  const RequestFields fields(body, element_path("messages", 2));
  const auto [text, param] = refusal([&] { fields.required_text("role"); });
  EXPECT_EQ(param, "messages[2].role");
  EXPECT_EQ(text, "messages[2].role: must be a string, is a number");
  EXPECT_EQ(refusal([&] { fields.required("content"); }).first, "messages[2].content: is required");
}

TEST(RequestFields, refuses_numbers_out_of_range_and_parts_of_whole_ones) {
  const OrderedJson body = json(R"({"a": 1.5, "b": -1, "c": 1e300, "d": 18446744073709551615, "e": "4", "f": true})");
  const RequestFields fields(body);
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
    EXPECT_EQ(refusal([&] { fields.integer(name, 0, 0, 100); }).second, name) << name;
  }
  EXPECT_EQ(refusal([&] { fields.number("b", 0, 0, 2); }).first, "b: must be a number from 0 to 2");
  EXPECT_EQ(refusal([&] { fields.integer("d", 0, 0, INT64_MAX); }).second, "d") << "nothing is cut to what fits";
}

TEST(RequestFields, bounds_lists_and_says_which_item_is_wrong) {
  const OrderedJson body = json(R"({"stop": ["a", 1], "ids": [1, -1], "big": [1, 2, 3], "text": {}})");
  const RequestFields fields(body);
  EXPECT_EQ(refusal([&] { fields.texts("stop", 4); }).second, "stop[1]");
  EXPECT_EQ(refusal([&] { fields.token_ids("ids", 4); }).second, "ids[1]");
  EXPECT_EQ(refusal([&] { fields.array("big", 2); }).first, "big: has 3 items, allowed: 2");
  EXPECT_EQ(refusal([&] { fields.texts("text", 2); }).first, "text: must be a string or an array of strings, is an object");
  EXPECT_EQ(refusal([&] { fields.object("big"); }).first, "big: must be an object, is an array");
}

TEST(RequestFields, takes_one_of_some_words) {
  const OrderedJson body = json(R"({"a": "float", "b": "octal"})");
  const RequestFields fields(body);
  EXPECT_EQ(fields.choice("a", "", {"float", "base64"}), "float");
  EXPECT_EQ(fields.choice("none", "base64", {"float", "base64"}), "base64");
  EXPECT_EQ(refusal([&] { fields.choice("b", "", {"float", "base64"}); }).first, "b: must be one of: float, base64");
}

TEST(RequestFields, never_repeats_a_value) {
  const OrderedJson body = json(R"({"temperature": "secret words"})");
  EXPECT_EQ(refusal([&] { RequestFields(body).number("temperature", 0, 0, 2); }).first.find("secret"), std::string::npos);
}

TEST(ParseBody, takes_an_object_only) {
  HttpRequest request;
  for (const char* body : {"", "  \n", "[]", "3", "{\"a\":", "{\"a\":1}x", "nope"}) {
    request.body = body;
    EXPECT_FALSE(refusal([&] { parse_body(request); }).first.empty()) << body;
  }
  request.body = R"({"a": 1})";
  EXPECT_EQ(parse_body(request)["a"], 1);
}

TEST(ParseBody, refuses_what_is_nested_too_deep) {
  HttpRequest request;
  request.body = "{\"a\":" + std::string(5000, '[') + std::string(5000, ']') + "}";
  EXPECT_NE(refusal([&] { parse_body(request); }).first.find("nested"), std::string::npos);
}

}  // namespace
}  // namespace minnow
