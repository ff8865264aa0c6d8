#include "text/chat_output/chat_output_parser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "text/chat_output/test_parse.h"

namespace minnow {
namespace {

using test::collect;
using test::parse_in_pieces;
using test::parse_whole;
using test::ParsedCall;
using test::ParsedOutput;
using Kind = ChatOutputEvent::Kind;

const OutputFormat& format(std::string_view name) { return *find_output_format(name); }

ParsedOutput parse(std::string_view name, std::string_view text, const ChatOutputOptions& options = {}) {
  return collect(parse_whole(format(name), text, options));
}

constexpr std::string_view kWeather =
    R"([{"type": "function", "function": {"name": "get_weather", "parameters": {
  "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"},
  "zip": {"type": ["string", "null"]}, "opts": {"type": "object"}}}}},
  {"name": "add", "input_schema": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}}])";

ChatOutputOptions with_tools() {
  ChatOutputOptions options;
  options.tools = parse_ordered_json(kWeather, "tools");
  return options;
}

// ---- What each format writes ----

struct Sample {
  std::string_view format, text, content, reasoning;
  std::vector<ParsedCall> calls;
  std::string_view prompt = {};
};

const std::vector<ParsedCall> kBoth = {{"get_weather", R"({"city": "Köln", "days": 3})", ""},
                                       {"add", R"({"a": 1})", ""}};

std::vector<ParsedCall> with_ids(std::string first, std::string second) {
  std::vector<ParsedCall> calls = kBoth;
  calls[0].id = std::move(first);
  calls[1].id = std::move(second);
  return calls;
}

// clang-format off
const std::vector<Sample> kSamples = {
    {"harmony", "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>"
     R"({"city": "Köln", "days": 3}<|call|><|start|>assistant to=functions.add<|channel|>commentary json<|message|>{"a": 1}<|call|>)", "", "Hm.", kBoth},
    {"harmony", "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>final<|message|>Done. <|return|>", "I look.Done.", "", {}},
    {"harmony", R"( to=functions.add<|channel|>commentary json<|message|>{"a": 1}<|call|>)", "", "", {kBoth[1]}, "<|start|>assistant"},
    {"kimi-k2", "<think>Hm.</think>I look.<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
     R"({"city": "Köln", "days": 3}<|tool_call_end|><|tool_call_begin|>functions.add:1<|tool_call_argument_begin|>{"a": 1}<|tool_call_end|><|tool_calls_section_end|>)",
     "I look.", "Hm.", with_ids("functions.get_weather:0", "functions.add:1")},
    {"deepseek", "Hm.</think>I look.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>"
     R"({"city": "Köln", "days": 3}<｜tool▁call▁end｜><｜tool▁call▁begin｜>add<｜tool▁sep｜>{"a": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>)", "I look.", "Hm.", kBoth, "<think>\n"},
    {"deepseek", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": \"Köln\", \"days\": 3}\n```<｜tool▁call▁end｜>\n"
     "<｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{\"a\": 1}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "", "", kBoth},
    {"deepseek-dsml", "I look.\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"get_weather\">\n<｜DSML｜parameter name=\"city\" string=\"true\">Köln</｜DSML｜parameter>\n"
     "<｜DSML｜parameter name=\"days\" string=\"false\">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n<｜DSML｜invoke name=\"add\">\n<｜DSML｜parameter name=\"a\" string=\"false\">1"
     "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>", "I look.", "", kBoth},
    {"apertus", R"(<|inner_prefix|>Hm.<|inner_suffix|>I look.<|tools_prefix|>[{"get_weather": {"city": "Köln", "days": 3}}, {"add": {"a": 1}}]<|tools_suffix|>)", "I look.", "Hm.", kBoth},
    {"seed-oss", "<seed:think>Hm.</seed:think>\nI look.\n<seed:tool_call>\n<function=get_weather>\n<parameter=city>Köln</parameter>\n<parameter=days>3</parameter>\n</function>\n"
     "</seed:tool_call>\n<seed:tool_call>\n<function=add>\n<parameter=a>1</parameter>\n</function>\n</seed:tool_call>", "I look.", "Hm.", kBoth},
    {"qwen3-coder", "Hm.\n</think>\n\nI look.\n<tool_call>\n<function=get_weather>\n<parameter=city>\nKöln\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>\n"
     "</tool_call>\n<tool_call>\n<function=add>\n<parameter=a>\n1\n</parameter>\n</function>\n</tool_call>", "I look.", "Hm.", kBoth, "assistant\n<think>\n"},
    {"minimax", "<think>Hm.</think>\n<minimax:tool_call>\n<invoke name=\"get_weather\">\n<parameter name=\"city\">Köln</parameter>\n<parameter name=\"days\">3</parameter>\n</invoke>\n"
     "<invoke name=\"add\">\n<parameter name=\"a\">1</parameter>\n</invoke>\n</minimax:tool_call>", "", "Hm.", kBoth},
    {"glm", "<think>Hm.</think>\nI look.\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Köln</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>\n"
     "<tool_call>add<arg_key>a</arg_key><arg_value>1</arg_value></tool_call>", "I look.", "Hm.", kBoth},
    {"gemma-4", "<|channel>thought\nHm.\n<channel|><|tool_call>call:get_weather{city:<|\"|>Köln<|\"|>,days:3}<tool_call|><|tool_call>call:add{a:1}<tool_call|>", "", "Hm.", kBoth},
    {"command-r7b", "<|START_THINKING|>Hm.<|END_THINKING|><|START_ACTION|>[\n    {\"tool_call_id\": \"0\", \"tool_name\": \"get_weather\", \"parameters\": {\"city\": \"Köln\", \"days\": 3}},\n"
     "    {\"tool_call_id\": \"1\", \"tool_name\": \"add\", \"parameters\": {\"a\": 1}}\n]<|END_ACTION|>", "", "Hm.", with_ids("0", "1")},
    {"command-r7b", "<|START_RESPONSE|>It rains.<|END_RESPONSE|>", "It rains.", "", {}},
    {"command-r", "I look.\nAction:\n```json\n[\n    {\n        \"tool_name\": \"get_weather\",\n        \"parameters\": {\"city\": \"Köln\", \"days\": 3}\n    },\n"
     "    {\"tool_name\": \"add\", \"parameters\": {\"a\": 1}}\n]```\n", "I look.", "", kBoth},
    {"functionary-3.1", R"(I look.<function=get_weather>{"city": "Köln", "days": 3}</function><function=add>{"a": 1}</function>)", "I look.", "", kBoth},
    {"functionary-3.1", "<|python_tag|>print(1)", "", "", {{"python", R"JSON({"code": "print(1)"})JSON", ""}}},
    {"functionary-3.2", "all\nI look.>>>get_weather\n{\"city\": \"Köln\", \"days\": 3}>>>add\n{\"a\": 1}", "I look.", "", kBoth, "<|end_header_id|>\n\n>>>"},
    {"mistral", R"([THINK]Hm.[/THINK]I look.[TOOL_CALLS]get_weather[CALL_ID]abcdefgh1[ARGS]{"city": "Köln", "days": 3}[TOOL_CALLS]add[ARGS]{"a": 1})", "I look.", "Hm.", with_ids("abcdefgh1", "")},
    {"mistral", R"([TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Köln", "days": 3}, "id": "abcdefgh1"}, {"name": "add", "arguments": {"a": 1}, "id": "abcdefgh2"}])",
     "", "", with_ids("abcdefgh1", "abcdefgh2")},
    {"firefunction", R"(I look. functools[{"name": "get_weather", "arguments": {"city": "Köln", "days": 3}}, {"name": "add", "arguments": {"a": 1}}])", "I look.", "", kBoth},
    {"gigachat", "I look.<|message_sep|>\n\nfunction call<|role_sep|>\n{\"name\": \"add\", \"arguments\": {\"a\": 1}}<|message_sep|>\n\n", "I look.", "", {kBoth[1]}},
    {"gigachat", "I look.<|function_call|>{\"name\": \"add\", \"arguments\": {\"a\": 1}}<|message_sep|>\n\n", "I look.", "", {kBoth[1]}},
    {"minicpm", "<|thought_start|>\nHm.\n<|thought_end|>\n<|tool_call_start|>\n```python\nget_weather(city=\"Köln\", days=3)\nadd(a=1)\n```\n<|tool_call_end|>", "", "Hm.", kBoth},
    {"lfm2", "I look.<|tool_call_start|>[get_weather(city=\"Köln\", days=3), add(a=1)]<|tool_call_end|>", "I look.", "", kBoth},
    {"phi-4-mini", R"(<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Köln", "days": 3}}, {"name": "add", "arguments": {"a": 1}}]<|/tool_call|>)", "", "", kBoth},
    {"granite", R"(<think>Hm.</think><response>I look.</response><|tool_call|>[{"name": "get_weather", "arguments": {"city": "Köln", "days": 3}}, {"name": "add", "arguments": {"a": 1}}])",
     "I look.", "Hm.", kBoth},
    {"granite", "Here is my thought process: Hm.\nHere is my response: Yes.", "Yes.", "Hm.", {}},
    {"apriel", "Hm.\n[BEGIN FINAL RESPONSE]\nI look.\n<tool_calls>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\", \"days\": 3}}, {\"name\": \"add\", \"arguments\": {\"a\": 1}}]</tool_calls>\n"
     "[END FINAL RESPONSE]", "I look.", "Hm.", kBoth, "<|begin_assistant|>\nHere are my reasoning steps:\n"},
    {"nemotron", R"(<TOOLCALL>[{"name": "get_weather", "arguments": {"city": "Köln", "days": 3}}, {"name": "add", "arguments": {"a": 1}}]</TOOLCALL>)", "", "", kBoth},
    {"internlm", "I look.<|action_start|><|plugin|>\n{\"name\": \"add\", \"parameters\": {\"a\": 1}}<|action_end|>", "I look.", "", {kBoth[1]}},
    {"mirothinker", "<think>\nHm.\n</think>\n\nI look.\n<use_mcp_tool>\n<server_name>tools</server_name>\n<tool_name>get_weather</tool_name>\n<arguments>\n{\"city\": \"Köln\", \"days\": 3}\n</arguments>\n"
     "</use_mcp_tool>\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 1}}\n</tool_call>", "I look.", "Hm.", kBoth},
    {"hermes", "<think>\nHm.\n</think>\n\nI look.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\", \"days\": 3}}\n</tool_call>\n"
     "<tool_call>\n{\"arguments\": {\"a\": 1}, \"name\": \"add\"}\n</tool_call>", "I look.", "Hm.", kBoth},
    {"llama-3", R"({"name": "get_weather", "parameters": {"city": "Köln", "days": 3}}; {"name": "add", "parameters": {"a": 1}})", "", "", kBoth},
    {"llama-3", R"(<|python_tag|>{"name": "add", "parameters": {"a": 1}})", "", "", {kBoth[1]}},
    {"llama-3", R"(<|python_tag|>get_weather.call(city="Köln", days=3))", "", "", {kBoth[0]}},
    {"llama-3", R"([get_weather(city='Köln', days=3), add(a=1)])", "", "", kBoth},
    {"generic", "<think>Hm.</think><tool_call>{\"name\": \"add\", \"arguments\": {\"a\": 1}}</tool_call>", "", "Hm.", {kBoth[1]}},
};
// clang-format on

ChatOutputOptions options_of(const Sample& sample) {
  ChatOutputOptions options = with_tools();
  options.prompt = sample.prompt;
  return options;
}

TEST(ChatOutputParser, ReadsWhatEachFormatWrites) {
  for (const Sample& s : kSamples) {
    const ParsedOutput got = parse(s.format, s.text, options_of(s));
    EXPECT_EQ(got.content, s.content) << s.format << ": " << s.text;
    EXPECT_EQ(got.reasoning, s.reasoning) << s.format << ": " << s.text;
    EXPECT_EQ(got.calls, s.calls) << s.format << ": " << s.text;
    EXPECT_EQ(got.broken, 0) << s.format << ": " << s.text;
  }
}

TEST(ChatOutputParser, HasASampleOfEveryFormat) {
  std::set<std::string_view> seen;
  for (const Sample& s : kSamples) seen.insert(s.format);
  for (const OutputFormat& f : output_formats()) EXPECT_TRUE(seen.contains(f.name)) << f.name;
}

TEST(ChatOutputParser, GivesTheSameEventsHoweverTheTextIsCut) {
  for (const Sample& s : kSamples) {
    // Also cut short anywhere, which leaves calls unfinished.
    for (std::size_t length = 0; length <= s.text.size();
         length += length < s.text.size() ? std::min<std::size_t>(7, s.text.size() - length) : 1) {
      const std::string_view text = s.text.substr(0, length);
      const auto whole = parse_whole(format(s.format), text, options_of(s));
      EXPECT_EQ(parse_in_pieces(format(s.format), text, options_of(s), 1), whole) << s.format << ": " << text;
      for (uint64_t seed = 1; seed <= 3; ++seed) {
        EXPECT_EQ(parse_in_pieces(format(s.format), text, options_of(s), 9, seed), whole)
            << s.format << ": " << text;
      }
    }
  }
}

TEST(ChatOutputParser, EndsCallsWithValidArgumentsOnlyWhateverIsSpoiled) {
  Random random(7);
  for (const Sample& s : kSamples) {
    for (int round = 0; round < 60; ++round) {
      std::string text(s.text);
      for (int k = 0; k < 3; ++k) {
        const std::size_t at = random.below(text.size());
        if (random.below(2) == 0)
          text.erase(at, 1 + random.below(5));
        else
          text.insert(at, 1, "{}[]()<>\",':\\ \n\xff"[random.below(16)]);
      }
      const auto events = parse_whole(format(s.format), text, options_of(s));
      for (const ParsedCall& call : collect(events).calls) {
        EXPECT_TRUE(Json::parse(call.arguments, nullptr, false).is_object()) << s.format << ": " << text;
      }
      EXPECT_EQ(parse_in_pieces(format(s.format), text, options_of(s), 5), events)
          << s.format << ": " << text;
    }
  }
}

// ---- Streaming ----

TEST(ChatOutputParser, PassesArgumentsOnAsTheyCome) {
  ChatOutputParser parser(format("hermes"));
  auto events = parser.feed("Yes.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": [1");
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0], (ChatOutputEvent{Kind::kContent, 0, "Yes.", ""}));
  EXPECT_EQ(events[1], (ChatOutputEvent{Kind::kCallBegin, 0, "f", ""}));
  EXPECT_EQ(events[2], (ChatOutputEvent{Kind::kCallArguments, 0, "{\"x\": [1", ""}));
  events = parser.feed(", 2]}");
  EXPECT_EQ(events, (std::vector<ChatOutputEvent>{{Kind::kCallArguments, 0, ", 2]}", ""}}));
  events = parser.feed("}");
  EXPECT_EQ(events, (std::vector<ChatOutputEvent>{{Kind::kCallEnd, 0, "", ""}}));
}

TEST(ChatOutputParser, HoldsBackOnlyWhatMayBecomeAMark) {
  ChatOutputParser parser(format("hermes"));
  const auto text = [&](std::string_view piece) { return collect(parser.feed(piece)).content; };
  EXPECT_EQ(text("a < b <tool"), "a < b");
  EXPECT_EQ(text("s> c"), " <tools> c");
  EXPECT_EQ(text("\n"), "");
  EXPECT_EQ(collect(parser.finish()).content, "\n");
}

// ---- What is not a call ----

TEST(ChatOutputParser, GivesMalformedCallsAsContent) {
  const std::vector<std::pair<std::string_view, std::string_view>> cases = {
      {"hermes", "Say <tool_call>{\"name\": \"f\"}}"},  // the second brace is content
      {"hermes", "<tool_call> is a tag"},
      {"hermes", "<tool_call>{'name': 'f'}</tool_call>"},
      {"hermes", "<tool_call>{\"arguments\": {}}</tool_call>"},
      {"hermes", "<tool_call>{\"name\": 5, \"arguments\": {}}</tool_call>"},
      {"hermes", "<tool_call>{\"name\": \"\", \"arguments\": {}}</tool_call>"},
      {"granite", "<|tool_call|>[]"},
      {"granite", "<|tool_call|>[1]"},
      {"mistral", "[TOOL_CALLS]not a name[ARGS]{}"},
      {"mistral", "[TOOL_CALLS]f[ARGS][1]"},
      {"qwen3-coder", "<function=f>\n<parameter=x>1\n</function>\n"},
      {"lfm2", "<|tool_call_start|>[f(x=y)]<|tool_call_end|>"},
      {"gemma-4", "<|tool_call>call:f{x:}<tool_call|>"},
      {"kimi-k2", "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>nothing"},
      {"functionary-3.2", ">>> 1 + 1\n2"},
      {"llama-3", "<|python_tag|>import math\nprint(math.pi)"},
  };
  EXPECT_EQ(parse("hermes", cases[0].second).calls, (std::vector<ParsedCall>{{"f", "{}", ""}}));
  for (std::size_t i = 1; i < cases.size(); ++i) {
    const ParsedOutput got = parse(cases[i].first, cases[i].second);
    EXPECT_EQ(got.content, cases[i].second);
    EXPECT_TRUE(got.calls.empty()) << cases[i].second;
  }
}

TEST(ChatOutputParser, TakesBackACallThatBreaksInItsArguments) {
  const auto events = parse_whole(
      format("hermes"), "\n<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": 1,}}</tool_call> So.");
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].kind, Kind::kCallBegin);
  EXPECT_EQ(events[1], (ChatOutputEvent{Kind::kCallArguments, 0, "{\"x\": 1,", ""}));
  EXPECT_EQ(events[2], (ChatOutputEvent{Kind::kCallBroken, 0, "", ""}));
  EXPECT_EQ(events[3].text, "\n<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": 1,}}</tool_call> So.");
}

TEST(ChatOutputParser, GoesOnAfterABrokenCall) {
  const ParsedOutput got =
      parse("hermes", "<tool_call><tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>");
  EXPECT_EQ(got.content, "<tool_call>");
  EXPECT_EQ(got.calls, (std::vector<ParsedCall>{{"f", "{}", ""}}));
}

TEST(ChatOutputParser, TakesAnswersInJsonForContentUnlessTheyNameATool) {
  const std::string person = R"({"name": "Ada", "parameters": {"age": 36}})";
  EXPECT_EQ(parse("llama-3", person, with_tools()).content, person);
  EXPECT_EQ(parse("llama-3", R"({"city": "Köln"})", with_tools()).content, R"({"city": "Köln"})");
  EXPECT_EQ(
      parse("llama-3", R"([1] says {"name": "add", "parameters": {"a": 1}})", with_tools()).calls.size(), 0u);
  EXPECT_EQ(parse("llama-3", R"([link](https://x.org) is it.)", with_tools()).content,
            "[link](https://x.org) is it.");
}

TEST(ChatOutputParser, LeavesMarksInTextWhenAskedTo) {
  const std::string text = "<think>a</think><tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>";
  ChatOutputOptions options;
  options.calls = options.reasoning = false;
  EXPECT_EQ(parse("hermes", text, options).content, text);
}

TEST(ChatOutputParser, KeepsWrapsThatNoCallFollows) {
  EXPECT_EQ(parse("qwen3-coder", "Write <tool_call> first, then </tool_call>.").content,
            "Write <tool_call> first, then </tool_call>.");
}

// ---- Arguments ----

std::string arguments_of(std::string_view name, std::string_view text) {
  const ParsedOutput got = parse(name, text, with_tools());
  return got.calls.size() == 1 ? got.calls[0].arguments : "content: " + got.content;
}

TEST(ChatOutputParser, LetsTheSchemaDecideWhatPlainTextMeans) {
  const auto coder = [](std::string_view key, std::string_view value) {
    return arguments_of(
        "qwen3-coder",
        fmt::format("<function=get_weather>\n<parameter={}>\n{}\n</parameter>\n</function>", key, value));
  };
  EXPECT_EQ(coder("city", "3"), R"({"city": "3"})");
  EXPECT_EQ(coder("city", " a\n\"b\" "), R"({"city": " a\n\"b\" "})");
  EXPECT_EQ(coder("days", "3"), R"({"days": 3})");
  EXPECT_EQ(coder("days", "three"), R"({"days": "three"})");
  EXPECT_EQ(coder("zip", "null"), R"({"zip": null})");
  EXPECT_EQ(coder("zip", "\"50667\""), R"({"zip": "\"50667\""})");
  EXPECT_EQ(coder("unknown", "[1, true]"), R"({"unknown": [1, true]})");
  EXPECT_EQ(coder("opts", "{'deep': [1, None, True], 2: (3, 'it\\'s')}"),
            R"({"opts": {"deep": [1, null, true], "2": [3, "it's"]}})");
  EXPECT_EQ(coder("city", "</function> is not the end"), R"({"city": "</function> is not the end"})");
}

TEST(ChatOutputParser, TakesZeroBytesForTextAndNotForAnEnd) {
  using namespace std::string_view_literals;
  EXPECT_EQ(arguments_of("glm", "<tool_call>f<arg_key>n</arg_key><arg_value>1\0}x</arg_value></tool_call>"sv),
            R"({"n": "1\u0000}x"})");
  EXPECT_EQ(arguments_of("functionary-3.1", "<|python_tag|>{}\0x"sv), R"({"code": "{}\u0000x"})");
  EXPECT_EQ(parse("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {}\0}}</tool_call>"sv).calls.size(), 0u);
}

TEST(ChatOutputParser, ReadsPythonLiterals) {
  const auto python = [](std::string_view list) {
    return arguments_of("lfm2", fmt::format("<|tool_call_start|>[f({})]<|tool_call_end|>", list));
  };
  EXPECT_EQ(python(R"(s='a\n\x41\u00fc', t="it's", u='''x''y''')"),
            R"({"s": "a\nAü", "t": "it's", "u": "x''y"})");
  EXPECT_EQ(python("a=-1, b=+2.5e3, c=.5, d=5., e=1_000"),
            R"({"a": -1, "b": 2.5e3, "c": 0.5, "d": 5.0, "e": 1000})");
  EXPECT_EQ(python("a=None, b=True, c=[(), {}], d={'k': 'v',},"),
            R"({"a": null, "b": true, "c": [[], {}], "d": {"k": "v"}})");
  EXPECT_EQ(python("s='\\ud83d\\ude00'"), "{\"s\": \"😀\"}");
  EXPECT_EQ(python(""), "{}");
  EXPECT_TRUE(python("x=1e999").starts_with("content"));
  EXPECT_TRUE(python("x=open('f')").starts_with("content"));
  EXPECT_EQ(arguments_of("lfm2", "<|tool_call_start|>[get_weather('Köln', days=3)]<|tool_call_end|>"),
            R"({"city": "Köln", "days": 3})");
}

TEST(ChatOutputParser, TakesArgumentsAsTextAndLineEndsInStrings) {
  EXPECT_EQ(arguments_of("hermes", R"(<tool_call>{"name": "f", "arguments": "{\"x\": 1}"}</tool_call>)"),
            R"({"x": 1})");
  EXPECT_EQ(
      arguments_of("hermes", "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": \"a\nb\"}}</tool_call>"),
      R"({"x": "a\u000ab"})");
  EXPECT_EQ(
      arguments_of(
          "hermes",
          R"(<tool_call>{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}</tool_call>)"),
      R"({"x":1})");
  EXPECT_EQ(arguments_of("hermes", R"(<tool_call>{"name": "f", "arguments": null}</tool_call>)"), "{}");
  EXPECT_EQ(arguments_of("mistral", R"([TOOL_CALLS]f[ARGS] "{\"x\": [\"\\\"\"]}")"), R"({"x": ["\""]})");
  EXPECT_EQ(arguments_of("mistral", R"([TOOL_CALLS]f[ARGS]"[1]" x)"),
            R"(content: [TOOL_CALLS]f[ARGS]"[1]" x)");
}

// ---- Hostile texts ----

TEST(ChatOutputParser, TakesLinearTimeForWhateverAlmostIsAMark) {
  for (const OutputFormat& f : output_formats()) {
    std::vector<std::string> units = {"<tool_ca", "\n", "{\"a\":", "["};
    for (const CallSyntax& syntax : f.calls) {
      units.emplace_back(syntax.open);
      units.emplace_back(syntax.open.substr(0, syntax.open.size() / 2));
      units.emplace_back(std::string(syntax.open) + "{\"");
      units.emplace_back(std::string(syntax.open) + "f" + std::string(syntax.separator));
    }
    for (const std::string_view word : f.wrap_open) units.emplace_back(word);
    for (const std::string& unit : units) {
      if (unit.empty()) continue;
      std::string text;
      while (text.size() < (1u << 18)) text += unit;
      const auto begin = std::chrono::steady_clock::now();
      ChatOutputParser parser(f);
      std::size_t n = 0;
      for (std::size_t i = 0; i < text.size(); i += 64)
        n += parser.feed(std::string_view(text).substr(i, 64)).size();
      n += parser.finish().size();
      EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5)) << f.name << ": " << unit;
      EXPECT_LE(n, text.size());
    }
  }
}

TEST(ChatOutputParser, BoundsDepthAndLengthOfACall) {
  const std::string deep = "<tool_call>{\"name\": \"f\", \"arguments\": {\"x\": " + std::string(100, '[');
  EXPECT_EQ(parse("hermes", deep).content, deep);
  std::string wide = "<|tool_call_start|>[f(x='" + std::string(5u << 20, 'a');
  EXPECT_EQ(parse("lfm2", wide).content, wide);
  const std::string nested =
      "<|tool_call_start|>[f(x=" + std::string(1000, '[') + std::string(1000, ']') + ")]";
  EXPECT_EQ(parse("lfm2", nested).content, nested);
}

}  // namespace
}  // namespace minnow
