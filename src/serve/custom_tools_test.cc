#include "serve/custom_tools.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

CustomTool tool(const char* text) {
  const OrderedJson json = parse_ordered_json(text, "test");
  return read_custom_tool(RequestFields(json, "tools[0]"));
}

std::string refused_field(const char* text) {
  try {
    tool(text);
  } catch (const RequestError& error) {
    return error.param();
  }
  return "nothing";
}

TEST(CustomTool, is_a_function_of_one_text) {
  const CustomTool plain = tool(R"({"name": "say", "description": "says it", "format": {"type": "text"}})");
  EXPECT_EQ(plain.function.dump(), R"({"name":"say","description":"says it","parameters":{"type":"object","properties":{"input":{"type":"string"}},)"
                                   R"("required":["input"],"additionalProperties":false}})");
  EXPECT_FALSE(plain.has_grammar);
  EXPECT_FALSE(tool(R"({"name": "say"})").function.contains("description"));
}

TEST(CustomTool, tells_its_grammar_to_the_model) {
  for (const char* text : {R"({"name": "patch", "description": "edits", "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}})",
                           R"({"name": "patch", "description": "edits", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}}})"}) {
    const CustomTool patch = tool(text);
    EXPECT_TRUE(patch.has_grammar);
    EXPECT_EQ(patch.function["description"], "edits\n\nThe input must match this grammar in the syntax of Lark:\nstart: X");
  }
  EXPECT_EQ(tool(R"({"name": "n", "format": {"type": "grammar", "syntax": "regex", "definition": "a+"}})").function["description"],
            "The input must match this regular expression:\na+");
}

TEST(CustomTool, names_what_is_wrong) {
  EXPECT_EQ(refused_field(R"({"description": "d"})"), "tools[0].name");
  EXPECT_EQ(refused_field(R"({"name": "n", "format": "text"})"), "tools[0].format");
  EXPECT_EQ(refused_field(R"({"name": "n", "format": {"type": "yaml"}})"), "tools[0].format.type");
  EXPECT_EQ(refused_field(R"({"name": "n", "format": {"type": "grammar", "definition": "a"}})"), "tools[0].format.syntax");
  EXPECT_EQ(refused_field(R"({"name": "n", "format": {"type": "grammar", "syntax": "yacc", "definition": "a"}})"), "tools[0].format.syntax");
  EXPECT_EQ(refused_field(R"({"name": "n", "format": {"type": "grammar", "grammar": {"syntax": "lark"}}})"), "tools[0].format.grammar.definition");
}

TEST(CustomInput, is_what_the_arguments_carry) {
  EXPECT_EQ(custom_input(custom_arguments("a\n\"b\"").dump()), "a\n\"b\"");
  EXPECT_EQ(custom_input(""), "");
}

TEST(CustomInput, is_taken_from_arguments_that_are_not_as_they_should_be) {
  EXPECT_EQ(custom_input(R"({"patch": "x"})"), "x") << "the only text";
  EXPECT_EQ(custom_input(R"({"a": "x", "b": "y"})"), R"({"a": "x", "b": "y"})");
  EXPECT_EQ(custom_input("plain"), "plain");
}

TEST(CustomInput, is_a_beginning_where_the_room_ended) {
  const std::string whole = R"({"input": "one\n\ud83d\ude00 two"})";
  for (std::size_t length = whole.size(); length-- > 0;) {
    const std::string input = custom_input(whole.substr(0, length));
    EXPECT_TRUE(std::string("one\n\xf0\x9f\x98\x80 two").starts_with(input)) << length << ": " << input;
  }
  EXPECT_EQ(custom_input(whole.substr(0, whole.size() - 4)), "one\n\xf0\x9f\x98\x80 t");
}

}  // namespace
}  // namespace minnow
