#include "respond/forced_calls.h"

#include <gtest/gtest.h>

#include "base/test_refusal.h"
#include "models/family.h"
#include "models/random_model.h"
#include "text/chat_output/test_parse.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

using Kind = ChatOutputEvent::Kind;

OrderedJson tool(const std::string& name, const std::string& parameters) {
  OrderedJson function = {{"name", name}};
  if (!parameters.empty()) function["parameters"] = OrderedJson::parse(parameters);
  return {{"type", "function"}, {"function", function}};
}

constexpr const char* kWeather = R"({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["city"], "additionalProperties": false})";

class ForcedCalls : public testing::Test {
 protected:
  bool accepts(const std::shared_ptr<const TokenConstraint>& constraint, std::string_view text) const {
    ConstraintState state(constraint);
    for (const char c : text) {
      if (!state.accept(3 + static_cast<unsigned char>(c))) return false;  // tokens of bytes
    }
    return state.may_end();
  }

  std::shared_ptr<const Tokenizer> tokenizer_ = Tokenizer::build(*random_model({.family = &kLlama}, 1).tokenizer);
  ConstraintCompiler compiler_{*tokenizer_};
};

TEST_F(ForcedCalls, ANamedCallIsTheArgumentsOfThatTool) {
  const OrderedJson tools = {tool("weather", kWeather), tool("any", "{}"), tool("none", ""),
                             tool("now", R"({"type": "object", "properties": {}, "required": []})")};
  const auto weather = hold_to_call(compiler_, tools, "weather");
  EXPECT_TRUE(accepts(weather, R"({"city":"Rome","days":3})"));
  EXPECT_FALSE(accepts(weather, R"({"city":"Rome","days":10})"));
  EXPECT_FALSE(accepts(weather, R"({"days":3})"));
  EXPECT_FALSE(accepts(weather, R"({"city": "Rome"})")) << "white space";
  EXPECT_TRUE(accepts(hold_to_call(compiler_, tools, "any"), R"({"a":[1]})"));
  EXPECT_FALSE(accepts(hold_to_call(compiler_, tools, "any"), "[1]"));
  for (const char* name : {"none", "now"}) {
    EXPECT_TRUE(accepts(hold_to_call(compiler_, tools, name), "{}"));
    EXPECT_FALSE(accepts(hold_to_call(compiler_, tools, name), R"({"a":[1]})")) << name << " names no arguments";
  }
  EXPECT_NE(test::refusal([&] { hold_to_call(compiler_, tools, "wether"); }).find("\"wether\""), std::string::npos);
  EXPECT_FALSE(test::refusal([&] { hold_to_call(compiler_, nullptr, "weather"); }).empty());
}

TEST_F(ForcedCalls, RequiredCallsAreAListOfThem) {
  const OrderedJson tools = {tool("weather", kWeather), tool("now", R"({"type": "object", "properties": {}, "additionalProperties": false})")};
  const auto several = hold_to_calls(compiler_, tools, true), one = hold_to_calls(compiler_, tools, false);
  const std::string weather = R"({"name":"weather","arguments":{"city":"Rome"}})", now = R"({"name":"now","arguments":{}})";
  for (const auto& held : {several, one}) {
    EXPECT_TRUE(accepts(held, "[" + weather + "]"));
    EXPECT_TRUE(accepts(held, "[" + now + "]"));
    EXPECT_FALSE(accepts(held, "[]"));
    EXPECT_FALSE(accepts(held, R"([{"name":"now","arguments":{"city":"Rome"}}])")) << "another tool's arguments";
    EXPECT_FALSE(accepts(held, R"([{"name":"never","arguments":{}}])"));
  }
  EXPECT_TRUE(accepts(several, "[" + weather + "," + now + "," + weather + "]"));
  EXPECT_FALSE(accepts(one, "[" + weather + "," + now + "]"));
  EXPECT_FALSE(test::refusal([&] { hold_to_calls(compiler_, OrderedJson::array(), true); }).empty());
}

TEST_F(ForcedCalls, ReferencesWithinParametersStayWhatTheyAre) {
  const OrderedJson tools = {
      tool("other", R"({"type": "object", "$defs": {"x": {"type": "integer"}}})"),
      tool("tree", R"({"$schema": "http://json-schema.org/draft-07/schema#", "$id": "urn:tree", "type": "object", "properties": {"x": {"$ref": "#/$defs/x"},
          "child": {"$ref": "#"}, "$ref": {"const": "#/$defs/x"}}, "additionalProperties": false, "$defs": {"x": {"enum": ["a"]}}})")};
  const auto named = hold_to_call(compiler_, tools, "tree"), required = hold_to_calls(compiler_, tools, true);
  EXPECT_TRUE(accepts(named, R"({"x":"a","child":{"x":"a"},"$ref":"#/$defs/x"})"));
  EXPECT_FALSE(accepts(named, R"({"x":1})"));
  EXPECT_FALSE(accepts(named, R"({"child":{"x":1}})"));
  EXPECT_TRUE(accepts(required, R"([{"name":"tree","arguments":{"x":"a","child":{}}}])"));
  EXPECT_FALSE(accepts(required, R"([{"name":"tree","arguments":{"x":1}}])"));
}

TEST_F(ForcedCalls, WhatCannotBeHeldToNamesTheToolTheKeywordAndThePlace) {
  const OrderedJson tools = {tool("fine", kWeather), tool("odd", R"({"type": "object", "properties": {"a": {"not": {}}}})")};
  for (const bool named : {true, false}) {
    const std::string text = test::refusal([&] { named ? hold_to_call(compiler_, tools, "odd") : hold_to_calls(compiler_, tools, true); });
    EXPECT_NE(text.find("\"odd\""), std::string::npos) << text;
    EXPECT_NE(text.find("\"not\" at #/properties/a"), std::string::npos) << text;
  }
  EXPECT_NO_THROW(hold_to_call(compiler_, tools, "fine")) << "the other tool is not asked for";
  for (const char* wrong : {"[]", "3", R"({"type": "array"})", R"({"type": ["string", "null"]})"}) {
    EXPECT_NE(test::refusal([&] { hold_to_call(compiler_, OrderedJson::array({tool("f", wrong)}), "f"); }).find("\"f\""), std::string::npos) << wrong;
  }
  EXPECT_FALSE(test::refusal([&] { hold_to_calls(compiler_, OrderedJson::array({tool("a b", "")}), true); }).empty());
  EXPECT_FALSE(test::refusal([&] { hold_to_calls(compiler_, OrderedJson::parse(R"([{"type": "function"}])"), true); }).empty());
  EXPECT_FALSE(test::refusal([&] { hold_to_calls(compiler_, OrderedJson::parse("[3]"), true); }).empty());
}

std::vector<ChatOutputEvent> read(AnswerReader& reader, std::string_view text, std::size_t piece) {
  std::vector<ChatOutputEvent> events;
  for (std::size_t i = 0; i < text.size(); i += piece) test::append_merged(events, reader.feed(text.substr(i, piece)));
  test::append_merged(events, reader.finish());
  return events;
}

TEST(CallReaders, GiveCallsAsTheyComeWhereverTheTextIsCut) {
  const OrderedJson tools = {tool("f", ""), tool("g", "")};
  const std::string list = R"([{"name":"f","arguments":{"x":"]}"}},{"name":"g","arguments":{}}])";
  for (std::size_t piece = 1; piece < list.size(); ++piece) {
    EXPECT_EQ(read(*calls_reader(tools), list, piece), (std::vector<ChatOutputEvent>{{Kind::kCallBegin, 0, "f", ""},
                                                                                    {Kind::kCallArguments, 0, R"({"x":"]}"})", ""},
                                                                                    {Kind::kCallEnd, 0, "", ""},
                                                                                    {Kind::kCallBegin, 1, "g", ""},
                                                                                    {Kind::kCallArguments, 1, "{}", ""},
                                                                                    {Kind::kCallEnd, 1, "", ""}}))
        << piece;
    EXPECT_EQ(read(*call_reader("f"), R"({"x":"}"})", piece),
              (std::vector<ChatOutputEvent>{{Kind::kCallBegin, 0, "f", ""}, {Kind::kCallArguments, 0, R"({"x":"}"})", ""}, {Kind::kCallEnd, 0, "", ""}}));
  }
}

TEST(CallReaders, ACallBeginsBeforeItsArgumentsAreWhole) {
  const auto reader = calls_reader(OrderedJson::array({tool("f", "")}));
  const auto first = reader->feed(R"([{"name":"f","arguments":{"a":)");
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].text, "f");
  EXPECT_EQ(first[1].text, R"({"a":)");
}

TEST(CallReaders, ACallThatIsCutOffHasTheArgumentsSoFarAndNoEnd) {
  const OrderedJson tools = OrderedJson::array({tool("f", "")});
  for (const std::size_t piece : {1u, 3u, 100u}) {
    EXPECT_EQ(read(*call_reader("f"), R"({"x":"a)", piece),
              (std::vector<ChatOutputEvent>{{Kind::kCallBegin, 0, "f", ""}, {Kind::kCallArguments, 0, R"({"x":"a)", ""}}));
    EXPECT_EQ(read(*calls_reader(tools), R"([{"name":"f","arguments":{}},{"name":"f","arguments":{"x)", piece),
              (std::vector<ChatOutputEvent>{{Kind::kCallBegin, 0, "f", ""},
                                            {Kind::kCallArguments, 0, "{}", ""},
                                            {Kind::kCallEnd, 0, "", ""},
                                            {Kind::kCallBegin, 1, "f", ""},
                                            {Kind::kCallArguments, 1, R"({"x)", ""}}));
    EXPECT_TRUE(read(*calls_reader(tools), R"([{"name":"f)", piece).empty()) << "its name is not known yet";
    EXPECT_TRUE(read(*call_reader("f"), "", piece).empty());
    EXPECT_TRUE(read(*call_reader("f"), "<thi", piece).empty()) << "of a mark that was to come before";
    EXPECT_TRUE(read(*calls_reader(tools), "<thi", piece).empty());
    EXPECT_TRUE(read(*calls_reader(tools), "", piece).empty());
  }
}

}  // namespace
}  // namespace minnow
