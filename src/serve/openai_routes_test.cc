// The routes of the OpenAI dialect, up to the answer that a model is about to give; the model computes nothing.
#include <gtest/gtest.h>

#include <algorithm>

#include "respond/null_model.h"
#include "serve/answer_format.h"
#include "serve/fields.h"
#include "serve/metrics.h"
#include "serve/response_store.h"
#include "serve/routes.h"
#include "serve/services.h"

namespace minnow {
namespace {

class OpenAiRoutes : public testing::Test {
 protected:
  OpenAiRoutes()
      : pool_({}, [](const ModelEntry& entry) { return null_model(entry, {.n_tokens = 3, .token_text = "word "}); }),
        services_{.models = pool_, .metrics = metrics_, .responses = store_, .started_unix = 0} {
    add_openai_chat_routes(routes_);
    add_openai_completion_routes(routes_);
    add_openai_response_routes(routes_);
    add_openai_embedding_routes(routes_);
    add_openai_model_routes(routes_);
    add_rerank_routes(routes_);
  }

  void add_models() {
    for (const char* name : {"one", "two"}) pool_.add(ModelEntry{.name = name, .path = std::string(name) + ".gguf", .modified_unix = 1700000000});
  }

  Outcome call(const std::string& method, const std::string& pattern, const std::string& body, const std::vector<std::string>& values = {}) {
    const auto route = std::find_if(routes_.begin(), routes_.end(), [&](const Route& r) { return r.method == method && r.path == pattern; });
    EXPECT_NE(route, routes_.end()) << method << " " << pattern;
    request_.method = method;
    request_.body = body;
    request_.path_values = values;
    return route->handler(request_, services_);
  }

  OrderedJson document(const std::string& method, const std::string& pattern, const std::string& body, const std::vector<std::string>& values = {}) {
    return parse_ordered_json(std::get<HttpResponse>(call(method, pattern, body, values)).body, "body");
  }

  // The answer as the server would send it when it is not streamed.
  OrderedJson answer(const std::string& pattern, const std::string& body) {
    const auto prepared = std::get<std::unique_ptr<PreparedAnswer>>(call("POST", pattern, body));
    prepared->start([] {});
    std::vector<ChatReply> replies;
    for (const auto& a : prepared->answers) replies.push_back(a->wait());
    return parse_ordered_json(prepared->format->whole(replies).body, "body");
  }

  ErrorCode refused(const std::string& method, const std::string& pattern, const std::string& body, const std::vector<std::string>& values = {}) {
    try {
      call(method, pattern, body, values);
    } catch (const Error& error) {
      return error.code();
    }
    ADD_FAILURE() << method << " " << pattern << " is not refused";
    return ErrorCode::kInternal;
  }

  ModelPool pool_;
  Metrics metrics_;
  ResponseStore store_;
  Services services_;
  Routes routes_;
  HttpRequest request_;
};

TEST_F(OpenAiRoutes, list_models_as_an_array_even_when_there_is_none) {
  EXPECT_EQ(document("GET", "/v1/models", "").dump(), R"({"object":"list","data":[]})");
  add_models();
  EXPECT_EQ(document("GET", "/v1/models", "")["data"][0].dump(), R"({"id":"one","object":"model","created":1700000000,"owned_by":"minnow"})");
  EXPECT_EQ(document("GET", "/models", ""), document("GET", "/v1/models", ""));
  EXPECT_EQ(document("GET", "/v1/models/{model}", "", {"two"})["id"], "two");
  EXPECT_EQ(refused("GET", "/v1/models/{model}", "", {"three"}), ErrorCode::kNotFound);
}

TEST_F(OpenAiRoutes, hide_models_from_who_may_not_use_them) {
  add_models();
  request_.caller.models = {"two"};
  EXPECT_EQ(document("GET", "/v1/models", "")["data"].size(), 1u);
  EXPECT_EQ(refused("GET", "/v1/models/{model}", "", {"one"}), ErrorCode::kNotFound);
  EXPECT_EQ(refused("POST", "/v1/chat/completions", R"({"model": "one", "messages": [{"role": "user", "content": "hi"}]})"), ErrorCode::kNotFound);
}

TEST_F(OpenAiRoutes, answer_chats_with_as_many_choices_as_are_asked) {
  add_models();
  const OrderedJson body = answer("/v1/chat/completions", R"({"model": "one", "messages": [{"role": "user", "content": "hi"}], "n": 2})");
  EXPECT_EQ(body["model"], "one");
  EXPECT_EQ(body["choices"].size(), 2u);
  EXPECT_EQ(body["choices"][1]["message"]["content"], "word word word ");
  EXPECT_EQ(body["usage"]["completion_tokens"], 6);
}

TEST_F(OpenAiRoutes, say_that_strict_has_no_effect_where_calls_are_not_held) {
  add_models();
  const auto unused = [&](const std::string& path, const std::string& more) {
    const std::string question = path.ends_with("responses") ? R"("input": "hi")" : R"("messages": [{"role": "user", "content": "hi"}])";
    const std::string body = R"({"model": "one", "tools": [{"type": "function", "name": "f", "strict": true}], )" + question;
    const auto prepared = std::get<std::unique_ptr<PreparedAnswer>>(call("POST", path, body + more + "}"));
    return prepared->headers.empty() ? std::string() : prepared->headers[0].first + ": " + prepared->headers[0].second;
  };
  for (const char* path : {"/v1/chat/completions", "/v1/responses"}) {
    EXPECT_EQ(unused(path, ""), "minnow-unused-options: strict") << path;
    EXPECT_EQ(unused(path, R"(, "tool_choice": "required")"), "") << path;
  }
}

TEST_F(OpenAiRoutes, count_the_tokens_of_a_chat) {
  add_models();
  const OrderedJson body = document("POST", "/v1/chat/completions/input_tokens", R"({"model": "one", "messages": [{"role": "user", "content": "hi"}]})");
  EXPECT_EQ(body["object"], "response.input_tokens");
  EXPECT_EQ(body["input_tokens"], std::string(R"([{"role":"user","content":"hi"}])").size());
}

TEST_F(OpenAiRoutes, go_on_from_texts_and_tokens) {
  add_models();
  EXPECT_EQ(answer("/v1/completions", R"({"model": "one", "prompt": "a"})")["choices"][0]["text"], "word word word ");
  EXPECT_EQ(answer("/v1/completions", R"({"model": "one", "prompt": "a", "echo": true})")["choices"][0]["text"], "aword word word ");
  EXPECT_EQ(answer("/v1/completions", R"({"model": "one", "prompt": ["a", "b"], "n": 2})")["choices"].size(), 4u);
  const OrderedJson two = answer("/v1/completions", R"({"model": "one", "prompt": [[1, 2, 3], [4]]})");
  EXPECT_EQ(two["choices"].size(), 2u);
  EXPECT_EQ(two["usage"]["prompt_tokens"], 4);
  EXPECT_EQ(answer("/v1/completions", R"({"model": "one", "prompt": [1, 2, 3]})")["usage"]["prompt_tokens"], 3);
  EXPECT_EQ(answer("/v1/completions", R"({"model": "one", "prompt": "a", "max_tokens": 2})")["choices"][0]["finish_reason"], "length");
}

TEST_F(OpenAiRoutes, take_an_empty_suffix_for_none) {
  add_models();
  EXPECT_EQ(answer("/v1/completions", R"({"model": "one", "prompt": "a", "suffix": ""})")["choices"][0]["text"], "word word word ");
}

TEST_F(OpenAiRoutes, refuse_completions_that_cannot_be_given) {
  add_models();
  for (const char* body : {R"({"prompt": {}})", R"({"prompt": []})", R"({"prompt": [[]]})", R"({"prompt": ["a", 1]})", R"({"prompt": "a", "best_of": 2})",
                           R"({"prompt": "a", "logprobs": 21})", R"({"prompt": ["a", "b"], "n": 100})", R"({})", "[]", ""}) {
    EXPECT_EQ(refused("POST", "/v1/completions", body), ErrorCode::kInvalidInput) << body;
  }
}

TEST_F(OpenAiRoutes, keep_responses_until_they_are_deleted) {
  add_models();
  const OrderedJson response = answer("/v1/responses", R"({"model": "one", "input": "hi"})");
  const std::string id = response["id"];
  EXPECT_EQ(response["output"][0]["content"][0]["text"], "word word word ");
  EXPECT_EQ(document("GET", "/v1/responses/{id}", "", {id}).dump(), response.dump());
  EXPECT_EQ(document("GET", "/v1/responses", "")["data"].size(), 1u);
  const OrderedJson items = document("GET", "/v1/responses/{id}/input_items", "", {id});
  EXPECT_EQ(items["data"].size(), 1u);
  EXPECT_EQ(items["first_id"], items["data"][0]["id"]);
  EXPECT_EQ(items["has_more"], false);
  EXPECT_EQ(document("DELETE", "/v1/responses/{id}", "", {id}).dump(), R"({"id":")" + id + R"(","object":"response","deleted":true})");
  EXPECT_EQ(refused("GET", "/v1/responses/{id}", "", {id}), ErrorCode::kNotFound);
  EXPECT_EQ(refused("DELETE", "/v1/responses/{id}", "", {id}), ErrorCode::kNotFound);
}

TEST_F(OpenAiRoutes, go_on_from_a_stored_response_of_the_same_tenant) {
  add_models();
  const std::string id = answer("/v1/responses", R"({"model": "one", "input": "hi"})")["id"];
  const std::string next = R"({"model": "one", "input": "and now", "previous_response_id": ")" + id + "\"}";
  const OrderedJson second = answer("/v1/responses", next);
  EXPECT_EQ(second["usage"]["input_tokens"],
            std::string(R"([{"role":"user","content":"hi"},{"role":"assistant","content":"word word word "},{"role":"user","content":"and now"}])").size());
  request_.caller.tenant = "another";
  EXPECT_EQ(refused("POST", "/v1/responses", next), ErrorCode::kNotFound);
  EXPECT_EQ(refused("GET", "/v1/responses/{id}", "", {id}), ErrorCode::kNotFound);
}

TEST_F(OpenAiRoutes, store_nothing_when_asked_not_to) {
  add_models();
  const OrderedJson response = answer("/v1/responses", R"({"model": "one", "input": "hi", "store": false})");
  EXPECT_EQ(response["store"], false);
  EXPECT_EQ(store_.count(), 0u);
}

TEST_F(OpenAiRoutes, page_through_input_items) {
  add_models();
  const std::string id = answer("/v1/responses", R"({"model": "one", "input": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
                                                     {"role": "user", "content": "c"}]})")["id"];
  request_.query = {{"limit", "2"}, {"order", "asc"}};
  const OrderedJson first = document("GET", "/v1/responses/{id}/input_items", "", {id});
  EXPECT_EQ(first["data"].size(), 2u);
  EXPECT_EQ(first["data"][0]["content"][0]["text"], "a");
  EXPECT_EQ(first["has_more"], true);
  request_.query.emplace_back("after", first["last_id"].get<std::string>());
  const OrderedJson rest = document("GET", "/v1/responses/{id}/input_items", "", {id});
  EXPECT_EQ(rest["data"].size(), 1u);
  EXPECT_EQ(rest["data"][0]["content"][0]["text"], "c");
  EXPECT_EQ(rest["has_more"], false);
  for (const auto& [name, value] : {std::pair("limit", "0"), std::pair("limit", "x"), std::pair("order", "up"), std::pair("after", "nothing")}) {
    request_.query = {{name, value}};
    EXPECT_EQ(refused("GET", "/v1/responses/{id}/input_items", "", {id}), ErrorCode::kInvalidInput) << name << value;
  }
}

TEST_F(OpenAiRoutes, refuse_vectors_and_ranks_before_a_model_is_asked) {
  add_models();
  for (const char* body : {R"({"input": ""})", R"({"input": []})", R"({"input": [1.5]})", R"({"input": [[]]})", R"({"input": "a", "dimensions": 0})",
                           R"({"input": "a", "encoding_format": "hex"})", R"({})", "[]"}) {
    EXPECT_EQ(refused("POST", "/v1/embeddings", body), ErrorCode::kInvalidInput) << body;
  }
  for (const char* body : {R"({"query": "q"})", R"({"query": "q", "documents": []})", R"({"documents": ["a"]})", R"({"query": "q", "documents": [{}]})",
                           R"({"query": "q", "documents": ["a"], "top_n": 0})", R"({"query": "q", "documents": ["a"], "max_chunks_per_doc": 2})"}) {
    EXPECT_EQ(refused("POST", "/v1/rerank", body), ErrorCode::kInvalidInput) << body;
  }
  EXPECT_EQ(refused("POST", "/v1/embeddings", R"({"model": "one", "input": "a"})"), ErrorCode::kUnsupported);
  for (const char* body : {R"({"content": ""})", R"({"content": [[]]})", R"({"content": "a", "embd_normalize": 1})", R"({})"}) {
    EXPECT_EQ(refused("POST", "/embedding", body), ErrorCode::kInvalidInput) << body;
  }
  for (const char* path : {"/embedding", "/embeddings"}) EXPECT_EQ(refused("POST", path, R"({"model": "one", "content": "a"})"), ErrorCode::kUnsupported);
}

TEST_F(OpenAiRoutes, start_no_answer_before_the_server_does) {
  add_models();
  const auto prepared = std::get<std::unique_ptr<PreparedAnswer>>(
      call("POST", "/v1/chat/completions", R"({"model": "one", "messages": [{"role": "user", "content": "hi"}], "stream": true, "n": 2})"));
  EXPECT_TRUE(prepared->stream);
  EXPECT_TRUE(prepared->answers.empty());
  prepared->start([] {});
  EXPECT_EQ(prepared->answers.size(), 2u);
}

TEST_F(OpenAiRoutes, list_models_as_anthropic_does_for_its_clients) {
  request_.headers = {{"anthropic-version", "2023-06-01"}};
  EXPECT_EQ(document("GET", "/v1/models", "").dump(), R"({"data":[],"has_more":false,"first_id":null,"last_id":null})");
  add_models();
  const OrderedJson page = document("GET", "/v1/models", "");
  EXPECT_EQ(page["data"][0].dump(), R"({"type":"model","id":"one","display_name":"one","created_at":"2023-11-14T22:13:20Z"})");
  EXPECT_EQ(page["first_id"], "one");
  EXPECT_EQ(page["last_id"], "two");
  EXPECT_EQ(page["has_more"], false);
  EXPECT_EQ(document("GET", "/v1/models/{model}", "", {"two"})["type"], "model");
}

TEST_F(OpenAiRoutes, list_models_for_anthropics_clients_page_by_page) {
  for (int i = 10; i < 40; ++i) pool_.add(ModelEntry{.name = fmt::format("m{}", i), .path = fmt::format("{}.gguf", i), .modified_unix = 1700000000});
  request_.headers = {{"anthropic-version", "2023-06-01"}};
  using Query = std::vector<std::pair<std::string, std::string>>;
  const auto page = [&](const Query& query) {
    request_.query = query;
    const OrderedJson body = document("GET", "/v1/models", "");
    const std::string ends = body["data"].empty() ? "nothing" : body["first_id"].get<std::string>() + " to " + body["last_id"].get<std::string>();
    return ends + (body["has_more"].get<bool>() ? ", and more" : "");
  };
  EXPECT_EQ(page({}), "m10 to m29, and more");
  EXPECT_EQ(page({{"after_id", "m29"}}), "m30 to m39");
  EXPECT_EQ(page({{"after_id", "m10"}, {"limit", "3"}}), "m11 to m13, and more");
  EXPECT_EQ(page({{"after_id", "m39"}}), "nothing");
  EXPECT_EQ(page({{"before_id", "m20"}, {"limit", "2"}}), "m18 to m19, and more");
  EXPECT_EQ(page({{"before_id", "m12"}}), "m10 to m11");
  EXPECT_EQ(page({{"before_id", "m10"}}), "nothing");
  EXPECT_EQ(page({{"limit", "1000"}}), "m10 to m39");
  for (const Query& wrong : {Query{{"limit", "0"}}, Query{{"limit", "1001"}}, Query{{"limit", "many"}}, Query{{"after_id", "none"}}, Query{{"before_id", "none"}},
                             Query{{"after_id", "m10"}, {"before_id", "m20"}}}) {
    request_.query = wrong;
    EXPECT_EQ(refused("GET", "/v1/models", ""), ErrorCode::kInvalidInput) << wrong[0].first << "=" << wrong[0].second;
  }
}

TEST_F(OpenAiRoutes, name_what_had_no_effect_in_a_header) {
  add_models();
  const auto headers = [&](const std::string& path, const std::string& body) { return std::get<std::unique_ptr<PreparedAnswer>>(call("POST", path, body))->headers; };
  const auto chat = headers("/v1/chat/completions", R"({"model": "one", "messages": [{"role": "user", "content": "hi"}], "store": true})");
  EXPECT_EQ(chat, (std::vector<std::pair<std::string, std::string>>{{"minnow-unused-options", "store"}}));
  const auto text = headers("/v1/completions", R"({"model": "one", "prompt": "hi", "id_slot": 1})");
  EXPECT_EQ(text, (std::vector<std::pair<std::string, std::string>>{{"minnow-unused-options", "id_slot"}}));
  const auto response = headers("/v1/responses", R"({"model": "one", "input": "hi", "tools": [{"type": "web_search"}], "text": {"verbosity": "low"}})");
  EXPECT_EQ(response, (std::vector<std::pair<std::string, std::string>>{{"minnow-unused-options", "text.verbosity, tools.web_search"}}));
}

TEST_F(OpenAiRoutes, give_an_answer_the_id_of_its_request) {
  add_models();
  EXPECT_EQ(answer("/v1/chat/completions", R"({"model": "one", "messages": [{"role": "user", "content": "hi"}], "request_id": "r1"})")["id"], "chatcmpl-r1");
  EXPECT_EQ(answer("/v1/completions", R"({"model": "one", "prompt": "hi", "request_id": "r1"})")["id"], "cmpl-r1");
  const std::string long_id = R"("model": "one", "request_id": ")" + std::string(100, 'x') + "\"}";
  EXPECT_EQ(refused("POST", "/v1/completions", R"({"prompt": "hi", )" + long_id), ErrorCode::kInvalidInput);
  EXPECT_EQ(refused("POST", "/v1/chat/completions", R"({"messages": [{"role": "user", "content": "hi"}], )" + long_id), ErrorCode::kInvalidInput);
}

TEST_F(OpenAiRoutes, show_the_tokens_of_prompts_and_answers) {
  add_models();
  const OrderedJson text = answer("/v1/completions", R"({"model": "one", "prompt": ["hi", "ho"], "max_tokens": 2, "return_token_ids": true})");
  EXPECT_EQ(text["choices"][0]["prompt_token_ids"].dump(), "[104,105]");
  EXPECT_EQ(text["choices"][1]["prompt_token_ids"].dump(), "[104,111]");
  EXPECT_EQ(text["choices"][1]["token_ids"].dump(), "[119,119]");
  const OrderedJson chat = answer("/v1/chat/completions", R"({"model": "one", "messages": [{"role": "user", "content": "hi"}], "return_token_ids": true})");
  EXPECT_EQ(chat["choices"][0]["token_ids"].size(), 3u);
  EXPECT_FALSE(chat["prompt_token_ids"].empty());
}

}  // namespace
}  // namespace minnow
