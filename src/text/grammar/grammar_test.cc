#include <gtest/gtest.h>

#include "base/limits.h"
#include "text/grammar/test_match.h"

namespace minnow::grammar {
namespace {

using test::compile;
using test::Kind;
using test::matches;
using test::refusal;

struct Case {
  std::string source;
  std::vector<std::string> yes, no;
};

void expect_cases(Kind kind, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const auto automaton = compile(kind, c.source);
    for (const auto& text : c.yes) EXPECT_TRUE(matches(automaton, text)) << c.source << "  should take  " << text;
    for (const auto& text : c.no) EXPECT_FALSE(matches(automaton, text)) << c.source << "  should refuse  " << text;
  }
}

struct Refusal {
  std::string source, part;  // of the message
};

void expect_refusals(Kind kind, const std::vector<Refusal>& refusals) {
  for (const Refusal& r : refusals) EXPECT_NE(refusal(kind, r.source).find(r.part), std::string::npos) << r.source << "  said  " << refusal(kind, r.source);
}

std::string nested(const std::string& open, const std::string& inner, const std::string& close, int n) {
  std::string text = inner;
  for (int i = 0; i < n; ++i) text = open + text + close;
  return text;
}

TEST(Gbnf, KnowsAllOperators) {
  expect_cases(Kind::kGrammar, {
      {"root ::= \"a\"", {"a"}, {"", "b", "aa"}},
      {"root ::= \"a\" | \"b\" \"c\" | \"\"", {"a", "bc", ""}, {"b", "ac"}},
      {"root ::= [a-cx]* \"!\"", {"!", "abcx!"}, {"d!", "a"}},
      {"root ::= [^a\\n]+", {"b", "é", "🙂z"}, {"a", "\n", ""}},
      {"root ::= (\"ab\" | \"c\")? \"d\"", {"abd", "cd", "d"}, {"ad", "abcd"}},
      {"root ::= [0-9]{2}", {"12"}, {"1", "123"}},
      {"root ::= [0-9]{2,}", {"12", "1234"}, {"1"}},
      {"root ::= [0-9]{1,3} .", {"1x", "123é"}, {"1", "1234é"}},
      {"root ::= [0-9]{0,2}", {"", "1", "12"}, {"123"}},
      {"root ::= [a-]+", {"a-"}, {"b"}},
      {R"(root ::= "\x41\u00e9\U0001F642\t\"\\\[\]")", {"Aé🙂\t\"\\[]"}, {"A"}},
      {"# a comment\nroot ::= # another\n  item (\n \",\" item\n )*\n\nitem ::= \"x\" | # either\n \"y\"\n", {"x", "x,y,x"}, {"x,", ""}},
      {"root ::= \"a\"\n | \"b\"\nother ::= \"c\"", {"a", "b"}, {"c"}},
      {"root ::= (\"a\"*)*", {"", "aaa"}, {"b"}},
  });
}

TEST(Gbnf, RunsRecursiveRules) {
  expect_cases(Kind::kGrammar, {
      {"root ::= \"(\" root \")\" | \"\"", {"", "()", "((()))"}, {"(", "())", ")("}},
      {"root ::= \"a\" root \"a\" | \"b\"", {"b", "aabaa"}, {"aab", "aa"}},
      {"root ::= \"a\" root | \"a\"", {std::string(5000, 'a')}, {""}},
      {"root ::= term (\"+\" term)*\nterm ::= [0-9]+ | \"(\" root \")\"", {"1+(2+3)+4", "((1))"}, {"1+", "(1"}},
  });
}

TEST(Gbnf, SaysWhereAnErrorIs) {
  expect_refusals(Kind::kGrammar, {
      {"", "no rule \"root\""},
      {"a ::= \"x\"", "no rule \"root\""},
      {"root ::= \"x\n", "line 1, column 12"},
      {"root ::= b", "\"b\" is used but not defined"},
      {"root ::= \"a\"\nroot ::= \"b\"", "line 2"},
      {"root ::= [a", "closing bracket"},
      {"root ::= (\"a\"", "closing parenthesis"},
      {"root ::= \"a\" )", "')' is not expected"},
      {"root ::= \"\\q\"", "unknown escape"},
      {"root ::= [z-a]", "wrong order"},
      {"root ::= \"a\"{3,2}", "wrong order"},
      {"root ::= \"a\"{9999}", "repetition of 9999"},
      {"root ::= <think>", "tokens as symbols"},
      {"root = \"a\"", "::= is expected"},
      {"root ::= \"\\uD800\"", "no character"},
      {std::string("root ::= \"\xff\""), "broken UTF-8"},
  });
}

TEST(Gbnf, RefusesLeftRecursionByName) {
  expect_refusals(Kind::kGrammar, {
      {"root ::= root \"a\" | \"a\"", "\"root\" may begin with itself"},
      {"root ::= a\na ::= b \"x\"\nb ::= \"y\"? a | \"z\"", "may begin with itself"},
      {"root ::= \"x\" e\ne ::= n e \"a\" | \"b\"\nn ::= \"n\"?", "\"e\" may begin with itself"},
      {"root ::= \"x\" a\na ::= \"y\" a", "no text at all"},
  });
}

TEST(Gbnf, HostileGrammarsAreRefusedInTime) {
  EXPECT_NE(refusal(Kind::kGrammar, "root ::= " + nested("(", "\"a\"", ")", 60000)).find("deep"), std::string::npos);
  EXPECT_EQ(refusal(Kind::kGrammar, "root ::= " + nested("(", "\"a\"", ")", 150)), "");
  EXPECT_NE(refusal(Kind::kGrammar, "root ::= " + nested("(", "\"a\"", "){1000}", 4)).find("smaller"), std::string::npos);
  EXPECT_NE(refusal(Kind::kGrammar, "root ::= " + nested("(", "\"\"", "){8000}", 20)), "");
  EXPECT_NE(refusal(Kind::kGrammar, "root ::= [ab]* \"a\" [ab]{20} \"c\"").find("states"), std::string::npos);
  EXPECT_NE(refusal(Kind::kGrammar, "root ::= \"a\"" + std::string(100, '*')), "");
  EXPECT_NE(refusal(Kind::kGrammar, std::string(2 << 20, '#')).find("bytes"), std::string::npos);
}

TEST(Gbnf, AmbiguityIsMergedOrBounded) {
  // Catalan many readings, few different stacks.
  const auto sums = compile(Kind::kGrammar, "root ::= \"a\" root root | \"\"");
  Matcher m(sums);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(m.advance("a"));
  EXPECT_TRUE(m.may_end());
  const auto loop = compile(Kind::kGrammar, "root ::= \"x\"* inner \"z\"\ninner ::= \"x\"+ | \"x\" inner");
  EXPECT_TRUE(matches(loop, std::string(2000, 'x') + "z"));
}

TEST(Matcher, NeverGoesWhereItCouldNotEndWithinItsDepth) {
  const auto brackets = compile(Kind::kGrammar, "root ::= \"[\" (root (\",\" root)*)? \"]\"");
  Matcher m(brackets);
  std::size_t depth = 0;
  while (m.advance("[")) ++depth;
  EXPECT_GT(depth, limits::kMaxGrammarDepth / 2);
  EXPECT_LE(depth, limits::kMaxGrammarDepth + 1);
  EXPECT_EQ(m.forced(3), "]");
  EXPECT_TRUE(m.advance(std::string(depth, ']')));
  EXPECT_TRUE(m.is_complete());
}

TEST(Matcher, TellsForcedBytesAndEnds) {
  const auto automaton = compile(Kind::kGrammar, "root ::= \"hello \" (\"you\" | \"yes\") \"!\"?");
  Matcher m(automaton);
  EXPECT_EQ(m.forced(100), "hello y");
  EXPECT_EQ(m.forced(3), "hel");
  EXPECT_FALSE(m.advance("help"));
  EXPECT_TRUE(m.advance("hello ")) << "a refused text changes nothing";
  Matcher copy = m;
  EXPECT_TRUE(m.advance("ye"));
  EXPECT_EQ(m.forced(100), "s");
  EXPECT_TRUE(m.advance("s"));
  EXPECT_TRUE(m.may_end());
  EXPECT_FALSE(m.is_complete());
  EXPECT_EQ(m.forced(100), "") << "it may end instead";
  EXPECT_TRUE(m.advance("!"));
  EXPECT_TRUE(m.is_complete());
  EXPECT_TRUE(copy.advance("you!")) << "a copy is on its own";
}

TEST(Choice, TakesOneOfTheTextsOnly) {
  const auto automaton = compile_automaton({.kind = Kind::kChoice, .choices = {"yes", "no", "not sure", "día"}});
  for (const char* text : {"yes", "no", "not sure", "día"}) EXPECT_TRUE(matches(automaton, text));
  for (const char* text : {"", "ye", "nop", "not", "dia"}) EXPECT_FALSE(matches(automaton, text));
  std::vector<std::string> many;
  for (int i = 0; i < 10'000; ++i) many.push_back(std::to_string(i) + std::string(30, 'x'));
  EXPECT_TRUE(matches(compile_automaton({.kind = Kind::kChoice, .choices = many}), many.back()));
  EXPECT_THROW(compile_automaton({.kind = Kind::kChoice}), Error);
  EXPECT_THROW(compile_automaton({.kind = Kind::kChoice, .choices = {"a", ""}}), Error);
}

TEST(Json, AnyValueOrObjectWithBoundedSpace) {
  const auto value = compile_automaton({.kind = Kind::kJson});
  for (const char* text : {"null", "-0.5e+10", "\"\\ud83d\\ude00 \\/ é\"", "[]", "{}", "[1,[2,{\"a\":[]}]]", "{\n  \"a\": 1,\n  \"b\": [1, 2]\n}"}) {
    EXPECT_TRUE(matches(value, text)) << text;
  }
  for (const char* text : {"", " 1", "01", "1.", "\"\\ud83d\"", "\"\\udc00\"", "\"\n\"", "[1,]", "{\"a\" :1}", "[1,  2]", "{,}", "nul", "\"\\x\""}) {
    EXPECT_FALSE(matches(value, text)) << text;
  }
  EXPECT_FALSE(matches(compile_automaton({.kind = Kind::kObject}), "[]"));
  EXPECT_TRUE(matches(compile_automaton({.kind = Kind::kObject}), "{\"a\": []}"));
  EXPECT_FALSE(matches(compile_automaton({.kind = Kind::kObject, .compact = true}), "{\"a\": []}"));
}

}  // namespace
}  // namespace minnow::grammar
