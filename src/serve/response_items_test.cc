#include "serve/response_items.h"

#include <gtest/gtest.h>

#include "serve/test_events.h"

namespace minnow {
namespace {

OrderedJson items(const std::string& input, const ItemSources& sources = {.make_id = test::numbered_ids()}) {
  const OrderedJson body = parse_ordered_json(R"({"input": )" + input + "}", "test");
  return read_items(RequestFields(body), sources);
}

std::string messages(const std::string& input, const std::string& instructions = {}) {
  return messages_of_items(items(input), instructions).dump();
}

std::string refused_field(const std::string& input) {
  try {
    items(input);
  } catch (const RequestError& error) {
    return error.param();
  }
  return "nothing";
}

TEST(ResponseItems, are_one_message_of_the_user_when_the_input_is_a_text) {
  EXPECT_EQ(items("\"hi\"").dump(),
            R"([{"id":"msg_1","type":"message","status":"completed","role":"user","content":[{"type":"input_text","text":"hi"}]}])");
  EXPECT_EQ(messages("\"hi\""), R"([{"role":"user","content":"hi"}])");
}

TEST(ResponseItems, may_be_bare_messages) {
  EXPECT_EQ(messages(R"([{"role": "developer", "content": "brief"}, {"role": "user", "content": [{"type": "input_text", "text": "a"},
                          {"type": "input_text", "text": "b"}]}, {"role": "assistant", "content": [{"type": "output_text", "text": "c"}]}])"),
            R"([{"role":"system","content":"brief"},{"role":"user","content":"a\nb"},{"role":"assistant","content":"c"}])");
}

TEST(ResponseItems, come_after_the_instructions) {
  EXPECT_EQ(messages(R"([{"role": "user", "content": "hi"}])", "be kind"),
            R"([{"role":"system","content":"be kind"},{"role":"user","content":"hi"}])");
  EXPECT_EQ(messages(R"([{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}])", "be kind"),
            R"([{"role":"system","content":"be kind\n\nbe brief"},{"role":"user","content":"hi"}])");
}

TEST(ResponseItems, become_one_message_of_what_was_thought_said_and_called) {
  EXPECT_EQ(messages(R"([{"role": "user", "content": "w?"},
      {"type": "reasoning", "id": "rs_9", "summary": [{"type": "summary_text", "text": "hm"}]},
      {"type": "message", "role": "assistant", "content": "let me see"},
      {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{\"city\": \"Oslo\"}"},
      {"type": "function_call", "call_id": "c2", "name": "now", "arguments": "{}"},
      {"type": "function_call_output", "call_id": "c1", "output": "rain"},
      {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "noon"}]}])"),
            R"([{"role":"user","content":"w?"},{"role":"assistant","content":"let me see","reasoning_content":"hm","tool_calls":[)"
            R"({"id":"c1","type":"function","function":{"name":"weather","arguments":{"city":"Oslo"}}},)"
            R"({"id":"c2","type":"function","function":{"name":"now","arguments":{}}}]},)"
            R"({"role":"tool","content":"rain","name":"weather","tool_call_id":"c1"},)"
            R"({"role":"tool","content":"noon","name":"now","tool_call_id":"c2"}])");
}

TEST(ResponseItems, give_back_what_was_thought_even_when_it_comes_encoded) {
  const OrderedJson sent = OrderedJson::array({reasoning_item("rs_1", "completed", "hm", true)});
  OrderedJson without_text = sent;
  without_text[0]["summary"] = OrderedJson::array();
  EXPECT_EQ(items(without_text.dump()).dump(), sent.dump());
}

TEST(ResponseItems, replace_references) {
  const ItemSources sources{.find = [](const std::string& id) { return id == "msg_7" ? message_item(id, "completed", OrderedJson::array()) : OrderedJson(); },
                            .make_id = test::numbered_ids()};
  EXPECT_EQ(items(R"([{"type": "item_reference", "id": "msg_7"}])", sources)[0]["role"], "assistant");
  EXPECT_THROW(items(R"([{"type": "item_reference", "id": "msg_8"}])", sources), RequestError);
}

TEST(ResponseItems, name_what_is_wrong) {
  EXPECT_EQ(refused_field("5"), "input");
  EXPECT_EQ(refused_field("[]"), "input");
  EXPECT_EQ(refused_field(R"(["hi"])"), "input[0]");
  EXPECT_EQ(refused_field(R"([{"type": "web_search_call"}])"), "input[0].type");
  EXPECT_EQ(refused_field(R"([{"content": "hi"}])"), "input[0].role");
  EXPECT_EQ(refused_field(R"([{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}])"), "input[0].content[0].type");
  EXPECT_EQ(refused_field(R"([{"type": "function_call", "name": "f", "arguments": "{}"}])"), "input[0].call_id");
  EXPECT_EQ(refused_field(R"([{"type": "function_call", "call_id": "c", "name": "f", "arguments": "nope"}])"), "input[0].arguments");
  EXPECT_EQ(refused_field(R"([{"type": "function_call_output", "call_id": "c"}])"), "input[0].output");
  EXPECT_EQ(refused_field(R"([{"type": "item_reference", "id": "x"}])"), "input[0].id");
}

TEST(ResponseItems, are_referred_to_once) {
  const ItemSources sources{.find = [](const std::string& id) { return message_item(id, "completed", OrderedJson::array()); }, .make_id = test::numbered_ids()};
  EXPECT_EQ(items(R"([{"type": "item_reference", "id": "a"}, {"type": "item_reference", "id": "b"}])", sources).size(), 2u);
  EXPECT_THROW(items(R"([{"type": "item_reference", "id": "a"}, {"type": "item_reference", "id": "a"}])", sources), RequestError);
}

TEST(ResponseItems, are_text_whatever_was_encoded) {
  const OrderedJson read = items(R"([{"type": "reasoning", "encrypted_content": "//5h"}])");
  EXPECT_EQ(read[0]["summary"][0]["text"], "\uFFFD\uFFFDa");
  EXPECT_NO_THROW(read.dump());
}

TEST(ResponseItems, have_instructions_of_many_messages) {
  const OrderedJson read = messages_of_items(items(R"([{"role": "system", "content": "a"}, {"role": "developer", "content": "b"}, {"role": "user", "content": "c"}])"), {});
  EXPECT_EQ(read.dump(), R"([{"role":"system","content":"a\n\nb"},{"role":"user","content":"c"}])");
}

TEST(ResponseItems, leave_out_calls_that_are_but_a_part) {
  EXPECT_EQ(messages(R"([{"role": "user", "content": "w?"}, {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
      {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{\"a\": ", "status": "incomplete"}, {"role": "assistant", "content": "so"}])"),
            R"([{"role":"user","content":"w?"},{"role":"assistant","content":"so"}])");
  EXPECT_EQ(messages(R"([{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": "incomplete"}])"),
            R"([{"role":"assistant","content":"","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":{}}}]}])");
}

TEST(ResponseItems, take_calls_of_custom_tools_and_their_outputs) {
  const OrderedJson read = items(R"([{"type": "custom_tool_call", "call_id": "c", "name": "patch", "namespace": "n", "input": "a\nb"},
                                     {"type": "custom_tool_call_output", "call_id": "c", "output": "done"}])");
  EXPECT_EQ(read[0].dump(), R"({"id":"ctc_1","type":"custom_tool_call","status":"completed","call_id":"c","name":"patch","input":"a\nb","namespace":"n"})");
  EXPECT_EQ(read[1].dump(), R"({"id":"ctco_2","type":"custom_tool_call_output","status":"completed","call_id":"c","output":"done"})");
  EXPECT_EQ(items(read.dump()), read) << "they may be sent again";
  EXPECT_EQ(messages_of_items(read, {}).dump(),
            R"([{"role":"assistant","content":"","tool_calls":[{"id":"c","type":"function","function":{"name":"n__patch","arguments":{"input":"a\nb"}}}]},)"
            R"({"role":"tool","content":"done","name":"n__patch","tool_call_id":"c"}])");
  EXPECT_EQ(messages(R"([{"role": "user", "content": "x"}, {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "a", "status": "incomplete"}])"),
            R"([{"role":"user","content":"x"}])");
  EXPECT_EQ(refused_field(R"([{"type": "custom_tool_call", "call_id": "c", "name": "patch"}])"), "input[0].input");
}

TEST(ResponseItems, leave_out_what_was_thought_before_a_question) {
  EXPECT_EQ(messages(R"([{"role": "user", "content": "a"}, {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "status": "incomplete"},
      {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}])"),
            R"([{"role":"user","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c"}])")
      << "it is not what led to the later answer";
}

TEST(ResponseItems, know_tools_of_groups_by_one_name) {
  const OrderedJson read = items(R"([{"type": "function_call", "call_id": "c", "name": "f", "namespace": "mcp__docs", "arguments": "{}"},
                                     {"type": "function_call_output", "call_id": "c", "output": "o"}])");
  EXPECT_EQ(read[0]["name"], "f");
  EXPECT_EQ(read[0]["namespace"], "mcp__docs");
  const OrderedJson chat = messages_of_items(read, {});
  EXPECT_EQ(chat[0]["tool_calls"][0]["function"]["name"], "mcp__docs__f");
  EXPECT_EQ(chat[1]["name"], "mcp__docs__f");
}

}  // namespace
}  // namespace minnow
