#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/ollama_fields.h"
#include "serve/test_handlers.h"

namespace minnow {
namespace {

using test::Handlers;

const Routes& routes() {
  static const Routes kRoutes = [] {
    Routes all;
    add_ollama_generate_routes(all);
    add_ollama_model_routes(all);
    return all;
  }();
  return kRoutes;
}

OrderedJson json(const Handlers::Answer& answer) {
  EXPECT_EQ(answer.status, 200) << answer.body;
  return parse_ordered_json(answer.body, "answer");
}

OrderedJson post(Handlers& server, const std::string& path, const std::string& body) { return json(server.ask(routes(), "POST", path, body)); }

std::string refused(Handlers& server, const std::string& path, const std::string& body, int status = 400) {
  const auto answer = server.ask(routes(), "POST", path, body);
  EXPECT_EQ(answer.status, status) << answer.body;
  const OrderedJson document = parse_ordered_json(answer.body, "error");
  EXPECT_EQ(document.size(), 1u);
  return document.value("error", "");
}

std::vector<OrderedJson> lines(const std::string& body) {
  std::vector<OrderedJson> all;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = body.find('\n', at);
    all.push_back(parse_ordered_json(std::string_view(body).substr(at, end - at), "line"));
    at = end + 1;
  }
  return all;
}

constexpr const char* kGreedy = R"("options": {"temperature": 0})";

TEST(OllamaGenerate, streams_unless_told_otherwise) {
  Handlers server({"One", " two"});
  const auto answer = server.ask(routes(), "POST", "/api/generate", fmt::format(R"({{"model": "tiny", "prompt": "x", {}}})", kGreedy));
  EXPECT_EQ(answer.content_type, "application/x-ndjson");
  const auto all = lines(answer.body);
  ASSERT_GE(all.size(), 2u);
  std::string text;
  for (const OrderedJson& line : all) text += line["response"].get<std::string>();
  EXPECT_EQ(text, "One two");
  EXPECT_EQ(all.back()["done"], true);
  EXPECT_EQ(all.back()["done_reason"], "stop");
  EXPECT_EQ(all.back()["eval_count"], 3) << "the token that ends the text is one";
}

TEST(OllamaGenerate, goes_on_from_the_context_that_it_returned) {
  Handlers server({"One", " two"});
  const std::string ask = fmt::format(R"({{"model": "tiny", "prompt": "x", "stream": false, {}, "context": )", kGreedy);
  const OrderedJson first = post(server, "/api/generate", ask + "[]}");
  ASSERT_TRUE(first["context"].is_array());
  const OrderedJson second = post(server, "/api/generate", ask + first["context"].dump() + "}");
  EXPECT_EQ(second["prompt_eval_count"].get<int>() - static_cast<int>(first["context"].size()), first["prompt_eval_count"].get<int>() - 1)
      << "all of it, and the prompt without its BOS";
  for (std::size_t i = 0; i < first["context"].size(); ++i) EXPECT_EQ(second["context"][i], first["context"][i]) << i;
}

TEST(OllamaGenerate, takes_a_raw_prompt_as_it_is) {
  Handlers server({"One"});
  const OrderedJson raw = post(server, "/api/generate", fmt::format(R"({{"model": "tiny", "prompt": "x", "raw": true, "stream": false, {}}})", kGreedy));
  EXPECT_EQ(raw["response"], "One");
  EXPECT_FALSE(raw.contains("context"));
  EXPECT_LT(raw["prompt_eval_count"].get<int>(), 4);
  EXPECT_EQ(refused(server, "/api/generate", R"({"model": "tiny", "prompt": "x", "raw": true, "system": "s"})"),
            "raw mode does not support template, system, or context");
}

TEST(OllamaGenerate, takes_a_template_of_either_kind) {
  Handlers server({"One"});
  const auto count = [&](const std::string& chat_template) {
    const OrderedJson body = {{"model", "tiny"}, {"prompt", "x"}, {"stream", false}, {"template", chat_template}, {"options", {{"temperature", 0}}}};
    return post(server, "/api/generate", body.dump())["prompt_eval_count"].get<int>();
  };
  EXPECT_EQ(count("{{ .Prompt }}"), count("{{ messages[-1].content }}"));
  EXPECT_EQ(count("abcd{{ .Prompt }}{{ .Response }}zzz"), count("abcd{{ .Prompt }}")) << "the prompt ends at the response";
  EXPECT_GT(count("abcd{{ .Prompt }}"), count("{{ .Prompt }}"));
  EXPECT_NE(refused(server, "/api/generate", R"({"model": "tiny", "prompt": "x", "template": "{{ range .Messages }}{{ end }}"})"), "");
}

TEST(OllamaGenerate, without_a_chat_template_goes_on_from_the_text) {
  Handlers server({"One"}, "");
  const OrderedJson answer = post(server, "/api/generate", fmt::format(R"({{"model": "tiny", "prompt": "x", "stream": false, {}}})", kGreedy));
  EXPECT_EQ(answer["response"], "One");
  EXPECT_TRUE(refused(server, "/api/generate", R"({"model": "tiny", "prompt": "x", "system": "s"})").starts_with("system has no effect"));
  EXPECT_TRUE(refused(server, "/api/chat", R"({"model": "tiny", "messages": [{"role": "user", "content": "x"}]})").starts_with("\"tiny\" does not support chat"));
}

TEST(OllamaGenerate, fills_in_between_prompt_and_suffix) {
  Handlers server({"One"}, test::kChatTemplate, {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"});
  const OrderedJson answer =
      post(server, "/api/generate", fmt::format(R"({{"model": "tiny", "prompt": "x", "suffix": "y", "stream": false, {}}})", kGreedy));
  EXPECT_EQ(answer["response"], "One");
  EXPECT_EQ(answer["context"][answer["prompt_eval_count"].get<std::size_t>() - 1], test::kFirstControl + 2) << "the middle is what comes next";
  EXPECT_NE(refused(server, "/api/generate", R"({"model": "tiny", "prompt": "x", "suffix": "y", "system": "s"})"), "");
}

TEST(OllamaGenerate, cannot_fill_in_without_the_tokens_for_it) {
  Handlers server({"One"});
  EXPECT_EQ(refused(server, "/api/generate", R"({"model": "tiny", "prompt": "x", "suffix": "y"})"), "\"tiny\" does not support insert");
}

TEST(OllamaGenerate, keeps_to_the_context_that_is_asked_for) {
  Handlers server({"One", " two", " three", " four"});
  const auto ask = [](int n_ctx, const char* prompt) {
    return fmt::format(R"({{"model": "tiny", "prompt": "{}", "raw": true, "stream": false, "options": {{"temperature": 0, "num_ctx": {}}}}})", prompt, n_ctx);
  };
  const int prompt = post(server, "/api/generate", ask(0, "x"))["prompt_eval_count"].get<int>();
  const OrderedJson cut = post(server, "/api/generate", ask(prompt + 2, "x"));
  EXPECT_EQ(cut["eval_count"], 2);
  EXPECT_EQ(cut["done_reason"], "length");
  EXPECT_TRUE(refused(server, "/api/generate", ask(2, "many words that do not fit")).starts_with("the prompt has "));
  const auto more = server.ask(routes(), "POST", "/api/generate", ask(100000, "x"));
  EXPECT_EQ(json(more)["done_reason"], "stop") << "more than is loaded: as much as there is";
  ASSERT_EQ(more.headers.size(), 1u);
  EXPECT_EQ(more.headers[0].second, "num_ctx");
}

TEST(OllamaEmbed, tells_that_it_keeps_to_no_context_that_is_asked_for) {
  Handlers server({"One"});
  for (const char* path : {"/api/embed", "/api/embeddings"}) {
    const auto answer = server.ask(routes(), "POST", path, R"({"model": "tiny", "options": {"num_ctx": 8}})");
    EXPECT_EQ(answer.status, 200) << answer.body;
    ASSERT_EQ(answer.headers.size(), 1u);
    EXPECT_EQ(answer.headers[0].second, "num_ctx");
  }
}

TEST(OllamaGenerate, refuses_a_prompt_that_does_not_fit) {
  Handlers server({"One"});
  const std::string text = refused(server, "/api/generate", R"({"model": "tiny", "prompt": ")" + std::string(2000, 'x') + R"("})");
  EXPECT_NE(text.find("256"), std::string::npos) << text;
}

TEST(OllamaGenerate, tells_of_options_without_a_use) {
  Handlers server({"One"});
  const auto answer = server.ask(routes(), "POST", "/api/generate", R"({"model": "tiny", "prompt": "x", "options": {"num_gpu": 1, "temprature": 0}})");
  ASSERT_EQ(answer.headers.size(), 1u);
  EXPECT_EQ(answer.headers[0].first, kUnusedOptionsHeader);
  EXPECT_EQ(answer.headers[0].second, "num_gpu, temprature");
}

TEST(OllamaGenerate, tells_that_nothing_is_cut_or_moved_on) {
  Handlers server({"One"});
  const auto unused = [&](const std::string& fields) {
    const auto answer = server.ask(routes(), "POST", "/api/generate", R"({"model": "tiny", "prompt": "x", "stream": false, )" + fields + "}");
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.headers.empty() ? std::string() : answer.headers[0].second;
  };
  EXPECT_EQ(unused(R"("truncate": true, "shift": true)"), "truncate, shift");
  EXPECT_EQ(unused(R"("truncate": false, "shift": false)"), "") << "that is how it is";
}

TEST(OllamaGenerate, without_a_prompt_loads_and_unloads) {
  Handlers server({"One"});
  EXPECT_EQ(post(server, "/api/generate", R"({"model": "tiny"})")["done_reason"], "load");
  EXPECT_EQ(server.pool().loaded().size(), 1u);
  const OrderedJson unloaded = post(server, "/api/generate", R"({"model": "tiny", "keep_alive": 0})");
  EXPECT_EQ(unloaded["done_reason"], "unload");
  EXPECT_EQ(unloaded["done"], true);
  EXPECT_EQ(server.pool().loaded().size(), 0u);
  EXPECT_EQ(post(server, "/api/chat", R"({"model": "tiny", "messages": []})")["done_reason"], "load");
  EXPECT_EQ(post(server, "/api/chat", R"({"model": "tiny", "messages": [], "keep_alive": "0s"})")["message"]["content"], "");
}

TEST(OllamaGenerate, keeps_a_model_as_long_as_it_is_told) {
  Handlers server({"One"});
  post(server, "/api/generate", R"({"model": "tiny", "keep_alive": -1})");
  ASSERT_EQ(server.pool().loaded().size(), 1u);
  EXPECT_FALSE(server.pool().loaded()[0].remaining);
  post(server, "/api/generate", R"({"model": "tiny", "keep_alive": "1h"})");
  ASSERT_TRUE(server.pool().loaded()[0].remaining);
  EXPECT_GT(*server.pool().loaded()[0].remaining, std::chrono::minutes(50));
}

TEST(OllamaGenerate, keeps_a_model_as_the_server_says_for_whoever_may_not_manage) {
  Handlers server({"One"});
  server.caller.manages = false;
  const auto remaining = [&] { return server.pool().loaded().at(0).remaining; };
  const auto loaded = server.ask(routes(), "POST", "/api/generate", R"({"model": "tiny", "keep_alive": -1})");
  EXPECT_EQ(json(loaded)["done_reason"], "load") << "using a model loads it as well";
  ASSERT_EQ(loaded.headers.size(), 1u);
  EXPECT_EQ(loaded.headers[0].second, "keep_alive");
  ASSERT_TRUE(remaining());
  EXPECT_LE(*remaining(), std::chrono::minutes(5));
  for (const char* path : {"/api/generate", "/api/chat"}) {
    const std::string text = refused(server, path, R"({"model": "tiny", "keep_alive": 0})", 403);
    EXPECT_NE(text.find("'manage'"), std::string::npos) << text;
    EXPECT_EQ(server.ask(routes(), "POST", path, R"({"model": "huge", "keep_alive": 0})").status, 404);
  }
  for (const char* keep_alive : {"0", "\"1ns\"", "-1", "\"9h\""}) {
    const auto answer = server.ask(routes(), "POST", "/api/generate",
                                   fmt::format(R"({{"model": "tiny", "prompt": "x", "stream": false, "keep_alive": {}, {}}})", keep_alive, kGreedy));
    EXPECT_EQ(json(answer)["response"], "One");
    ASSERT_EQ(answer.headers.size(), 1u) << keep_alive;
    EXPECT_EQ(answer.headers[0].second, "keep_alive");
    ASSERT_EQ(server.pool().loaded().size(), 1u) << keep_alive;
    ASSERT_TRUE(remaining()) << keep_alive;
    EXPECT_GT(*remaining(), std::chrono::minutes(4)) << keep_alive;
  }
  EXPECT_TRUE(refused(server, "/api/generate", R"({"model": "tiny", "prompt": "x", "keep_alive": "soon"})").starts_with("keep_alive: "));
}

TEST(OllamaChat, answers_with_a_message) {
  Handlers server({"One", " two"});
  const OrderedJson answer =
      post(server, "/api/chat", fmt::format(R"({{"model": "tiny", "stream": false, {}, "messages": [{{"role": "user", "content": "x"}}]}})", kGreedy));
  EXPECT_EQ(answer["message"]["role"], "assistant");
  EXPECT_EQ(answer["message"]["content"], "One two");
  EXPECT_FALSE(answer.contains("context"));
  for (const char* metric : {"total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"}) {
    EXPECT_TRUE(answer[metric].is_number_integer()) << metric;
  }
}

TEST(OllamaChat, calls_tools) {
  Handlers server({"<tool_call>", R"({"name": "weather", "arguments": {"z": "Oslo", "a": 1}})", "</tool_call>"});
  const auto answer = server.ask(routes(), "POST", "/api/chat", fmt::format(R"({{"model": "tiny", {}, "messages": [{{"role": "user", "content": "x"}}],
    "tools": [{{"type": "function", "function": {{"name": "weather", "parameters": {{"type": "object"}}}}}}]}})", kGreedy));
  const auto all = lines(answer.body);
  ASSERT_EQ(all.size(), 2u) << answer.body;
  EXPECT_EQ(all[0]["message"]["tool_calls"][0]["function"].dump(), R"({"index":0,"name":"weather","arguments":{"z":"Oslo","a":1}})");
  EXPECT_EQ(all[1]["done_reason"], "stop");
}

TEST(OllamaChat, thinks_only_where_the_model_can) {
  Handlers plain({"One"}, "{% for m in messages %}{{ m.content }}{% endfor %}");
  const std::string chat = R"("model": "tiny", "stream": false, "messages": [{"role": "user", "content": "x"}])";
  EXPECT_EQ(refused(plain, "/api/chat", "{" + chat + R"(, "think": true})"), "\"tiny\" does not support thinking");
  EXPECT_EQ(refused(plain, "/api/chat", "{" + chat + R"(, "think": "low"})"), "\"tiny\" does not support thinking");
  EXPECT_EQ(post(plain, "/api/chat", "{" + chat + R"(, "think": false})")["done"], true);

  Handlers thinking({"<think>", "hm", "</think>", "One"});
  const OrderedJson on = post(thinking, "/api/chat", "{" + chat + "," + kGreedy + "}");
  EXPECT_EQ(on["message"]["thinking"], "hm");
  EXPECT_EQ(on["message"]["content"], "One");
  const OrderedJson off = post(thinking, "/api/chat", "{" + chat + "," + kGreedy + R"(, "think": false})");
  EXPECT_GT(off["prompt_eval_count"], on["prompt_eval_count"]) << "the template says <no>";
}

TEST(OllamaErrors, are_one_text) {
  Handlers server({"One"});
  EXPECT_EQ(refused(server, "/api/generate", R"({"prompt": "x"})"), "model is required");
  EXPECT_TRUE(refused(server, "/api/generate", R"({"model": "huge", "prompt": "x"})", 404).starts_with("model 'huge' not found"));
  EXPECT_TRUE(refused(server, "/api/show", R"({"model": "huge"})", 404).starts_with("model 'huge' not found"));
  for (const char* path : {"/api/chat", "/api/generate", "/api/embed", "/api/show"}) EXPECT_EQ(refused(server, path, " "), "missing request body") << path;
  EXPECT_NE(refused(server, "/api/chat", "{"), "");
  EXPECT_NE(refused(server, "/api/chat", "[]"), "");
  EXPECT_TRUE(refused(server, "/api/generate", R"({"model": "tiny", "prompt": 7})").starts_with("prompt: "));
  EXPECT_TRUE(refused(server, "/api/generate", R"({"model": "tiny", "prompt": "x", "stream": 1})").starts_with("stream: "));
  EXPECT_TRUE(refused(server, "/api/generate", R"({"model": "tiny", "prompt": "x", "context": ["a"]})").starts_with("context[0]: "));
  EXPECT_TRUE(refused(server, "/api/generate", R"({"model": "tiny", "prompt": "x", "format": {"type": "no such type"}})") != "") << "fails closed";
}

TEST(OllamaModels, are_listed_with_what_they_are) {
  Handlers server({"One"});
  const OrderedJson list = json(server.ask(routes(), "GET", "/api/tags"));
  ASSERT_EQ(list["models"].size(), 1u);
  const OrderedJson& model = list["models"][0];
  EXPECT_EQ(model["name"], "tiny:latest");
  EXPECT_EQ(model["model"], "tiny:latest");
  EXPECT_EQ(model["modified_at"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(model["size"], 1000);
  EXPECT_EQ(model["digest"].get<std::string>().size(), 64u);
  EXPECT_TRUE(model["details"]["families"].is_array());
}

TEST(OllamaModels, that_are_loaded_say_until_when) {
  Handlers server({"One"});
  EXPECT_EQ(json(server.ask(routes(), "GET", "/api/ps")).dump(), R"({"models":[]})");
  post(server, "/api/generate", R"({"model": "tiny", "keep_alive": -1})");
  const OrderedJson list = json(server.ask(routes(), "GET", "/api/ps"));
  ASSERT_EQ(list["models"].size(), 1u);
  EXPECT_EQ(list["models"][0]["name"], "tiny:latest");
  EXPECT_EQ(list["models"][0]["context_length"], 256);
  EXPECT_EQ(list["models"][0]["size_vram"], 0);
  EXPECT_GT(list["models"][0]["expires_at"].get<std::string>(), "2200");
}

TEST(OllamaModels, that_a_caller_may_not_use_are_not_there) {
  Handlers server({"One"});
  post(server, "/api/generate", R"({"model": "tiny"})");
  server.caller.models = {"other"};
  EXPECT_EQ(json(server.ask(routes(), "GET", "/api/tags")).dump(), R"({"models":[]})");
  EXPECT_EQ(json(server.ask(routes(), "GET", "/api/ps")).dump(), R"({"models":[]})");
  EXPECT_EQ(refused(server, "/api/show", R"({"model": "tiny"})", 404), "model 'tiny' not found");
  EXPECT_EQ(refused(server, "/api/generate", R"({"model": "tiny", "keep_alive": 0})", 404), "model 'tiny' not found");
  EXPECT_EQ(server.pool().loaded().size(), 1u);
}

TEST(OllamaModels, cannot_be_changed_without_a_store) {
  Handlers server({"One"});
  for (const char* path : {"/api/create", "/api/push", "/api/blobs/{digest}"}) {
    EXPECT_NE(refused(server, path, R"({"model": "tiny"})", 501).find("no model store"), std::string::npos) << path;
  }
  EXPECT_NE(refused(server, "/api/copy", R"({"source": "tiny", "destination": "x"})", 501).find("no model store"), std::string::npos);
  EXPECT_EQ(server.ask(routes(), "DELETE", "/api/delete", R"({"model": "tiny"})").status, 501);
}

TEST(OllamaModels, that_are_not_here_are_404) {
  Handlers server({"One"});
  EXPECT_EQ(refused(server, "/api/copy", R"({"source": "huge", "destination": "x"})", 404), "model 'huge' not found");
  EXPECT_EQ(server.ask(routes(), "DELETE", "/api/delete", R"({"name": "huge"})").status, 404);
  EXPECT_EQ(server.ask(routes(), "HEAD", "/api/blobs/{digest}").status, 404);
  server.caller.models = {"other"};
  EXPECT_EQ(server.ask(routes(), "DELETE", "/api/delete", R"({"model": "tiny"})").status, 404);
}

TEST(OllamaModels, that_are_here_need_no_pulling) {
  Handlers server({"One"});
  const auto answer = server.ask(routes(), "POST", "/api/pull", R"({"model": "tiny:latest"})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/x-ndjson");
  EXPECT_EQ(answer.body, R"({"status":"pulling manifest"})" "\n" R"({"status":"success"})" "\n");
  EXPECT_EQ(post(server, "/api/pull", R"({"model": "tiny", "stream": false})").dump(), R"({"status":"success"})");
  EXPECT_TRUE(refused(server, "/api/pull", R"({"model": "huge"})", 501).starts_with("pulling 'huge' is not supported: "));
  EXPECT_EQ(refused(server, "/api/pull", "{}"), "model is required");
  server.caller.models = {"other"};
  EXPECT_EQ(server.ask(routes(), "POST", "/api/pull", R"({"model": "tiny"})").status, 501);
}

TEST(OllamaServer, says_that_it_runs) {
  Handlers server({"One"});
  EXPECT_EQ(server.ask(routes(), "GET", "/").body, "Ollama is running");
  EXPECT_TRUE(json(server.ask(routes(), "GET", "/api/version"))["version"].is_string());
}

}  // namespace
}  // namespace minnow
