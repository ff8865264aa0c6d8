#include "serve/openai_messages.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

OrderedJson messages(const char* text) {
  const OrderedJson body = parse_ordered_json(std::string(R"({"messages": )") + text + "}", "test");
  return read_messages(RequestFields(body));
}

ToolFields tools(const char* text) {
  const OrderedJson body = parse_ordered_json(text, "test");
  return read_tools(RequestFields(body));
}

template <typename F>
std::string refused_field(F&& f) {
  try {
    f();
  } catch (const RequestError& error) {
    return error.param();
  }
  return "nothing";
}

constexpr const char* kWeather = R"({"type": "function", "function": {"name": "weather", "description": "tells", "strict": true,
  "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}})";

TEST(Messages, keep_role_and_content) {
  EXPECT_EQ(messages(R"([{"role": "developer", "content": "be brief"}, {"role": "user", "content": "hi", "name": "Ann"},
                         {"role": "assistant", "content": "ho"}])")
                .dump(),
            R"([{"role":"system","content":"be brief"},{"role":"user","content":"hi","name":"Ann"},{"role":"assistant","content":"ho"}])");
}

TEST(Messages, join_parts_of_text) {
  const OrderedJson read = messages(R"([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}])");
  EXPECT_EQ(read[0]["content"], "a\nb");
}

TEST(Messages, refuse_images_sound_and_files_by_their_place) {
  EXPECT_EQ(refused_field([] { messages(R"([{"role": "user", "content": [{"type": "text", "text": "a"},
      {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}])"); }),
            "messages[0].content[1].type");
  EXPECT_EQ(refused_field([] { messages(R"([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}])"); }),
            "messages[0].content[0].type");
}

TEST(Messages, carry_calls_with_their_arguments_as_objects_and_results_with_their_names) {
  const OrderedJson read = messages(R"([{"role": "user", "content": "w?"},
    {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [{"id": "call_1", "type": "function",
      "function": {"name": "weather", "arguments": "{\"city\": \"Oslo\"}"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"}])");
  EXPECT_EQ(read[1].dump(),
            R"({"role":"assistant","content":"","reasoning_content":"hm","tool_calls":[{"id":"call_1","type":"function",)"
            R"("function":{"name":"weather","arguments":{"city":"Oslo"}}}]})");
  EXPECT_EQ(read[2].dump(), R"({"role":"tool","content":"rain","name":"weather","tool_call_id":"call_1"})");
}

TEST(Messages, name_what_is_wrong) {
  EXPECT_EQ(refused_field([] { messages("[]"); }), "messages");
  EXPECT_EQ(refused_field([] { messages("\"hi\""); }), "messages");
  EXPECT_EQ(refused_field([] { messages(R"(["hi"])"); }), "messages[0]");
  EXPECT_EQ(refused_field([] { messages(R"([{"content": "hi"}])"); }), "messages[0].role");
  EXPECT_EQ(refused_field([] { messages(R"([{"role": "wizard", "content": "hi"}])"); }), "messages[0].role");
  EXPECT_EQ(refused_field([] { messages(R"([{"role": "user"}])"); }), "messages[0].content");
  EXPECT_EQ(refused_field([] { messages(R"([{"role": "user", "content": 5}])"); }), "messages[0].content");
  EXPECT_EQ(refused_field([] { messages(R"([{"role": "assistant", "content": null}])"); }), "messages[0].content");
  EXPECT_EQ(refused_field([] { messages(R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}])"); }),
            "messages[0].tool_calls[0].function.arguments");
  EXPECT_EQ(refused_field([] { messages(R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[1]"}}]}])"); }),
            "messages[0].tool_calls[0].function.arguments");
}

TEST(Tools, are_what_templates_show) {
  const ToolFields fields = tools((R"({"tools": [)" + std::string(kWeather) + "]}").c_str());
  EXPECT_EQ(fields.tools.dump(), R"([{"type":"function","function":{"name":"weather","description":"tells",)"
                                 R"("parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}])");
  EXPECT_EQ(fields.choice, ToolChoice::kAuto);
  EXPECT_TRUE(fields.parallel);
}

TEST(Tools, may_be_flat_as_those_of_responses) {
  const ToolFields fields = tools(R"({"tools": [{"type": "function", "name": "now"}], "tool_choice": {"type": "function", "name": "now"}})");
  EXPECT_EQ(fields.tools.dump(), R"([{"type":"function","function":{"name":"now","parameters":{"type":"object","properties":{}}}}])");
  EXPECT_EQ(fields.choice, ToolChoice::kNamed);
  EXPECT_EQ(fields.name, "now");
}

TEST(Tools, are_called_as_the_request_chooses) {
  const std::string list = R"("tools": [)" + std::string(kWeather) + "]";
  EXPECT_EQ(tools(("{" + list + R"(, "tool_choice": "none"})").c_str()).choice, ToolChoice::kNone);
  EXPECT_EQ(tools(("{" + list + R"(, "tool_choice": "required", "parallel_tool_calls": false})").c_str()).choice, ToolChoice::kRequired);
  EXPECT_FALSE(tools(("{" + list + R"(, "parallel_tool_calls": false})").c_str()).parallel);
  EXPECT_EQ(tools(("{" + list + R"(, "tool_choice": {"type": "function", "function": {"name": "weather"}}})").c_str()).name, "weather");
}

TEST(Tools, name_what_is_wrong) {
  const std::string list = R"({"tools": [)" + std::string(kWeather) + "]";
  const auto refused = [](const std::string& text) { return refused_field([&] { tools(text.c_str()); }); };
  EXPECT_EQ(refused(list + R"(, "tool_choice": "maybe"})"), "tool_choice");
  EXPECT_EQ(refused(list + R"(, "tool_choice": {"type": "function", "function": {"name": "other"}}})"), "tool_choice");
  EXPECT_EQ(refused(R"({"tool_choice": "required"})"), "tool_choice");
  EXPECT_EQ(refused(R"({"tools": {}})"), "tools");
  EXPECT_EQ(refused(R"({"tools": [{"type": "wizard", "name": "f"}]})"), "tools[0].type");
  EXPECT_EQ(refused(R"({"tools": [{"type": "namespace", "tools": []}]})"), "tools[0].name");
  EXPECT_EQ(refused(R"({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function"}]}]})"), "tools[0].tools[0].function");
  EXPECT_EQ(refused(R"({"tools": [{"type": "function", "function": {}}]})"), "tools[0].function.name");
  EXPECT_EQ(refused(R"({"tools": [{"type": "function", "function": {"name": "f", "parameters": 3}}]})"), "tools[0].function.parameters");
  EXPECT_EQ(refused(R"({"tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "f"}]})"), "tools[1]");
  EXPECT_EQ(refused(R"({"functions": [{"name": "f"}]})"), "functions");
}

TEST(Messages, name_the_tool_of_the_last_call_with_the_id) {
  const OrderedJson read = messages(R"([
    {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f"}}, {"function": {"name": "g"}}]}, {"role": "tool", "tool_call_id": "c", "content": ""},
    {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "h"}}]}, {"role": "tool", "tool_call_id": "c", "content": ""},
    {"role": "tool", "tool_call_id": "d", "content": ""}])");
  EXPECT_EQ(read[1]["name"], "f");
  EXPECT_EQ(read[3]["name"], "h");
  EXPECT_FALSE(read[4].contains("name"));
}

// To look at all calls for each result would take minutes.
TEST(Messages, may_have_many_calls_and_many_results) {
  std::string list = "[";
  std::string calls;
  for (int i = 0; i < 256; ++i) calls += fmt::format(R"({}{{"id": "{}", "function": {{"name": "f"}}}})", i > 0 ? "," : "", i);
  for (int i = 0; i < 400; ++i) list += R"({"role": "assistant", "tool_calls": [)" + calls + "]},";
  for (int i = 0; i < 3600; ++i) list += R"({"role": "tool", "tool_call_id": "x", "content": ""},)";
  list.back() = ']';
  EXPECT_EQ(messages(list.c_str()).size(), 4000u);
}

constexpr const char* kCodexTools = R"("tools": [{"type": "function", "name": "f"}, {"type": "web_search"}, {"type": "image_generation"},
  {"type": "namespace", "name": "mcp__docs", "description": "d", "tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "g"}]}])";

TEST(Tools, that_are_built_in_are_left_out_and_groups_are_functions) {
  for (const char* choice : {"", R"(, "tool_choice": "auto")", R"(, "tool_choice": "none")", R"(, "tool_choice": {"type": "function", "name": "f"})"}) {
    const ToolFields fields = tools(("{" + std::string(kCodexTools) + choice + "}").c_str());
    ASSERT_EQ(fields.tools.size(), 3u);
    EXPECT_EQ(fields.tools[1]["function"]["name"], "mcp__docs__f");
    EXPECT_EQ(fields.unused, (std::vector<std::string>{"tools.web_search", "tools.image_generation"}));
    EXPECT_EQ(fields.grouped.at("mcp__docs__g").group, "mcp__docs");
    EXPECT_EQ(fields.grouped.at("mcp__docs__g").name, "g");
  }
  EXPECT_TRUE(tools(R"({"tools": [{"type": "web_search_preview_2025_03_11"}]})").tools.is_null());
  const std::string named = "{" + std::string(kCodexTools) + R"(, "tool_choice": {"type": "function", "namespace": "mcp__docs", "name": "g"}})";
  EXPECT_EQ(tools(named.c_str()).name, "mcp__docs__g");
}

constexpr const char* kPatch = R"("tools": [{"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}},
  {"type": "custom", "custom": {"name": "say"}}, {"type": "namespace", "name": "n", "tools": [{"type": "custom", "name": "say"}]}])";

TEST(Tools, that_are_custom_are_functions_of_a_text) {
  const ToolFields fields = tools(("{" + std::string(kPatch) + "}").c_str());
  ASSERT_EQ(fields.tools.size(), 3u);
  EXPECT_EQ(fields.tools[0]["type"], "function");
  EXPECT_EQ(fields.tools[0]["function"]["parameters"]["required"][0], "input");
  EXPECT_EQ(fields.custom, (std::set<std::string>{"n__say", "patch", "say"}));
  EXPECT_EQ(fields.unused, std::vector<std::string>{"tools.patch.format"});
  for (const char* choice : {R"({"type": "custom", "name": "say"})", R"({"type": "custom", "custom": {"name": "say"}})"}) {
    EXPECT_EQ(tools(fmt::format("{{{}, \"tool_choice\": {}}}", kPatch, choice).c_str()).name, "say");
  }
}

TEST(Messages, carry_calls_of_custom_tools_as_those_of_functions) {
  const OrderedJson read = messages(R"([{"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "patch", "input": "x\ny"}}]},
    {"role": "tool", "tool_call_id": "c", "content": "done"}])");
  EXPECT_EQ(read[0]["tool_calls"].dump(), R"([{"id":"c","type":"function","function":{"name":"patch","arguments":{"input":"x\ny"}}}])");
  EXPECT_EQ(read[1]["name"], "patch");
  EXPECT_EQ(refused_field([] { messages(R"([{"role": "assistant", "tool_calls": [{"type": "custom", "custom": {"name": "f"}}]}])"); }),
            "messages[0].tool_calls[0].custom.input");
}

TEST(Tools, that_are_built_in_are_refused_where_a_call_is_required) {
  const auto refused = [](const std::string& choice) { return refused_field([&] { tools(("{" + std::string(kCodexTools) + ", " + choice + "}").c_str()); }); };
  EXPECT_EQ(refused(R"("tool_choice": "required")"), "tools[1].type");
  EXPECT_EQ(refused(R"("tool_choice": {"type": "web_search"})"), "tool_choice.type");
  EXPECT_EQ(refused(R"("tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]})"), "tool_choice.tools[0].type");
}

TEST(Tools, are_those_that_are_allowed) {
  const std::string list = R"({"tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "g"}, {"type": "function", "name": "h"}])";
  const ToolFields chat = tools((list + R"(, "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required",
    "tools": [{"type": "function", "function": {"name": "g"}}, {"type": "function", "function": {"name": "g"}}]}}})").c_str());
  ASSERT_EQ(chat.tools.size(), 1u);
  EXPECT_EQ(chat.tools[0]["function"]["name"], "g");
  EXPECT_EQ(chat.choice, ToolChoice::kRequired);
  const ToolFields flat = tools((list + R"(, "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "h"},
    {"type": "function", "name": "f"}, {"type": "web_search"}]}})").c_str());
  EXPECT_EQ(flat.tools.size(), 2u);
  EXPECT_EQ(flat.choice, ToolChoice::kAuto);
  EXPECT_EQ(flat.unused, std::vector<std::string>{"tools.web_search"});
  const auto refused = [&](const std::string& choice) { return refused_field([&] { tools((list + R"(, "tool_choice": {"type": "allowed_tools", )" + choice + "}}").c_str()); }); };
  EXPECT_EQ(refused(R"("mode": "auto", "tools": [{"type": "function", "name": "x"}])"), "tool_choice.tools[0]");
  EXPECT_EQ(refused(R"("mode": "maybe", "tools": [])"), "tool_choice.mode");
  EXPECT_EQ(refused(R"("tools": [])"), "tool_choice.mode");
  EXPECT_EQ(refused(R"("mode": "required", "tools": [])"), "tool_choice.tools");
}

}  // namespace
}  // namespace minnow
