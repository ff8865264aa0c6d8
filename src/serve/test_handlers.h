// Handlers asked without a server: a pool with one model that says what it is told to, and answers as a connection would give them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "models/family.h"
#include "models/random_model.h"
#include "respond/model_pool.h"
#include "serve/answer_format.h"
#include "serve/http_types.h"
#include "serve/metrics.h"
#include "serve/response_store.h"
#include "serve/routes.h"
#include "serve/services.h"
#include "text/tokenizer.h"

namespace minnow::test {

// Shows tools, and can be told to think.
inline constexpr const char* kChatTemplate =
    "{% if tools %}<tool_call>{{ tools | tojson }}</tool_call>{% endif %}"
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if enable_thinking is defined and not enable_thinking %}<no>{% endif %}assistant:";

inline constexpr TokenId kFirstPiece = 280, kFirstControl = 340;

// A model that says these pieces one after another, whatever it is asked, then ends: no layer adds anything, and the output matrix
// maps the vector of each token to its successor.
// `controls` are further tokens of its vocabulary.
inline Model model_that_says(const std::vector<std::string>& pieces, const std::string& chat_template, const std::vector<std::string>& controls) {
  Model model = random_model({.family = &kLlama, .n_layers = 1, .n_vocab = 400, .tied = false}, 1);
  model.tokenizer->chat_template = chat_template;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    model.tokenizer->tokens[static_cast<std::size_t>(kFirstPiece) + i] = {pieces[i], 0, TokenType::kUserDefined};
  }
  for (std::size_t i = 0; i < controls.size(); ++i) {
    model.tokenizer->tokens[static_cast<std::size_t>(kFirstControl) + i] = {controls[i], 0, TokenType::kControl};
  }
  const auto zeros = [&](const std::string& name) {
    const Tensor& t = model.weights.require(name);
    model.weights.set(name, Tensor::from_f32(std::vector<float>(static_cast<std::size_t>(t.shape.elements())), t.shape));
  };
  zeros("blk.0.attn_output.weight");
  zeros("blk.0.ffn_down.weight");
  const auto width = static_cast<std::size_t>(model.config.n_embd), n_vocab = static_cast<std::size_t>(model.config.n_vocab);
  std::vector<float> embedding(n_vocab * width), output(n_vocab * width);
  // Feature 0: any token of the prompt. Feature i + 1: piece i.
  for (std::size_t t = 0; t < n_vocab; ++t) embedding[t * width] = 1;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::size_t token = static_cast<std::size_t>(kFirstPiece) + i;
    embedding[token * width] = 0;
    embedding[token * width + i + 1] = 1;
    output[token * width + i] = 10;
  }
  output[2 * width + pieces.size()] = 10;  // </s> after the last
  const Shape shape{model.config.n_vocab, model.config.n_embd};
  model.weights.set("token_embd.weight", Tensor::from_f32(embedding, shape));
  model.weights.set("output.weight", Tensor::from_f32(output, shape));
  return model;
}

class ScriptedModel final : public LoadedModel {
 public:
  ScriptedModel(ModelEntry entry, Model model)
      : entry_(std::move(entry)),
        model_(std::make_shared<const Model>(std::move(model))),
        engine_(model_, EngineOptions{.n_ctx = 256, .n_threads = 1}),
        responder_(engine_, {}, ChatTemplateNeed::kOptional) {}

  const ModelEntry& entry() const override { return entry_; }
  const Model& model() const override { return *model_; }
  Responder& responder() override { return responder_; }
  Engine& engine() override { return engine_; }
  Embedder& embedder() override { throw Error(ErrorCode::kUnsupported, "this model makes no embeddings"); }
  Ranker& ranker() override { throw Error(ErrorCode::kUnsupported, "this model does not rank"); }
  double load_seconds() const override { return 0.5; }
  int64_t n_ctx() const override { return engine_.n_ctx(); }

 private:
  ModelEntry entry_;
  std::shared_ptr<const Model> model_;
  Engine engine_;
  LocalResponder responder_;
};

// One model, named "tiny".
class Handlers {
 public:
  explicit Handlers(const std::vector<std::string>& pieces, const std::string& chat_template = kChatTemplate,
                    const std::vector<std::string>& controls = {})
      : pool_({}, [=](const ModelEntry& entry) -> std::shared_ptr<LoadedModel> {
          return std::make_shared<ScriptedModel>(entry, model_that_says(pieces, chat_template, controls));
        }) {
    pool_.add(ModelEntry{.name = "tiny", .path = "/models/tiny.gguf", .bytes = 1000, .modified_unix = 1'700'000'000});
  }

  struct Answer {
    int status = 200;
    std::string content_type, body;
    std::vector<std::pair<std::string, std::string>> headers;
  };

  // As a connection would: what is thrown is an error document.
  Answer ask(const Routes& routes, const std::string& method, const std::string& path, const std::string& body = {}) {
    HttpRequest request{.method = method, .path = path, .body = body, .id = "req_9"};
    request.caller = caller;
    request.query = query;
    for (const Route& route : routes) {
      if (route.method != method || route.path != path) continue;
      try {
        return answer_of(route.handler(request, services_));
      } catch (const Error& error) {
        return to_answer(error_response(dialect_of(request, route.dialect), error, request.id));
      }
    }
    return {.status = 404, .content_type = {}, .body = "no such route"};
  }

  ModelPool& pool() { return pool_; }
  Caller caller;
  std::vector<std::pair<std::string, std::string>> query;

 private:
  static Answer to_answer(const HttpResponse& r) { return {r.status, r.content_type, r.body, r.headers}; }

  static Answer answer_of(Outcome outcome) {
    if (auto* response = std::get_if<HttpResponse>(&outcome)) return to_answer(*response);
    PreparedAnswer& prepared = *std::get<std::unique_ptr<PreparedAnswer>>(outcome);
    prepared.start([] {});
    std::vector<ChatReply> replies(prepared.answers.size());
    Answer answer{.status = 200, .content_type = std::string(prepared.format->stream_content_type()), .body = {}, .headers = prepared.headers};
    if (prepared.stream) prepared.format->begin(answer.body);
    for (std::size_t i = 0; i < prepared.answers.size(); ++i) {
      for (bool done = false; !done;) {
        const ChatEvent event = prepared.answers[i]->next();
        done = event.done;
        if (prepared.stream) prepared.format->event(static_cast<int>(i), event, answer.body);
        replies[i].append(event);
      }
    }
    if (prepared.stream) {
      prepared.format->end(answer.body);
      return answer;
    }
    const HttpResponse whole = prepared.format->whole(replies);
    return {whole.status, whole.content_type, whole.body, prepared.headers};
  }

  ModelPool pool_;
  Metrics metrics_;
  ResponseStore responses_;
  Services services_{.models = pool_, .metrics = metrics_, .responses = responses_, .started_unix = 0};
};

}  // namespace minnow::test
