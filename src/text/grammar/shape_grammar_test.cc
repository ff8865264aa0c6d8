#include <gtest/gtest.h>

#include "base/test_refusal.h"
#include "text/grammar/test_match.h"

namespace minnow::grammar {
namespace {

using test::matches;
using Part = TextShape::Kind;

constexpr const char* kDocument = R"({"$defs": {"any": {"type": "string"}, "short": {"type": "string", "maxLength": 3}, "upper": {"type": "string", "pattern": "^[A-Z]+$"},
    "one": {"enum": ["a b", 5, "</v>", "x\n"]}, "maybe": {"type": ["string", "null"]}, "list": {"type": "array", "items": {"type": "string"}},
    "never": {"type": "string", "enum": [1]}}})";

std::shared_ptr<const Automaton> compile_shape(TextShape shape, char json_without = 0) {
  return compile_automaton({.kind = ConstraintSpec::Kind::kShape, .text = kDocument, .choices = {}, .shape = std::move(shape), .json_without = json_without});
}

TextShape string_of(const std::string& name, const std::string& except = "") {
  return {.kind = Part::kString, .text = name.empty() ? "" : "/$defs/" + name, .until = "</v>", .except = except};
}

TextShape json_of(const std::string& name) { return {.kind = Part::kJson, .text = "/$defs/" + name}; }

TEST(TextShapes, AStringGoesUpToItsMark) {
  for (const char* name : {"", "any"}) {
    const auto any = compile_shape(string_of(name));
    for (const char* text : {"</v>", "a</v>", "\n a \n</v>", "<</v>", "</ v></v>", "\"é\\</v>"}) EXPECT_TRUE(matches(any, text)) << name << ": " << text;
    for (const char* text : {"a", "a</v", "a</v>b", "</v></v>"}) EXPECT_FALSE(matches(any, text)) << name << ": " << text;
  }
}

TEST(TextShapes, AMarkThatBeginsAsItEndsIsNotReadTooEarly) {
  TextShape string = string_of("");
  string.until = "aba";
  const auto automaton = compile_shape(string);
  EXPECT_TRUE(matches(automaton, "aba"));
  EXPECT_TRUE(matches(automaton, "aaba"));
  EXPECT_FALSE(matches(automaton, "ababa")) << "the mark is there after three bytes";
}

TEST(TextShapes, LimitsOfAStringAreThoseOfItsTextWithoutLayout) {
  const auto brief = compile_shape(string_of("short")), upper = compile_shape(string_of("upper")), one = compile_shape(string_of("one"));
  EXPECT_TRUE(matches(brief, "abc</v>"));
  EXPECT_TRUE(matches(brief, "\nabc\n</v>"));
  EXPECT_TRUE(matches(brief, "\"\\\"</v>")) << "quotes are not escaped";
  EXPECT_FALSE(matches(brief, "abcd</v>"));
  EXPECT_TRUE(matches(upper, "AB</v>"));
  EXPECT_FALSE(matches(upper, "Ab</v>"));
  EXPECT_TRUE(matches(one, "a b</v>"));
  EXPECT_FALSE(matches(one, "5</v>"));
  EXPECT_FALSE(matches(one, "</v></v>"));
  EXPECT_FALSE(matches(one, "a b \n</v>"));
}

TEST(TextShapes, AStringMayExceptSomeTexts) {
  const auto automaton = compile_shape(string_of("maybe", "null|[0-9]*"));
  EXPECT_TRUE(matches(automaton, "nul</v>"));
  EXPECT_FALSE(matches(automaton, "null</v>"));
  EXPECT_FALSE(matches(automaton, "\n12\n</v>"));
}

TEST(TextShapes, JsonCanDoWithoutACharacter) {
  const auto with = compile_shape(json_of("list")), without = compile_shape(json_of("list"), '<');
  EXPECT_TRUE(matches(with, R"(["<v>"])"));
  EXPECT_FALSE(matches(without, R"(["<v>"])"));
  EXPECT_TRUE(matches(without, "[\"\\u003cv>\", \"\"]"));
}

TEST(TextShapes, JsonButStringsHasNoneAtItsTop) {
  const auto automaton = compile_shape({.kind = Part::kJsonButStrings, .text = "/$defs/maybe"});
  EXPECT_TRUE(matches(automaton, "null"));
  EXPECT_FALSE(matches(automaton, "\"a\""));
}

TEST(TextShapes, AListHasSeparatorsBetweenWhatIsThere) {
  const auto optional = [](const char* text) { return TextShape{.kind = Part::kOptional, .parts = {{.kind = Part::kText, .text = text}}}; };
  const auto automaton = compile_shape({.kind = Part::kList, .text = ", ", .parts = {optional("a"), {.kind = Part::kText, .text = "b"}, optional("c")}});
  for (const char* text : {"b", "a, b", "b, c", "a, b, c"}) EXPECT_TRUE(matches(automaton, text)) << text;
  for (const char* text : {"", "a", "a, c", "b, ", "c, b"}) EXPECT_FALSE(matches(automaton, text)) << text;
}

TEST(TextShapes, PartsComeOneBehindAnother) {
  const TextShape a{.kind = Part::kText, .text = "a"}, digit{.kind = Part::kRegex, .text = "[0-9]"};
  const auto automaton = compile_shape({.kind = Part::kSequence, .parts = {a, {.kind = Part::kRepeat, .parts = {digit}}, {.kind = Part::kChoice, .parts = {json_of("list"), a}}}});
  for (const char* text : {"aa", "a12a", "a[]", "a5[\"b\"]"}) EXPECT_TRUE(matches(automaton, text)) << text;
  for (const char* text : {"a", "a1", "12a", "a[]a"}) EXPECT_FALSE(matches(automaton, text)) << text;
}

TEST(TextShapes, WhatMustBePossibleIsRefusedByNameWhereItIsNot) {
  const TextShape other{.kind = Part::kText, .text = "other"};
  const auto either = [&](TextShape part) { return TextShape{.kind = Part::kChoice, .parts = {other, std::move(part)}}; };
  const TextShape required{.kind = Part::kRequired, .text = "the argument x", .parts = {json_of("never")}};
  EXPECT_EQ(minnow::test::refusal([&] { compile_shape(either(json_of("never"))); }), "");
  EXPECT_NE(minnow::test::refusal([&] { compile_shape(either(required)); }).find("the argument x: no text"), std::string::npos);
}

}  // namespace
}  // namespace minnow::grammar
