// POST /v1/chat/completions, and how many tokens its prompt has.
#include "serve/ollama_fields.h"
#include "serve/openai_chat_request.h"
#include "serve/openai_messages.h"
#include "serve/prepare_answer.h"
#include "serve/routes.h"
#include "serve/services.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

Outcome chat_completions(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  ModelLease model = model_for(http, body.text("model"), services);
  ChatFields fields = read_chat(body, openai_facts(*model));
  fields.request.cache_salt = cache_salt(http, body);
  fields.format.id = answer_id(body, "chatcmpl-");
  fields.format.created = unix_now();
  fields.format.model = model->entry().name;
  if (fields.format.logprobs) fields.format.is_end = end_test(*model);
  if ((fields.stream && fields.format.continuous_usage) || fields.format.token_ids) {
    fields.format.prompt_ids = model->responder().prompt(fields.request);
  }
  AnswerPlan plan{.model = std::move(model), .format = std::make_unique<ChatFormat>(fields.format), .stream = fields.stream};
  if (is_strict_unused(fields.request, plan.model->responder().capabilities())) fields.unused.emplace_back("strict");
  auto answer = prepare_choices(std::move(plan), static_cast<std::size_t>(fields.n),
                                [request = std::move(fields.request)](std::size_t i) { return choice_of(request, i); });
  add_unused(*answer, fields.unused);
  return answer;
}

Outcome count_tokens(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  const ModelLease model = model_for(http, body.text("model"), services);
  const ChatFields fields = read_chat(body, openai_facts(*model));
  const OrderedJson count = {{"object", "response.input_tokens"}, {"input_tokens", model->responder().prompt(fields.request).size()}};
  return HttpResponse{.body = json_text(count), .model = model->entry().name};
}

}  // namespace

void add_openai_chat_routes(Routes& routes) {
  routes.push_back({"POST", "/v1/chat/completions", Dialect::kOpenAi, Scope::kInfer, chat_completions});
  routes.push_back({"POST", "/v1/chat/completions/input_tokens", Dialect::kOpenAi, Scope::kInfer, count_tokens});
}

}  // namespace minnow
