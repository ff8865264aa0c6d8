#include "serve/anthropic_request.h"

#include <gtest/gtest.h>

#include "base/test_refusal.h"
#include "serve/anthropic_blocks.h"

namespace minnow {
namespace {

using test::refusal;

constexpr std::string_view kHello = R"("model": "tiny", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}])";
constexpr std::string_view kTools = R"("tools": [{"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"z": {}, "a": {}}}}, {"name": "g", "input_schema": {}}])";

AnthropicModel able() {
  return {.name = "tiny", .can = {.chat = true, .tools = true, .thinking = true, .insert = false}, .sampling = {.temperature = 1, .top_k = 0, .top_p = 1}};
}

AnthropicFields read(const std::string& json, const AnthropicModel& model = able(), bool with_answer = true) {
  const OrderedJson body = parse_ordered_json(json, "test");
  return read_anthropic(RequestFields(body), model, with_answer);
}

// Of a greeting with these fields beside it.
AnthropicFields with(std::string_view fields, const AnthropicModel& model = able()) { return read(fmt::format("{{{}, {}}}", kHello, fields), model); }

std::string refused(std::string_view fields, const AnthropicModel& model = able()) {
  return refusal([&] { with(fields, model); });
}

OrderedJson messages(std::string_view list, std::string_view more = {}) {
  const OrderedJson body = parse_ordered_json(fmt::format(R"({{"messages": {}{}}})", list, more), "test");
  std::vector<std::string> unused;
  return read_anthropic_messages(RequestFields(body), unused);
}

std::string refused_messages(std::string_view list) {
  return refusal([&] { messages(list); });
}

TEST(AnthropicMessages, are_texts_or_blocks_of_text) {
  const OrderedJson chat = messages(R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b",
    "cache_control": {"type": "ephemeral"}}]}])", R"(, "system": [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}])");
  EXPECT_EQ(chat.dump(), R"([{"role":"system","content":"Be\nbrief."},{"role":"user","content":"Hi"},{"role":"assistant","content":"a\nb"}])");
  EXPECT_EQ(messages(R"([{"role": "user", "content": "Hi"}])", R"(, "system": "Be brief.")")[0]["content"], "Be brief.");
}

TEST(AnthropicMessages, of_the_same_role_are_one) {
  EXPECT_EQ(messages(R"([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])").dump(), R"([{"role":"user","content":"a\nb"}])");
}

TEST(AnthropicMessages, carry_calls_and_their_results) {
  const OrderedJson chat = messages(R"([
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "I look."},
      {"type": "tool_use", "id": "t1", "name": "weather", "input": {"z": "Oslo", "a": 1}}, {"type": "tool_use", "id": "t2", "name": "time", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "noon"}]},
      {"type": "tool_result", "tool_use_id": "t1", "content": "no network", "is_error": true}, {"type": "text", "text": "And?"}]}])");
  ASSERT_EQ(chat.size(), 5u);
  EXPECT_EQ(chat[1].dump(), R"({"role":"assistant","content":"I look.","reasoning_content":"hm","tool_calls":[{"id":"t1","type":"function","function":)"
                            R"({"name":"weather","arguments":{"z":"Oslo","a":1}}},{"id":"t2","type":"function","function":{"name":"time","arguments":{}}}]})");
  EXPECT_EQ(chat[2].dump(), R"({"role":"tool","content":"noon","name":"time","tool_call_id":"t2"})");
  EXPECT_EQ(chat[3]["content"], "Error: no network");
  EXPECT_EQ(chat[4].dump(), R"({"role":"user","content":"And?"})");
}

TEST(AnthropicMessages, that_cannot_be_read_are_refused_by_name) {
  EXPECT_EQ(refusal([] { std::vector<std::string> unused; const OrderedJson body = OrderedJson::object(); read_anthropic_messages(RequestFields(body), unused); }),
            "messages is required");
  EXPECT_TRUE(refused_messages("[]").starts_with("messages is required"));
  EXPECT_TRUE(refused_messages("7").starts_with("messages: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "tool", "content": "x"}])").starts_with("messages[0].role: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "system", "content": "x"}])").starts_with("messages is required"));
  EXPECT_TRUE(refused_messages(R"([{"role": "system"}])").starts_with("messages[0].content: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "user"}])").starts_with("messages[0].content: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "user", "content": 7}])").starts_with("messages[0].content: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "user", "content": [{"type": "image", "source": {}}]}])").starts_with("messages[0].content[0].type: is image"));
  EXPECT_TRUE(refused_messages(R"([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}])").starts_with("messages[0].content[0].tool_use_id: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "assistant", "content": [{"type": "tool_use", "id": "x", "name": "f", "input": "{}"}]}])")
                  .starts_with("messages[0].content[0].input: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "user", "content": [{"type": "redacted_thinking", "data": "x"}]}])").starts_with("messages[0].content[0].type: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "user", "content": [{"type": "tool_use", "id": "x", "name": "f", "input": {}}]}])").starts_with("messages[0].content[0].type: "));
}

TEST(AnthropicRequest, says_how_long_and_how_random_the_answer_is) {
  const AnthropicFields f = with(R"("temperature": 0.5, "top_p": 0, "top_k": 3, "stop_sequences": ["a", "b"], "stream": true, "metadata": {"user_id": "u"})");
  EXPECT_TRUE(f.stream);
  EXPECT_EQ(f.request.max_tokens, 50);
  EXPECT_EQ(f.request.sampling.temperature, 0.5f);
  EXPECT_EQ(f.request.sampling.top_k, 3);
  EXPECT_NO_THROW(f.request.sampling.validate(100));
  EXPECT_EQ(f.request.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(with(R"("stream": null)").stream);
}

TEST(AnthropicRequest, needs_a_length_where_there_is_an_answer) {
  const std::string chat = R"("messages": [{"role": "user", "content": "Hi"}])";
  const std::string expected = "max_tokens is required and must be positive";
  EXPECT_EQ(refusal([&] { read("{" + chat + "}"); }), expected);
  EXPECT_EQ(refusal([&] { read("{" + chat + R"(, "max_tokens": 0})"); }), expected);
  EXPECT_EQ(refusal([&] { read("{" + chat + R"(, "max_tokens": -5})"); }), expected);
  EXPECT_TRUE(refusal([&] { read("{" + chat + R"(, "max_tokens": "5"})"); }).starts_with("max_tokens: "));
  EXPECT_NO_THROW(read("{" + chat + "}", able(), false));
}

TEST(AnthropicRequest, out_of_range_is_refused_by_name) {
  EXPECT_TRUE(refused(R"("temperature": 1.5)").starts_with("temperature: "));
  EXPECT_TRUE(refused(R"("top_p": -1)").starts_with("top_p: "));
  EXPECT_TRUE(refused(R"("top_k": -1)").starts_with("top_k: "));
  EXPECT_TRUE(refused(R"("stop_sequences": [""])").starts_with("stop_sequences: "));
  EXPECT_TRUE(refused(R"("stop_sequences": [1])").starts_with("stop_sequences[0]: "));
  EXPECT_TRUE(refused(R"("stream": "yes")").starts_with("stream: "));
  EXPECT_TRUE(refused(R"("mcp_servers": [{}])").starts_with("mcp_servers: "));
  EXPECT_EQ(refused(R"("mcp_servers": [], "unheard_of": 7)"), "");
}

TEST(AnthropicRequest, shows_tools_as_functions) {
  const ChatRequest r = with(kTools).request;
  ASSERT_EQ(r.tools.size(), 2u);
  EXPECT_EQ(r.tools[0].dump(), R"({"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"z":{},"a":{}}}}})");
  EXPECT_EQ(r.tool_choice, ToolChoice::kAuto);
  EXPECT_TRUE(r.parallel_tool_calls);
  EXPECT_TRUE(r.strict_tools.empty());
  EXPECT_EQ(with(R"("tools": [{"name": "f", "strict": true, "input_schema": {}}])").request.strict_tools, std::vector<std::string>{"f"});
}

TEST(AnthropicRequest, forces_calls_as_it_is_told) {
  const auto choice = [](std::string_view json) { return with(fmt::format(R"({}, "tool_choice": {})", kTools, json)).request; };
  EXPECT_EQ(choice(R"({"type": "auto", "disable_parallel_tool_use": true})").parallel_tool_calls, false);
  EXPECT_EQ(choice(R"({"type": "any"})").tool_choice, ToolChoice::kRequired);
  EXPECT_EQ(choice(R"({"type": "tool", "name": "g"})").tool_choice, ToolChoice::kNamed);
  EXPECT_EQ(choice(R"({"type": "tool", "name": "g"})").tool_name, "g");
  EXPECT_TRUE(choice(R"({"type": "none"})").tools.is_null());
  EXPECT_TRUE(refusal([&] { choice(R"({"type": "tool", "name": "h"})"); }).starts_with("tool_choice.name: "));
  EXPECT_TRUE(refusal([&] { choice(R"({"type": "tool"})"); }).starts_with("tool_choice.name: "));
  EXPECT_TRUE(refusal([&] { choice(R"({"type": "some"})"); }).starts_with("tool_choice.type: "));
  EXPECT_TRUE(refused(R"("tool_choice": {"type": "any"})").starts_with("tool_choice: "));
}

TEST(AnthropicRequest, leaves_out_tools_that_are_built_in_unless_one_is_forced) {
  const std::string built_in = R"("tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}, {"type": "text_editor_20250728",
    "name": "str_replace_based_edit_tool"}, {"name": "f", "input_schema": {}, "strict": true}])";
  const AnthropicFields fields = with(built_in);
  ASSERT_EQ(fields.request.tools.size(), 1u);
  EXPECT_EQ(fields.request.tools[0]["function"]["name"], "f");
  EXPECT_EQ(fields.request.strict_tools, std::vector<std::string>{"f"});
  EXPECT_EQ(fields.unused, (std::vector<std::string>{"tools.web_search_20250305", "tools.text_editor_20250728"}));
  EXPECT_EQ(with(built_in + R"(, "tool_choice": {"type": "tool", "name": "f"})").request.tool_name, "f");
  EXPECT_TRUE(refused(built_in + R"(, "tool_choice": {"type": "any"})").starts_with("tools[0].type: "));
  EXPECT_TRUE(refused(built_in + R"(, "tool_choice": {"type": "tool", "name": "web_search"})").starts_with("tool_choice.name: "));
  for (const char* type : {"bash_20250124", "computer_20250124", "code_execution_20250522", "memory_20250818", "web_fetch_20250910"}) {
    EXPECT_TRUE(with(fmt::format(R"("tools": [{{"type": "{}", "name": "x"}}])", type)).request.tools.is_null()) << type;
  }
}

TEST(AnthropicRequest, refuses_tools_that_it_cannot_have) {
  EXPECT_TRUE(refused(R"("tools": [{"type": "wizard_20250305", "name": "w"}])").starts_with("tools[0].type: "));
  EXPECT_TRUE(refused(R"("tools": [{"name": "f"}])").starts_with("tools[0].input_schema: "));
  EXPECT_TRUE(refused(R"("tools": [{"name": "f", "input_schema": {}}, {"name": "f", "input_schema": {}}])").starts_with("tools[1].name: "));
  AnthropicModel model = able();
  model.can.tools = false;
  EXPECT_TRUE(refused(kTools, model).starts_with("tools: "));
  EXPECT_EQ(refused(fmt::format(R"({}, "tool_choice": {{"type": "any"}})", kTools), model), "") << "a forced call needs no template";
}

TEST(AnthropicRequest, thinks_only_when_asked_to) {
  EXPECT_EQ(with(R"("top_k": 0)").request.thinking, false);
  EXPECT_EQ(with(R"("thinking": {"type": "disabled"})").request.thinking, false);
  EXPECT_EQ(with(R"("thinking": {"type": "adaptive"})").request.thinking, true);
  EXPECT_EQ(with(R"("max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024})").request.thinking, true);
  EXPECT_TRUE(refused(R"("thinking": {"type": "enabled", "budget_tokens": 1024})").starts_with("thinking.budget_tokens: must be less"));
  EXPECT_TRUE(refused(R"("thinking": {"type": "enabled", "budget_tokens": 5})").starts_with("thinking.budget_tokens: "));
  EXPECT_TRUE(refused(R"("thinking": {"type": "enabled"})").starts_with("thinking.budget_tokens: "));
  EXPECT_TRUE(refused(R"("thinking": {"type": "maybe"})").starts_with("thinking.type: "));
  EXPECT_TRUE(refused(R"("thinking": {})").starts_with("thinking.type: "));
  AnthropicModel model = able();
  model.can.thinking = false;
  EXPECT_TRUE(refused(R"("max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024})", model).starts_with("thinking: \"tiny\" does not"));
}

TEST(AnthropicRequest, holds_the_answer_to_a_schema) {
  const ConstraintSpec spec = with(R"("output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}})").request.constraint;
  EXPECT_EQ(spec.kind, ConstraintSpec::Kind::kSchema);
  EXPECT_EQ(spec.text, R"({"type":"object"})");
  EXPECT_EQ(with(R"("output_format": {"type": "json_schema", "schema": {}})").request.constraint.kind, ConstraintSpec::Kind::kSchema);
  EXPECT_TRUE(refused(R"("output_format": {"type": "xml"})").starts_with("output_format.type: "));
  EXPECT_TRUE(refused(fmt::format(R"({}, "output_format": {{"type": "json_schema", "schema": {{}}}})", kTools)).starts_with("tools: "));
}

TEST(AnthropicRequest, goes_on_from_a_last_message_of_the_assistant) {
  EXPECT_FALSE(with(R"("top_k": 0)").request.continue_last);
  const auto ending = [](std::string_view message) { return read(fmt::format(R"({{"max_tokens": 5, "messages": [{{"role": "user", "content": "Hi"}}, {}]}})", message)); };
  EXPECT_TRUE(ending(R"({"role": "assistant", "content": "I am"})").request.continue_last);
  EXPECT_TRUE(refusal([&] { ending(R"({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]})"); }).starts_with("messages: "));
}

TEST(AnthropicRequest, needs_a_model_that_chats) {
  AnthropicModel model = able();
  model.can.chat = false;
  EXPECT_TRUE(refused(R"("top_k": 0)", model).starts_with("model: "));
}

// To copy the text for each block would take minutes.
TEST(AnthropicMessages, may_have_many_blocks_behind_a_long_text) {
  std::string blocks;
  for (int i = 0; i < 1000; ++i) blocks += R"({"type": "text", "text": "a"},)";
  blocks.pop_back();
  std::string list = R"([{"role": "user", "content": ")" + std::string(4 << 20, 'x') + "\"}";
  for (int i = 0; i < 100; ++i) list += R"(, {"role": "user", "content": [)" + blocks + "]}";
  const OrderedJson chat = messages(list + "]");
  ASSERT_EQ(chat.size(), 1u);
  EXPECT_EQ(chat[0]["content"].get_ref<const std::string&>().size(), (4u << 20) + 2 * 100'000u);
}

TEST(AnthropicMessages, join_what_was_thought) {
  const OrderedJson chat = messages(R"([{"role": "assistant", "content": [{"type": "thinking", "thinking": "a"}, {"type": "thinking", "thinking": "b"}]}])");
  EXPECT_EQ(chat[0]["reasoning_content"], "a\nb");
}

TEST(AnthropicMessages, of_the_system_are_system_text_at_the_beginning_and_text_of_the_user_later) {
  EXPECT_EQ(messages(R"([{"role": "system", "content": "b"}, {"role": "user", "content": "Hi"}])", R"(, "system": "a")").dump(),
            R"([{"role":"system","content":"a\nb"},{"role":"user","content":"Hi"}])");
  EXPECT_EQ(messages(R"([{"role": "system", "content": [{"type": "text", "text": "b"}]}, {"role": "user", "content": "Hi"}])").dump(),
            R"([{"role":"system","content":"b"},{"role":"user","content":"Hi"}])");
  EXPECT_EQ(messages(R"([{"role": "user", "content": "Hi"}, {"role": "system", "content": "s"}])").dump(), R"([{"role":"user","content":"Hi\ns"}])");
  EXPECT_EQ(messages(R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}, {"role": "system", "content": "s"}])").dump(),
            R"([{"role":"user","content":"Hi"},{"role":"assistant","content":"Ho"},{"role":"user","content":"s"}])");
}

TEST(AnthropicMessages, of_the_system_do_not_come_between_calls_and_results) {
  const OrderedJson chat = messages(R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
    {"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]}])");
  ASSERT_EQ(chat.size(), 4u);
  EXPECT_EQ(chat[2]["role"], "tool");
  EXPECT_EQ(chat[3].dump(), R"({"role":"user","content":"s"})");
}

TEST(AnthropicRequest, names_edits_that_there_is_no_need_of_and_refuses_others) {
  const AnthropicFields f = with(R"("context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}, {"type": "clear_tool_uses_20250919"}]})");
  EXPECT_EQ(f.unused, (std::vector<std::string>{"context_management.clear_thinking_20251015", "context_management.clear_tool_uses_20250919"}));
  EXPECT_TRUE(with(R"("context_management": {"edits": []})").unused.empty());
  const std::string other = refused(R"("context_management": {"edits": [{"type": "compact_20260112"}]})");
  EXPECT_TRUE(other.starts_with("context_management.edits[0].type: compact_20260112 is not supported")) << other;
  EXPECT_TRUE(refused(R"("context_management": {"edits": [{}]})").starts_with("context_management.edits[0].type: "));
  EXPECT_TRUE(refused(R"("context_management": 7)").starts_with("context_management: "));
}

TEST(AnthropicRequest, leaves_out_blocks_of_anthropics_service_and_names_them) {
  const AnthropicFields f = read(R"({"model": "tiny", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [
    {"type": "redacted_thinking", "data": "x"}, {"type": "redacted_thinking", "data": "y"},
    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}, {"type": "text", "text": "Found."}]}, {"role": "user", "content": "And?"}]})");
  EXPECT_EQ(f.request.messages.dump(), R"([{"role":"user","content":"Hi"},{"role":"assistant","content":"Found."},{"role":"user","content":"And?"}])");
  EXPECT_EQ(f.unused, (std::vector<std::string>{"messages.redacted_thinking", "messages.server_tool_use", "messages.web_search_tool_result"}));
  EXPECT_EQ(messages(R"([{"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}]}])").size(), 1u) << "no turn is lost";
}

TEST(AnthropicRequest, names_a_service_tier_and_checks_what_is_said_of_the_cache) {
  EXPECT_EQ(with(R"("service_tier": "standard_only")").unused, std::vector<std::string>{"service_tier"});
  EXPECT_TRUE(with(R"("service_tier": "auto", "cache_control": {"type": "ephemeral", "ttl": "1h"})").unused.empty());
  EXPECT_TRUE(refused(R"("cache_control": 5)").starts_with("cache_control: "));
  EXPECT_TRUE(refused(R"("cache_control": {"type": "forever"})").starts_with("cache_control.type: "));
  EXPECT_TRUE(refused(R"("system": [{"type": "text", "text": "x", "cache_control": 5}])").starts_with("system[0].cache_control: "));
  EXPECT_TRUE(refused(R"("tools": [{"name": "f", "input_schema": {}, "cache_control": 5}])").starts_with("tools[0].cache_control: "));
  EXPECT_TRUE(refused_messages(R"([{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": 5}]}])")
                  .starts_with("messages[0].content[0].cache_control: "));
}

TEST(AnthropicRequest, lets_a_model_that_does_not_think_decide_not_to) {
  AnthropicModel plain = able();
  plain.can.thinking = false;
  const AnthropicFields f = with(R"("thinking": {"type": "adaptive"}, "output_config": {"effort": "high"})", plain);
  EXPECT_EQ(f.request.thinking, false);
  EXPECT_EQ(f.unused, std::vector<std::string>{"output_config.effort"});
  EXPECT_FALSE(f.request.template_variables.contains("reasoning_effort"));
  EXPECT_EQ(with(R"("thinking": {"type": "adaptive"})").request.thinking, true);
}

}  // namespace
}  // namespace minnow
