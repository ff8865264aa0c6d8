#include "serve/openai_chat_request.h"

#include <gtest/gtest.h>

#include "serve/openai_messages.h"

namespace minnow {
namespace {

constexpr ResponderCapabilities kAll = {.chat = true, .tools = true, .thinking = true, .insert = true};

// A request for "hi", with these fields after a comma.
ChatFields read(const std::string& more, ResponderCapabilities can = kAll) {
  const std::string comma = more.empty() ? "" : ", ";
  const OrderedJson body = parse_ordered_json(R"({"messages": [{"role": "user", "content": "hi"}])" + comma + more + "}", "test");
  return read_chat(RequestFields(body), {.sampling = default_sampling(Dialect::kOpenAi, GgufMetadata("test")), .can = can});
}

std::string refused_field(const std::string& more, ResponderCapabilities can = kAll) {
  try {
    read(more, can);
  } catch (const RequestError& error) {
    return error.param();
  }
  return "nothing";
}

constexpr const char* kTools = R"("tools": [{"type": "function", "function": {"name": "f"}}])";

TEST(ChatRequestFields, ask_for_one_whole_answer_when_they_say_nothing) {
  const ChatFields fields = read("");
  EXPECT_EQ(fields.n, 1);
  EXPECT_FALSE(fields.stream);
  EXPECT_EQ(fields.request.n_logprobs, -1);
  EXPECT_TRUE(fields.request.tools.is_null());
  EXPECT_EQ(fields.request.thinking, std::nullopt);
  EXPECT_TRUE(fields.request.template_variables.empty());
  EXPECT_TRUE(fields.format.include_reasoning);
}

TEST(ChatRequestFields, reach_the_answer) {
  const ChatFields fields = read(R"("n": 3, "logprobs": true, "top_logprobs": 5, "stream": true, "stream_options": {"include_usage": true},
    "max_tokens": 7, "stop": ["x"], "seed": 1, "include_reasoning": false, "min_tokens": 1, "ignore_eos": true)");
  EXPECT_EQ(fields.n, 3);
  EXPECT_EQ(fields.format.n_choices, 3);
  EXPECT_EQ(fields.request.n_logprobs, 5);
  EXPECT_TRUE(fields.stream && fields.format.include_usage && fields.format.logprobs);
  EXPECT_FALSE(fields.format.continuous_usage);
  EXPECT_FALSE(fields.format.include_reasoning);
  EXPECT_EQ(fields.request.max_tokens, 7);
  EXPECT_EQ(fields.request.stop, std::vector<std::string>{"x"});
  EXPECT_EQ(fields.request.min_tokens, 1);
  EXPECT_TRUE(fields.request.ignore_end);
}

TEST(ChatRequestFields, leave_out_tools_that_none_may_be_called_of) {
  EXPECT_TRUE(read(std::string(kTools) + R"(, "tool_choice": "none")").request.tools.is_null());
  EXPECT_EQ(read(kTools).request.tools.size(), 1u);
}

TEST(ChatRequestFields, refuse_a_format_together_with_tools_that_may_be_called) {
  const std::string format = R"(, "response_format": {"type": "json_object"})";
  EXPECT_EQ(refused_field(kTools + format), "tools");
  EXPECT_EQ(read(kTools + format + R"(, "tool_choice": "none")").request.constraint.kind, ConstraintSpec::Kind::kObject);
  ResponderCapabilities marks_calls = kAll;
  marks_calls.calls_or_json = true;
  EXPECT_EQ(refused_field(kTools + format, marks_calls), "nothing");
  EXPECT_EQ(refused_field(kTools + std::string(R"(, "structured_outputs": {"regex": "a"})"), marks_calls), "tools");
}

TEST(ChatRequestFields, say_which_tools_are_strict) {
  const ChatRequest request = read(R"("tools": [{"type": "function", "function": {"name": "f", "strict": true}}, {"type": "function", "name": "g", "strict": true},
    {"type": "function", "function": {"name": "h", "strict": false}}])").request;
  EXPECT_EQ(request.strict_tools, (std::vector<std::string>{"f", "g"}));
  EXPECT_TRUE(is_strict_unused(request, kAll));
  EXPECT_FALSE(request.tools[0]["function"].contains("strict")) << "the model is shown the same either way";
  ResponderCapabilities marks_calls = kAll;
  marks_calls.held_calls = true;
  EXPECT_FALSE(is_strict_unused(request, marks_calls));
}

TEST(ChatRequestFields, refuse_what_the_model_cannot_do) {
  EXPECT_EQ(refused_field("", {.chat = false}), "model");
  ResponderCapabilities plain = kAll;
  plain.tools = plain.thinking = false;
  EXPECT_EQ(refused_field(kTools, plain), "tools");
  EXPECT_EQ(refused_field(kTools + std::string(R"(, "tool_choice": "required")"), plain), "nothing");  // the mask can
}

TEST(ChatRequestFields, name_an_effort_of_a_model_that_does_not_think) {
  ResponderCapabilities plain = kAll;
  plain.thinking = false;
  const ChatFields fields = read(R"("reasoning_effort": "high")", plain);
  EXPECT_EQ(fields.unused, std::vector<std::string>{"reasoning_effort"});
  EXPECT_EQ(fields.request.thinking, std::nullopt);
  EXPECT_TRUE(fields.request.template_variables.empty());
  EXPECT_TRUE(read(R"("reasoning_effort": "none")", plain).unused.empty());
  EXPECT_TRUE(read(R"("reasoning_effort": "high")").unused.empty());
  EXPECT_EQ(refused_field(R"("reasoning_effort": "utmost")", plain), "reasoning_effort");
}

TEST(ChatRequestFields, turn_efforts_into_what_templates_know) {
  EXPECT_EQ(read(R"("reasoning_effort": "none")").request.thinking, false);
  const ChatRequest least = read(R"("reasoning_effort": "minimal")").request, most = read(R"("reasoning_effort": "max")").request;
  EXPECT_EQ(least.thinking, true);
  EXPECT_EQ(least.template_variables["reasoning_effort"], "low");
  EXPECT_EQ(most.template_variables["reasoning_effort"], "high");
  EXPECT_EQ(refused_field(R"("reasoning_effort": "utmost")"), "reasoning_effort");
}

TEST(ChatRequestFields, give_variables_to_the_template_but_not_its_own) {
  EXPECT_EQ(read(R"("chat_template_kwargs": {"enable_thinking": false})").request.template_variables["enable_thinking"], false);
  EXPECT_EQ(refused_field(R"("chat_template_kwargs": {"messages": []})"), "chat_template_kwargs.messages");
  EXPECT_EQ(refused_field(R"("chat_template": "{{ x }}")"), "chat_template");
}

TEST(ChatRequestFields, go_on_from_a_last_message_of_the_assistant) {
  const OrderedJson body = parse_ordered_json(
      R"({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "He"}], "continue_final_message": true,
          "add_generation_prompt": false})",
      "test");
  const ChatFields fields = read_chat(RequestFields(body), {.can = kAll});
  EXPECT_TRUE(fields.request.continue_last);
  EXPECT_FALSE(fields.request.template_variables.contains("add_generation_prompt"));
  EXPECT_EQ(refused_field(R"("continue_final_message": true)"), "continue_final_message");
  EXPECT_EQ(read(R"("add_generation_prompt": false)").request.template_variables["add_generation_prompt"], false);
}

TEST(ChatRequestFields, accept_what_has_no_effect_and_name_what_is_wrong) {
  EXPECT_EQ(refused_field(R"("user": "u", "metadata": {"a": "b"}, "store": true, "service_tier": "auto", "cache_prompt": true, "unheard_of": {}, "modalities": ["text"],
    "stream_options": null)"), "nothing");
  EXPECT_EQ(refused_field(R"("user": 5)"), "user");
  EXPECT_EQ(refused_field(R"("metadata": {"a": 1})"), "metadata");
  EXPECT_EQ(refused_field(R"("n": 0)"), "n");
  EXPECT_EQ(refused_field(R"("n": 1000000)"), "n");
  EXPECT_EQ(refused_field(R"("top_logprobs": 5)"), "top_logprobs");
  EXPECT_EQ(refused_field(R"("logprobs": true, "top_logprobs": 21)"), "top_logprobs");
  EXPECT_EQ(refused_field(R"("stream": "yes")"), "stream");
  EXPECT_EQ(refused_field(R"("stream_options": 1)"), "stream_options");
  EXPECT_EQ(refused_field(R"("modalities": ["text", "audio"])"), "modalities");
  EXPECT_EQ(refused_field(R"("priority": -1)"), "priority");
  EXPECT_EQ(refused_field(R"("echo": true)"), "echo");
  EXPECT_EQ(refused_field(R"("skip_special_tokens": false)"), "skip_special_tokens");
}

TEST(ChatRequestFields, name_what_has_no_effect) {
  EXPECT_EQ(read(R"("store": true, "verbosity": "low", "tools": [{"type": "web_search"}])").unused,
            (std::vector<std::string>{"tools.web_search", "verbosity", "store"}));
  EXPECT_TRUE(read(R"("store": false, "verbosity": "medium", "service_tier": "auto", "prompt_cache_key": "k", "user": "u")").unused.empty());
  EXPECT_EQ(read(R"("service_tier": "priority", "safety_identifier": "s")").unused, (std::vector<std::string>{"service_tier", "safety_identifier"}));
  EXPECT_EQ(refused_field(R"("safety_identifier": 1)"), "safety_identifier");
  EXPECT_EQ(refused_field(R"("verbosity": "much")"), "verbosity");
}

TEST(ChatRequestFields, of_other_servers_are_honoured_or_refused) {
  EXPECT_TRUE(read(R"("return_token_ids": true)").format.token_ids);
  for (const char* name : {"timings_per_token", "return_progress"}) {
    EXPECT_EQ(refused_field(fmt::format(R"("{}": true)", name)), name);
    EXPECT_EQ(refused_field(fmt::format(R"("{}": false)", name)), "nothing");
  }
  EXPECT_EQ(refused_field(R"("n_probs": 3)"), "n_probs");
  EXPECT_EQ(refused_field(R"("n_probs": 0)"), "nothing");
  for (const char* format : {"none", "deepseek-legacy", "zz"}) EXPECT_EQ(refused_field(fmt::format(R"("reasoning_format": "{}")", format)), "reasoning_format");
  for (const char* format : {"auto", "deepseek"}) EXPECT_EQ(refused_field(fmt::format(R"("reasoning_format": "{}")", format)), "nothing");
  EXPECT_EQ(read(R"("id_slot": 0, "n_keep": 5, "n_discard": 0)").unused, (std::vector<std::string>{"id_slot", "n_keep"}));
  EXPECT_TRUE(read(R"("id_slot": -1, "n_keep": -1)").unused.empty());
  EXPECT_EQ(refused_field(R"("id_slot": "x")"), "id_slot");
}

}  // namespace
}  // namespace minnow
