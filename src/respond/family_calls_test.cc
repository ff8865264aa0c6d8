#include "respond/family_calls.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/test_refusal.h"
#include "respond/test_held_calls.h"
#include "text/chat_output/test_parse.h"
#include "text/chat_output/tool_schemas.h"
#include "text/grammar/test_match.h"

namespace minnow {
namespace {

OrderedJson tool(const std::string& name, const std::string& parameters) {
  return {{"type", "function"}, {"function", {{"name", name}, {"parameters", OrderedJson::parse(parameters)}}}};
}

constexpr const char* kWeather = R"({"type": "object", "properties": {
    "city": {"type": "string"}, "code": {"type": "string", "pattern": "^[A-Z]{2}$"}, "unit": {"enum": ["metric", "us"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9},
    "zip": {"type": ["string", "null"]}, "tags": {"type": "array", "items": {"type": "string", "maxLength": 9}, "maxItems": 2}, "note": {"type": "string", "maxLength": 5},
    "kind": {"type": "string", "enum": ["a b", "5", "true"]}, "place": {"$ref": "#/$defs/place"}, "either": {"anyOf": [{"type": "string", "maxLength": 4}, {"type": "boolean"}]}},
    "required": ["city", "days", "either"], "additionalProperties": false,
    "$defs": {"place": {"type": "object", "properties": {"x": {"type": "number"}, "s": {"type": "string", "maxLength": 9}}, "required": ["x"], "additionalProperties": false}}})";

class FamilyCallsOf : public testing::Test {
 protected:
  FamilyCalls what(const OutputFormat& format, const Tokenizer& tokenizer, bool several = false) const {
    return {.format = format, .tokenizer = tokenizer, .tools = tools_, .strict = strict_, .several = several};
  }

  static std::vector<std::string> closers(const OutputFormat& format) {
    std::vector<std::string> out;
    for (const CallSyntax& s : format.calls) {
      if (!s.tags.value_close.empty()) out.emplace_back(s.tags.value_close);
      if (!s.close.empty()) out.emplace_back(s.close);
    }
    for (const char* text : {"\"", "}", "]", ")"}) out.emplace_back(text);
    return out;
  }

  // Each call in the text ends, is of a tool of the request, and has arguments that are allowed.
  void expect_calls(const OutputFormat& format, const std::string& text, const std::string& prompt = "") const {
    const auto output = test::collect(test::parse_in_pieces(format, text, {.tools = tools_, .prompt = prompt, .held_calls = true}, 7));
    EXPECT_EQ(output.broken, 0) << format.name << ": " << text;
    EXPECT_EQ(output.content, "") << format.name << ": " << text;
    EXPECT_FALSE(output.calls.empty()) << format.name << ": " << text;
    for (const test::ParsedCall& call : output.calls) {
      EXPECT_TRUE(call.name == "weather" || call.name == "free") << format.name << ": " << text;
      EXPECT_TRUE(Json::parse(call.arguments, nullptr, false).is_object()) << format.name << ": " << call.arguments;
      if (call.name == "weather") {
        EXPECT_TRUE(grammar::test::matches(weather_, call.arguments)) << format.name << ": " << text << "\n" << call.arguments;
      }
    }
  }

  const OrderedJson tools_ = OrderedJson::array({tool("weather", kWeather), tool("free", R"({"type": "object", "properties": {"n": {"type": "integer"}}})")});
  const std::vector<std::string> strict_ = {"weather"};
  const std::shared_ptr<const grammar::Automaton> weather_ = grammar::test::compile(grammar::test::Kind::kSchema, kWeather);
};

TEST_F(FamilyCallsOf, EveryFormatAreReadWithArgumentsThatTheirSchemasAllow) {
  for (const OutputFormat& format : output_formats()) {
    if (!can_hold_calls(format)) continue;
    for (const bool has_marks : {true, false}) {
      const auto tokenizer = Tokenizer::build(test::call_words(has_marks ? test::bracketed_words(format) : std::vector<std::string>()));
      ConstraintCompiler compiler(*tokenizer);
      const HeldCalls held = held_calls(compiler, what(format, *tokenizer, has_marks));
      ASSERT_FALSE(held.openings.empty()) << format.name;
      Random random(5);
      for (const HeldCalls::Opening& opening : held.openings) {
        const bool in_header = opening.mark == "to=";
        for (int i = 0; i < 12; ++i) {
          const std::string said = test::say_at_random(ConstraintState(opening.call), {*tokenizer, closers(format)}, random);
          expect_calls(format, (in_header ? "<|channel|>commentary " : "") + opening.mark + said, in_header ? "<|start|>assistant" : "");
        }
      }
    }
  }
}

TEST_F(FamilyCallsOf, EveryFormatMayComeAloneInTheirWrapping) {
  for (const OutputFormat& format : output_formats()) {
    if (!can_tell_calls_from_json(format)) continue;
    const auto tokenizer = Tokenizer::build(test::call_words(test::bracketed_words(format)));
    ConstraintCompiler compiler(*tokenizer);
    const auto constraint = hold_to_family_calls(compiler, what(format, *tokenizer, true));
    const auto marks = beginnings_of_calls(format);
    Random random(6);
    for (int i = 0; i < 12; ++i) {
      const std::string said = test::say_at_random(ConstraintState(constraint), {*tokenizer, closers(format)}, random);
      EXPECT_TRUE(std::any_of(marks.begin(), marks.end(), [&](const std::string& mark) { return said.starts_with(mark); })) << said;
      expect_calls(format, said);
    }
  }
}

class HeldTexts : public FamilyCallsOf {
 protected:
  bool accepts(const std::string& format, std::string_view text, bool several = false, std::size_t opening = 0) {
    const HeldCalls held = held_calls(compiler_, what(*find_output_format(format), *tokenizer_, several));
    ConstraintState state(held.openings.at(opening).call);
    return state.accept_text(text) && state.may_end();
  }
  // The error for one strict tool.
  std::string refusal(const std::string& format, const std::string& parameters, const std::string& name = "odd") {
    const OrderedJson tools = OrderedJson::array({tool(name, parameters)});
    const std::vector<std::string> strict = {name};
    return test::refusal([&] { held_calls(compiler_, {.format = *find_output_format(format), .tokenizer = *tokenizer_, .tools = tools, .strict = strict}); });
  }

  std::shared_ptr<const Tokenizer> tokenizer_ = Tokenizer::build(test::call_words({}));
  ConstraintCompiler compiler_{*tokenizer_};
};

TEST_F(HeldTexts, OfJsonAreOneCallOrAListWithStrictToolsByTheirSchemas) {
  const std::string oslo = R"({"name": "weather", "arguments": {"city": "Oslo", "days": 3, "either": true}})", free = R"({"name": "free", "arguments": {"m": 1}})";
  EXPECT_TRUE(accepts("hermes", oslo + "</tool_call>"));
  EXPECT_TRUE(accepts("hermes", "\n" + oslo + "\n</tool_call>"));
  EXPECT_FALSE(accepts("hermes", oslo)) << "without its end";
  EXPECT_FALSE(accepts("hermes", R"({"name": "weather", "arguments": {"days": 3}}</tool_call>)"));
  EXPECT_FALSE(accepts("hermes", R"({"name": "other", "arguments": {}}</tool_call>)"));
  EXPECT_TRUE(accepts("hermes", free + "</tool_call>"));
  EXPECT_TRUE(accepts("hermes", "[" + free + "]</tool_call>"));
  EXPECT_FALSE(accepts("hermes", "[" + free + ", " + free + "]</tool_call>"));
  EXPECT_TRUE(accepts("hermes", "[" + free + ", " + free + "]</tool_call>", true));
  EXPECT_TRUE(accepts("granite", free)) << "a family without a closing mark";
  EXPECT_TRUE(accepts("command-r7b", R"([{"tool_call_id": "0", "tool_name": "free", "parameters": {}}]<|END_ACTION|>)"));
  EXPECT_TRUE(accepts("internlm", R"({"name": "free", "parameters": {}}<|action_end|>)"));
  EXPECT_TRUE(accepts("apertus", R"([{"free": {"m": 1}}]<|tools_suffix|>)"));
  EXPECT_TRUE(accepts("llama-3", R"({"name": "free", "parameters": {}})", false, 0)) << "without a mark";
}

TEST_F(HeldTexts, OfNamedCallsHaveTheirHeaders) {
  EXPECT_TRUE(accepts("mistral", R"(free[ARGS]{"m": 1})"));
  EXPECT_TRUE(accepts("mistral", R"(free[CALL_ID]abcdefgh1[ARGS]{})"));
  EXPECT_FALSE(accepts("mistral", R"(weather[ARGS]{})"));
  EXPECT_TRUE(accepts("kimi-k2", R"(functions.free:12<|tool_call_argument_begin|>{}<|tool_call_end|>)"));
  EXPECT_TRUE(accepts("deepseek", R"(free<｜tool▁sep｜>{}<｜tool▁call▁end｜>)"));
  EXPECT_TRUE(accepts("deepseek", "function<｜tool▁sep｜>free\n```json\n{}\n```<｜tool▁call▁end｜>"));
  EXPECT_TRUE(accepts("functionary-3.1", R"(free>{}</function>)"));
  EXPECT_TRUE(accepts("harmony", R"(functions.free <|constrain|>json<|message|>{"m": 1}<|call|>)"));
  EXPECT_FALSE(accepts("harmony", R"(functions.other <|constrain|>json<|message|>{"m": 1}<|call|>)"));
}

TEST_F(HeldTexts, OfTaggedCallsHaveTheirArgumentsInOrder) {
  const std::string city = "<parameter=city>\nOslo\n</parameter>\n", days = "<parameter=days>\n3\n</parameter>\n", either = "<parameter=either>yes</parameter>";
  EXPECT_TRUE(accepts("qwen3-coder", "weather>\n" + city + days + either + "\n</function>"));
  EXPECT_FALSE(accepts("qwen3-coder", "weather>\n" + city + days + "</function>")) << "one that is required is not there";
  EXPECT_FALSE(accepts("qwen3-coder", "weather>\n" + days + city + either + "</function>"));
  EXPECT_FALSE(accepts("qwen3-coder", "weather>\n" + city + "<parameter=days>10</parameter>" + either + "</function>"));
  EXPECT_TRUE(accepts("qwen3-coder", "free>\n<parameter=m>\nanything\n</parameter>\n</function>"));
  EXPECT_TRUE(accepts("qwen3-coder", "free></function>"));
  EXPECT_TRUE(accepts("glm", "weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key><arg_value>3</arg_value>\n<arg_key>either</arg_key>"
                             "<arg_value>true</arg_value>\n</tool_call>"));
  EXPECT_TRUE(accepts("deepseek-dsml", "free\">\n<｜DSML｜parameter name=\"m\" string=\"true\">1</｜DSML｜parameter>\n</｜DSML｜invoke>"));
  EXPECT_TRUE(accepts("lfm2", "[free(m=1)]<|tool_call_end|>"));
  EXPECT_TRUE(accepts("gemma-4", "free{m:\"a\"}<tool_call|>"));
}

TEST_F(HeldTexts, WhatCannotBeHeldToNamesTheToolAndThePlace) {
  const char* two = R"({"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}], "properties": {"a": {}, "b": {}}})";
  EXPECT_EQ(refusal("hermes", two), "");
  for (const char* format : {"qwen3-coder", "lfm2"}) {
    const std::string why = refusal(format, two);
    EXPECT_NE(why.find("\"odd\": \"anyOf\" at # cannot be held to"), std::string::npos) << why;
  }
  const std::string word = refusal("hermes", R"({"type": "object", "not": {}})");
  EXPECT_NE(word.find("\"odd\""), std::string::npos) << word;
  const std::string nothing = refusal("glm", R"({"type": "object", "properties": {"a": {"enum": ["</arg_value>"]}}, "required": ["a"]})");
  EXPECT_NE(nothing.find("\"odd\": #/properties/a: no text"), std::string::npos) << nothing;
  EXPECT_NE(refusal("lfm2", R"({"type": "object"})", "a:b").find("\"a:b\""), std::string::npos);
  EXPECT_NE(refusal("seed-oss", R"({"type": "object", "properties": {"a>": {}}})").find("\"odd\""), std::string::npos);
}

TEST(ArgumentTexts, ThatMayBecomeSomethingElseThanAStringAreKnown) {
  const auto known = grammar::test::compile(grammar::test::Kind::kRegex, std::string(chat_output::kMayBeNoString));
  const auto expect_known = [&](const std::string& text) {
    const Json value = Json::parse(chat_output::argument_to_json(text, chat_output::ArgumentType::kUnknown));
    EXPECT_TRUE(value.is_string() || grammar::test::matches(known, text)) << text;
  };
  for (const char* text : {"12", "-1.5", "1_000", "+1", ".5", "5.", "1e5", "-_1", "1e_+5", "true", " None\n", "False", "[1]", "(1,)", "{a: 1}", "null", "\"a\"", "'a'"}) expect_known(text);
  for (const char* text : {"2024-01-01", "12 Main St", "abc", "nullable", "a[1]"}) {
    EXPECT_FALSE(grammar::test::matches(known, text)) << text;
    expect_known(text);
  }
  Random random(4);
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (std::size_t n = random.below(7); n > 0; --n) text += "0123.+-_eE \n[]({})\"'truN"[random.below(24)];
    expect_known(text);
  }
}

}  // namespace
}  // namespace minnow
