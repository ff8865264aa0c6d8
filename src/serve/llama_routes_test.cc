#include <gtest/gtest.h>

#include "base/json.h"
#include "base/limits.h"
#include "serve/test_events.h"
#include "serve/test_handlers.h"

namespace minnow {
namespace {

using test::Handlers;

const Routes& routes() {
  static const Routes kRoutes = [] {
    Routes all;
    add_llama_server_routes(all);
    return all;
  }();
  return kRoutes;
}

OrderedJson json(const Handlers::Answer& answer) {
  EXPECT_EQ(answer.status, 200) << answer.body;
  return parse_ordered_json(answer.body, "answer");
}

OrderedJson post(Handlers& server, const std::string& path, const std::string& body) { return json(server.ask(routes(), "POST", path, body)); }

int status(Handlers& server, const std::string& path, const std::string& body) { return server.ask(routes(), "POST", path, body).status; }

TEST(LlamaServer, is_well) {
  Handlers server({"One"});
  EXPECT_EQ(server.ask(routes(), "GET", "/health").body, R"({"status":"ok"})");
  EXPECT_EQ(server.ask(routes(), "GET", "/v1/health").body, R"({"status":"ok"})");
  EXPECT_EQ(server.pool().loaded().size(), 0u) << "it loads nothing to say so";
}

TEST(LlamaServer, completes_a_text) {
  Handlers server({"One", " two"});
  const OrderedJson answer = post(server, "/completion", R"({"prompt": "x", "temperature": 0, "return_tokens": true, "n_probs": 2})");
  EXPECT_EQ(answer["stop"], true);
  EXPECT_EQ(answer["stop_type"], "eos");
  EXPECT_EQ(answer["prompt"], "x");
  EXPECT_EQ(answer["generation_settings"]["temperature"], 0);
  EXPECT_EQ(answer["generation_settings"]["n_probs"], 2);
  ASSERT_EQ(answer["completion_probabilities"].size(), 2u);
  EXPECT_EQ(answer["completion_probabilities"][0]["top_logprobs"].size(), 2u);
  EXPECT_EQ(answer["tokens"][0], test::kFirstPiece);
}

TEST(LlamaServer, completes_several_prompts) {
  Handlers server({"One"});
  const OrderedJson answers = post(server, "/completions", R"({"prompt": ["x", [50, 51], ["y", 60]], "temperature": 0, "n_predict": 1, "skip_special_tokens": false})");
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[1]["tokens_evaluated"], 2);
  for (const OrderedJson& answer : answers) EXPECT_EQ(answer["content"], "One");
}

TEST(LlamaServer, streams_until_an_object_with_stop) {
  Handlers server({"One", " two"});
  const auto answer = server.ask(routes(), "POST", "/completion", R"({"prompt": "x", "temperature": 0, "stream": true, "skip_special_tokens": false})");
  const auto events = test::sent_events(answer.body);
  ASSERT_GE(events.size(), 2u);
  std::string text;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const OrderedJson event = parse_ordered_json(events[i].data, "event");
    EXPECT_EQ(event["stop"], i + 1 == events.size());
    text += event["content"].get<std::string>();
  }
  EXPECT_EQ(text, "One two");
}

TEST(LlamaServer, fills_in_between_two_texts) {
  Handlers server({"One"}, test::kChatTemplate, {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"});
  const OrderedJson answer = post(server, "/infill", R"({"input_prefix": "a", "prompt": "b", "input_suffix": "c", "temperature": 0})");
  EXPECT_EQ(answer["content"], "One");
  EXPECT_EQ(answer["prompt"], "ab");
  const int plain = post(server, "/infill", R"({"input_prefix": "ab", "input_suffix": "c", "temperature": 0})")["tokens_evaluated"].get<int>();
  EXPECT_EQ(answer["tokens_evaluated"], plain) << "what has been typed goes on from the prefix";
  const OrderedJson files = post(server, "/infill", R"({"input_prefix": "ab", "input_suffix": "c", "input_extra": [{"filename": "x.h", "text": "int a;"}]})");
  EXPECT_GT(files["tokens_evaluated"].get<int>(), plain + 5);
  EXPECT_EQ(status(server, "/infill", R"({"input_prefix": "a"})"), 400);
  EXPECT_EQ(status(server, "/infill", R"({"input_suffix": "a"})"), 400);
}

TEST(LlamaServer, fills_in_for_llama_vim) {
  Handlers server({"x = 1;", "\n", "    y = 2;", "\n", "}", "\n", "z"}, test::kChatTemplate, {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"});
  const auto answer = server.ask(routes(), "POST", "/infill", R"({"input_prefix": "int f() {\n", "input_suffix": "\n", "prompt": "    ", "n_predict": 256,
    "input_extra": [{"text": "int a;\n", "time": [1, 2], "filename": "a.c"}], "n_indent": 4, "top_k": 40, "top_p": 0.99, "stream": false,
    "samplers": ["top_k", "top_p", "infill"], "cache_prompt": true, "t_max_prompt_ms": 500, "t_max_predict_ms": 60000,
    "response_fields": ["content", "timings/prompt_n", "timings/predicted_per_second", "truncated", "tokens_cached", "stop_type"]})");
  const OrderedJson fields = json(answer);
  EXPECT_EQ(fields["content"], "x = 1;\n    y = 2;\n") << "the answer ends before a line with less indentation";
  EXPECT_EQ(fields["stop_type"], "limit");
  EXPECT_EQ(fields["truncated"], false);
  EXPECT_TRUE(fields["prompt_n"].is_number());
  EXPECT_EQ(fields.size(), 6u) << fields.dump();
  ASSERT_EQ(answer.headers.size(), 1u) << "what has no effect is named";
  EXPECT_EQ(answer.headers[0].second, "t_max_prompt_ms");
}

TEST(LlamaServer, tells_that_it_has_no_slots_to_choose) {
  Handlers server({"One"});
  const auto answer = [&](const char* slot) { return server.ask(routes(), "POST", "/completion", fmt::format(R"({{"prompt": "x", "id_slot": {}}})", slot)); };
  EXPECT_TRUE(answer("-1").headers.empty());
  ASSERT_EQ(answer("0").headers.size(), 1u);
  EXPECT_EQ(answer("0").headers[0].second, "id_slot");
}

TEST(LlamaServer, names_what_it_does_not_keep_or_discard) {
  Handlers server({"One"});
  const auto answer = [&](const char* fields) { return server.ask(routes(), "POST", "/completion", fmt::format(R"({{"prompt": "x", {}}})", fields)); };
  EXPECT_TRUE(answer(R"("n_keep": -1, "n_discard": 0, "n_cache_reuse": 0)").headers.empty());
  ASSERT_EQ(answer(R"("n_keep": 5, "n_discard": 1, "n_cache_reuse": 256)").headers.size(), 1u);
  EXPECT_EQ(answer(R"("n_keep": 5, "n_discard": 1, "n_cache_reuse": 256)").headers[0].second, "n_keep, n_discard, n_cache_reuse");
}

TEST(LlamaServer, reads_files_in_advance_for_llama_vim) {
  Handlers server({"One"}, test::kChatTemplate, {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"});
  EXPECT_EQ(post(server, "/infill", R"({"input_prefix": "", "input_suffix": "", "input_extra": [{"text": "int a;", "filename": "a.c"}], "prompt": "",
    "n_predict": 0, "temperature": 0.0, "stream": false, "samplers": [], "cache_prompt": true, "t_max_prompt_ms": 1, "t_max_predict_ms": 1,
    "response_fields": [""]})").dump(), "{}");
}

TEST(LlamaServer, remembers_a_prompt_unless_told_not_to) {
  Handlers server({"One"});
  const std::string prompt = R"({"prompt": ")" + std::string(150, 'x') + R"(", "temperature": 0)";
  post(server, "/completion", prompt + "}");
  EXPECT_GT(post(server, "/completion", prompt + "}")["timings"]["cache_n"], 0);
  EXPECT_EQ(post(server, "/completion", prompt + R"(, "cache_prompt": false})")["timings"]["cache_n"], 0);
}

TEST(LlamaServer, refuses_what_it_cannot_honour) {
  Handlers server({"One"});
  for (const char* fields : {R"("min_keep": 3)", R"("t_max_predict_ms": "x")", R"("n_indent": -2)", R"("t_max_prompt_ms": [])", R"("dynatemp_range": 0.5)", R"("lora": [{"id": 0, "scale": 1}])",
                             R"("post_sampling_probs": true)", R"("grammar": "root ::= nothing")", R"("json_schema": {"type": 7})",
                             R"("grammar": "root ::= \"a\"", "json_schema": {})", R"("n_probs": 1000)", R"("id_slot": -5)", R"("n_discard": -1)",
                             R"("temperature": "hot")", R"("n_predict": "many")", R"("return_progress": true)"}) {
    EXPECT_EQ(status(server, "/completion", std::string(R"({"prompt": "x", )") + fields + "}"), 400) << fields;
  }
  EXPECT_EQ(status(server, "/completion", "{}"), 400);
  EXPECT_EQ(status(server, "/completion", R"({"prompt": "x", "model": "huge"})"), 404);
  EXPECT_EQ(status(server, "/infill", R"({"input_prefix": "a", "input_suffix": "b"})"), 400) << "the vocabulary has no tokens for it";
}

TEST(LlamaServer, takes_values_that_ask_for_nothing) {
  Handlers server({"One"});
  for (const char* fields : {R"("grammar": "")", R"("top_n_sigma": 0)", R"("adaptive_target": -0.5)", R"("t_max_predict_ms": -1)", R"("stop": [""])"}) {
    EXPECT_EQ(status(server, "/completion", std::string(R"({"prompt": "x", )") + fields + "}"), 200) << fields;
  }
}

TEST(LlamaServer, tokenizes_and_back) {
  Handlers server({"One"});
  const OrderedJson tokens = post(server, "/tokenize", R"({"content": "hello"})");
  ASSERT_FALSE(tokens["tokens"].empty());
  EXPECT_EQ(post(server, "/detokenize", OrderedJson{{"tokens", tokens["tokens"]}, {"x", 0}}.dump())["content"], "hello");
  const OrderedJson pieces = post(server, "/tokenize", R"({"content": "h\u00e9", "with_pieces": true})");
  for (const OrderedJson& piece : pieces["tokens"]) EXPECT_TRUE(piece["piece"].is_string() || piece["piece"].is_array());
  const OrderedJson special = post(server, "/tokenize", R"({"content": "hello", "add_special": true})");
  EXPECT_EQ(special["tokens"].size(), tokens["tokens"].size() + 1);
  EXPECT_EQ(status(server, "/tokenize", "{}"), 400);
  EXPECT_EQ(status(server, "/detokenize", R"({"tokens": [100000]})"), 400);
  EXPECT_EQ(status(server, "/detokenize", R"({"tokens": ["a"]})"), 400);
}

TEST(LlamaServer, writes_tokens_with_their_pieces) {
  Handlers server({"One"});
  const auto body = [&](const std::string& request) { return server.ask(routes(), "POST", "/tokenize", request).body; };
  // h, the two bytes of an e with an accent, a control character, a quote
  EXPECT_EQ(body(R"({"content": [331, 198, 172, 4, 37], "with_pieces": true})"),
            R"({"tokens":[{"id":331,"piece":"h"},{"id":198,"piece":[195]},{"id":172,"piece":[169]},{"id":4,"piece":"\u0001"},{"id":37,"piece":"\""}]})");
  EXPECT_EQ(body(R"({"content": [331, 198]})"), R"({"tokens":[331,198]})");
  EXPECT_EQ(body(R"({"content": []})"), R"({"tokens":[]})");
  EXPECT_EQ(body(R"({"content": [], "with_pieces": true})"), R"({"tokens":[]})");
  EXPECT_EQ(body(R"({"prompt": "<s>", "add_special_tokens": false})"), R"({"count":1,"max_model_len":256,"tokens":[1],"token_strs":null})");
  EXPECT_EQ(body(R"({"prompt": "<s>", "add_special_tokens": false, "return_token_strs": true})"),
            R"({"count":1,"max_model_len":256,"tokens":[1],"token_strs":["<s>"]})");
}

TEST(LlamaServer, refuses_to_tokenize_when_the_answer_would_be_too_large) {
  constexpr std::size_t kPieceBytes = 1000;
  Handlers server({std::string(kPieceBytes, 'x')});
  const std::vector<TokenId> many(limits::kMaxTokenizeBytes / kPieceBytes, test::kFirstPiece);
  const auto answer = [&](bool with_pieces) {
    return server.ask(routes(), "POST", "/tokenize", OrderedJson{{"content", many}, {"with_pieces", with_pieces}}.dump());
  };
  EXPECT_EQ(answer(false).status, 200);
  const auto refused = answer(true);
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("content: its tokens make an answer of more than"), std::string::npos) << refused.body;
}

TEST(LlamaServer, gives_no_text_for_tokens_that_no_request_could_hold) {
  constexpr std::size_t kPieceBytes = 1000;
  Handlers server({std::string(kPieceBytes, 'x')});
  const auto answer = [&](std::size_t n) {
    return server.ask(routes(), "POST", "/detokenize", OrderedJson{{"tokens", std::vector<TokenId>(n, test::kFirstPiece)}, {"model", "tiny"}}.dump());
  };
  EXPECT_EQ(answer(limits::kMaxBodyBytes / kPieceBytes).status, 200);
  const auto refused = answer(limits::kMaxBodyBytes / kPieceBytes + 1);
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("tokens: their text has more than"), std::string::npos) << refused.body;
  EXPECT_EQ(server.ask(routes(), "POST", "/detokenize", R"({"tokens": [331, 37]})").body, R"({"content":"h\"","prompt":"h\""})");
}

TEST(LlamaServer, tokenizes_for_clients_of_vllm) {
  Handlers server({"One"});
  const OrderedJson text = post(server, "/tokenize", R"({"model": "tiny", "prompt": "hello", "return_token_strs": true})");
  EXPECT_EQ(text["count"], text["tokens"].size());
  EXPECT_EQ(text["token_strs"].size(), text["tokens"].size());
  EXPECT_EQ(text["max_model_len"], 256);
  const OrderedJson chat = post(server, "/tokenize", R"({"model": "tiny", "messages": [{"role": "user", "content": "hello"}]})");
  EXPECT_GT(chat["count"], text["count"]);
}

TEST(LlamaServer, renders_a_chat) {
  Handlers server({"One"});
  EXPECT_EQ(post(server, "/apply-template", R"({"messages": [{"role": "user", "content": "hi <s>"}]})")["prompt"], "user: hi <s>\nassistant:");
  EXPECT_EQ(post(server, "/apply-template", R"({"messages": [{"role": "user", "content": "hi"}], "chat_template_kwargs": {"enable_thinking": false}})")["prompt"],
            "user: hi\n<no>assistant:");
}

TEST(LlamaServer, has_no_adapters) {
  Handlers server({"One"});
  EXPECT_EQ(server.ask(routes(), "GET", "/lora-adapters").body, "[]");
}

TEST(LlamaServer, renders_no_chat_without_a_template) {
  Handlers server({"One"}, "");
  const auto answer = server.ask(routes(), "POST", "/apply-template", R"({"messages": [{"role": "user", "content": "x"}]})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("does not support chat"), std::string::npos) << answer.body;
  EXPECT_EQ(answer.body.find("--raw"), std::string::npos) << answer.body;
}

TEST(LlamaServer, says_what_it_serves) {
  Handlers server({"One"});
  const OrderedJson props = json(server.ask(routes(), "GET", "/props"));
  EXPECT_EQ(props["default_generation_settings"]["n_ctx"], 256);
  EXPECT_EQ(props["chat_template"], test::kChatTemplate);
  EXPECT_EQ(props["model_alias"], "tiny");
  EXPECT_EQ(props["bos_token"], "<s>");
  const OrderedJson slots = json(server.ask(routes(), "GET", "/slots"));
  EXPECT_EQ(slots.size(), props["total_slots"]);
  EXPECT_EQ(slots[0]["is_processing"], false);
  EXPECT_EQ(slots[0]["id_task"], -1);
  EXPECT_EQ(slots.back()["id"], slots.size() - 1);
  OrderedJson used = post(server, "/completion", R"({"prompt": "x"})")["generation_settings"];
  used["seed"] = -1;  // each answer has its own
  EXPECT_EQ(slots[0]["params"].dump(), used.dump()) << "the defaults are those of a request that says nothing";
  EXPECT_EQ(props["default_generation_settings"]["params"].dump(), used.dump());
  server.query = {{"model", "other"}};
  EXPECT_EQ(json(server.ask(routes(), "GET", "/slots")).size(), 0u);
  EXPECT_EQ(status(server, "/props", "{}"), 501);
}

}  // namespace
}  // namespace minnow
