#include "serve/openai_response_request.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

constexpr ResponderCapabilities kAll = {.chat = true, .tools = true, .thinking = true, .insert = true};
const std::string kTenant = "t";

ResponseFields read(const std::string& text, const ResponseStore& store = ResponseStore(), ResponderCapabilities can = kAll) {
  const OrderedJson body = parse_ordered_json(text, "test");
  return read_response(RequestFields(body), {.sampling = default_sampling(Dialect::kOpenAi, GgufMetadata("test")), .can = can}, {store, kTenant});
}

std::string refused_field(const std::string& more) {
  try {
    read(R"({"input": "hi", )" + more + "}");
  } catch (const RequestError& error) {
    return error.param();
  }
  return "nothing";
}

// A response that said "ho" to "hi".
void put_earlier(ResponseStore& store) {
  OrderedJson items = read(R"({"input": [{"role": "user", "content": "hi", "id": "msg_a"}]})").items;
  items.push_back(message_item("msg_b", "completed", OrderedJson::array({output_text("ho", OrderedJson::array())})));
  store.put(kTenant, {.id = "resp_1", .response = "{}", .items = items.dump(), .input_begin = 0, .input_end = 1, .item_ids = {"msg_a", "msg_b"}});
}

TEST(ResponseRequest, has_every_key_of_the_response_object) {
  const OrderedJson response = read(R"({"input": "hi"})").format.response;
  for (const char* key : {"id", "object", "created_at", "error", "incomplete_details", "instructions", "model", "tools", "output", "parallel_tool_calls",
                          "metadata", "tool_choice", "temperature", "top_p", "status", "text", "reasoning", "truncation", "store", "background",
                          "max_output_tokens", "previous_response_id", "completed_at", "max_tool_calls", "top_logprobs", "service_tier",
                          "safety_identifier", "prompt_cache_key", "presence_penalty", "frequency_penalty"}) {
    EXPECT_TRUE(response.contains(key)) << key;
  }
  ASSERT_TRUE(response.contains("usage"));
  EXPECT_TRUE(response["usage"].is_null()) << "not before it is known";
  EXPECT_EQ(response["text"].dump(), R"({"format":{"type":"text"}})");
  EXPECT_EQ(response["reasoning"].dump(), R"({"effort":null,"summary":null})");
  EXPECT_EQ(response["tool_choice"], "auto");
  EXPECT_EQ(response["temperature"], 1);
  EXPECT_EQ(response["metadata"].dump(), "{}");
}

TEST(ResponseRequest, says_that_no_tool_is_strict_where_calls_are_not_held) {
  const std::string tools = R"("tools": [{"type": "function", "name": "f", "strict": true}])";
  EXPECT_EQ(read(R"({"input": "hi", )" + tools + "}").format.response["tools"][0]["strict"], false);
  EXPECT_EQ(read(R"({"input": "hi", "tool_choice": "required", )" + tools + "}").format.response["tools"][0]["strict"], true);
}

TEST(ResponseRequest, says_again_what_it_was_asked) {
  const ResponseFields fields = read(R"({"input": "hi", "instructions": "be kind", "max_output_tokens": 20, "temperature": 0.7, "metadata": {"a": "b"},
    "reasoning": {"effort": "low", "summary": "auto"}, "parallel_tool_calls": false, "tool_choice": "required", "store": false, "user": "u",
    "tools": [{"type": "function", "name": "f", "strict": true, "parameters": {"type": "object"}}]})");
  const OrderedJson& response = fields.format.response;
  EXPECT_EQ(response["tools"].dump(), R"([{"type":"function","name":"f","description":null,"parameters":{"type":"object"},"strict":true}])");
  EXPECT_EQ(response["temperature"].dump(), "0.7");
  EXPECT_EQ(response["instructions"], "be kind");
  EXPECT_EQ(response["tool_choice"], "required");
  EXPECT_EQ(response["parallel_tool_calls"], false);
  EXPECT_EQ(response["reasoning"]["effort"], "low");
  EXPECT_EQ(response["user"], "u");
  EXPECT_EQ(response["store"], false);
  EXPECT_FALSE(fields.store);
  EXPECT_EQ(fields.request.max_tokens, 20);
  EXPECT_EQ(fields.request.tool_choice, ToolChoice::kRequired);
  EXPECT_EQ(fields.request.template_variables["reasoning_effort"], "low");
  EXPECT_EQ(fields.request.messages[0]["content"], "be kind");
}

TEST(ResponseRequest, is_held_to_the_format_of_its_text) {
  const ResponseFields fields = read(R"({"input": "hi", "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}})");
  EXPECT_EQ(fields.request.constraint.kind, ConstraintSpec::Kind::kSchema);
  EXPECT_EQ(fields.format.response["text"]["format"]["name"], "n");
}

TEST(ResponseRequest, goes_on_from_an_earlier_response) {
  ResponseStore store;
  put_earlier(store);
  const ResponseFields fields = read(R"({"input": "and now?", "previous_response_id": "resp_1"})", store);
  EXPECT_EQ(fields.request.messages.dump(),
            R"([{"role":"user","content":"hi"},{"role":"assistant","content":"ho"},{"role":"user","content":"and now?"}])");
  EXPECT_EQ(fields.input_begin, 2u);
  EXPECT_EQ(fields.format.response["previous_response_id"], "resp_1");
}

TEST(ResponseRequest, refers_to_items_that_are_stored) {
  ResponseStore store;
  put_earlier(store);
  const ResponseFields fields = read(R"({"input": [{"role": "user", "content": "hi"}, {"type": "item_reference", "id": "msg_b"}]})", store);
  EXPECT_EQ(fields.request.messages[1].dump(), R"({"role":"assistant","content":"ho"})");
}

TEST(ResponseRequest, does_not_find_what_was_never_stored) {
  try {
    read(R"({"input": "hi", "previous_response_id": "resp_9"})");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
  }
}

TEST(ResponseRequest, asks_for_logprobs_by_include) {
  EXPECT_EQ(read(R"({"input": "hi", "include": ["message.output_text.logprobs"]})").request.n_logprobs, 0);
  EXPECT_EQ(read(R"({"input": "hi", "top_logprobs": 3})").request.n_logprobs, 3);
  EXPECT_EQ(read(R"({"input": "hi"})").request.n_logprobs, -1);
  EXPECT_TRUE(read(R"({"input": "hi", "include": ["reasoning.encrypted_content"]})").format.encode_reasoning);
}

TEST(ResponseRequest, refuses_an_output_without_its_call) {
  const std::string call = R"({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"})";
  const std::string output = R"({"type": "function_call_output", "call_id": "c", "output": "o"})";
  EXPECT_EQ(read(R"({"input": [)" + call + "," + output + "]}").request.messages.size(), 2u);
  for (const std::string& input : {output, output + "," + call, call + R"(, {"type": "custom_tool_call_output", "call_id": "d", "output": "o"})"}) {
    try {
      read(R"({"input": [)" + input + "]}");
      ADD_FAILURE() << input;
    } catch (const RequestError& error) {
      EXPECT_EQ(error.param(), "input");
      EXPECT_TRUE(std::string(error.what()).starts_with("No tool call found for ")) << error.what();
    }
  }
}

TEST(ResponseRequest, refuses_what_it_cannot_do) {
  EXPECT_EQ(refused_field(R"("include": ["zz"])"), "include");
  EXPECT_EQ(refused_field(R"("include": ["web_search_call.action.sources"])"), "nothing");
  EXPECT_EQ(refused_field(R"("return_token_ids": true)"), "return_token_ids");
  EXPECT_EQ(refused_field(R"("background": true)"), "background");
  EXPECT_EQ(refused_field(R"("conversation": "c")"), "conversation");
  EXPECT_EQ(refused_field(R"("truncation": "always")"), "truncation");
  EXPECT_EQ(refused_field(R"("text": {"verbosity": "none"})"), "text.verbosity");
  EXPECT_EQ(refused_field(R"("tools": [{"type": "web_search"}], "tool_choice": "required")"), "tools[0].type");
  EXPECT_EQ(refused_field(R"("max_output_tokens": 0)"), "max_output_tokens");
  EXPECT_EQ(refused_field(R"("reasoning": {"effort": "utmost"})"), "reasoning.effort");
  EXPECT_EQ(refused_field(R"("text": {"format": {"type": "yaml"}})"), "text.format.type");
  EXPECT_EQ(refused_field(R"("store": "yes")"), "store");
  EXPECT_EQ(refused_field(R"("background": false, "truncation": "disabled", "max_tool_calls": 3, "stream_options": {"include_obfuscation": false})"), "nothing");
}

TEST(ResponseRequest, refers_to_several_items_of_one_response) {
  ResponseStore store;
  put_earlier(store);
  const ResponseFields fields = read(R"({"input": [{"type": "item_reference", "id": "msg_a"}, {"type": "item_reference", "id": "msg_b"}]})", store);
  EXPECT_EQ(fields.request.messages.dump(), R"([{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}])");
}

TEST(ResponseRequest, names_what_has_no_effect) {
  const ResponseFields fields = read(R"({"input": "hi", "truncation": "auto", "text": {"verbosity": "low"}, "tools": [{"type": "web_search"},
    {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]}]})");
  EXPECT_EQ(fields.unused, (std::vector<std::string>{"text.verbosity", "tools.web_search", "truncation"}));
  EXPECT_EQ(fields.format.response["truncation"], "auto");
  EXPECT_EQ(fields.format.response["tools"].size(), 2u);
  EXPECT_EQ(fields.format.response["tools"][0]["type"], "web_search");
  EXPECT_EQ(fields.request.tools[0]["function"]["name"], "n__f");
  EXPECT_EQ(fields.format.grouped.at("n__f").name, "f");
  EXPECT_TRUE(read(R"({"input": "hi", "text": {"verbosity": "medium"}})").unused.empty());
}

TEST(ResponseRequest, names_an_effort_of_a_model_that_does_not_think) {
  ResponderCapabilities plain = kAll;
  plain.thinking = false;
  const std::string body = R"({"input": "hi", "reasoning": {"effort": "medium", "summary": "auto"}})";
  EXPECT_EQ(read(body, ResponseStore(), plain).unused, std::vector<std::string>{"reasoning.effort"});
  EXPECT_TRUE(read(body).unused.empty());
}

TEST(ResponseRequest, honours_names_or_refuses_what_belongs_to_openais_service) {
  const ResponseFields fields = read(R"({"input": "hi", "prompt_cache_key": "k", "safety_identifier": "s", "service_tier": "flex", "metadata": {"a": "b"},
    "max_tool_calls": 2, "include": ["reasoning.encrypted_content"], "background": false})");
  EXPECT_EQ(fields.unused, (std::vector<std::string>{"service_tier", "safety_identifier"}));
  EXPECT_EQ(fields.format.response["service_tier"], "default") << "the one that it had";
  EXPECT_EQ(fields.format.response["metadata"]["a"], "b");
  EXPECT_EQ(fields.format.response["max_tool_calls"], 2);
  EXPECT_EQ(fields.format.response["prompt_cache_key"], "k");
  EXPECT_EQ(refused_field(R"("max_tool_calls": 0)"), "max_tool_calls");
  EXPECT_EQ(refused_field(R"("prompt_cache_key": 1)"), "prompt_cache_key");
  EXPECT_EQ(refused_field(R"("service_tier": 1)"), "service_tier");
  EXPECT_EQ(refused_field(R"("top_logprobs": 21)"), "top_logprobs");
}

TEST(ResponseRequest, goes_on_from_what_was_thought) {
  ResponseStore store;
  OrderedJson items = read(R"({"input": [{"role": "user", "content": "hi", "id": "msg_a"}]})").items;
  items.push_back(reasoning_item("rs_b", "completed", "hm", false));
  items.push_back(message_item("msg_c", "completed", OrderedJson::array({output_text("ho", OrderedJson::array())})));
  store.put(kTenant, {.id = "resp_1", .response = "{}", .items = items.dump(), .input_begin = 0, .input_end = 1, .item_ids = {"msg_a", "rs_b", "msg_c"}});
  const std::string chat = R"([{"role":"user","content":"hi"},{"role":"assistant","content":"ho","reasoning_content":"hm"},{"role":"user","content":"go on"}])";
  EXPECT_EQ(read(R"({"input": "go on", "previous_response_id": "resp_1"})", store).request.messages.dump(), chat);
  EXPECT_EQ(read(R"({"input": [{"type": "item_reference", "id": "msg_a"}, {"type": "item_reference", "id": "rs_b"}, {"type": "item_reference", "id": "msg_c"},
    {"role": "user", "content": "go on"}]})", store).request.messages.dump(), chat);
}

TEST(ResponseRequest, goes_on_after_a_call_whose_room_ended) {
  ResponseStore store;
  OrderedJson items = read(R"({"input": [{"role": "user", "content": "hi", "id": "msg_a"}]})").items;
  items.push_back(call_item("fc_b", "incomplete", {.id = "call_1", .name = "f", .arguments = R"({"city": "Os)"}));
  store.put(kTenant, {.id = "resp_1", .response = "{}", .items = items.dump(), .input_begin = 0, .input_end = 1, .item_ids = {"msg_a", "fc_b"}});
  const ResponseFields fields = read(R"({"input": "go on", "previous_response_id": "resp_1"})", store);
  EXPECT_EQ(fields.request.messages.dump(), R"([{"role":"user","content":"hi"},{"role":"user","content":"go on"}])");
}

}  // namespace
}  // namespace minnow
