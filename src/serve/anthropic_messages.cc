// POST /v1/messages, and how many tokens its prompt has. The header anthropic-version may say anything, or nothing.
#include "serve/anthropic_format.h"
#include "serve/anthropic_request.h"
#include "serve/openai_messages.h"
#include "serve/prepare_answer.h"
#include "serve/routes.h"
#include "serve/sampling_fields.h"
#include "serve/services.h"

namespace minnow {
namespace {

std::string model_name(const RequestFields& body) {
  std::string name = body.text("model");
  if (name.empty()) throw RequestError("model", "model is required");
  return name;
}

AnthropicModel facts_of(const std::string& name, LoadedModel& model) {
  return {.name = name,
          .can = model.responder().capabilities(),
          .sampling = default_sampling(Dialect::kAnthropic, model.model().metadata)};
}

Outcome messages(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  const std::string name = model_name(body);
  ModelLease model = model_for(http, name, services);
  AnthropicFields fields = read_anthropic(body, facts_of(name, *model), true);
  fields.request.cache_salt = cache_salt(http, {});
  AnthropicFormatOptions format{.id = random_id("msg_"), .model = name, .request_id = http.id};
  if (fields.stream) format.prompt_tokens = static_cast<int64_t>(model->responder().prompt(fields.request).size());
  AnswerPlan plan{.model = std::move(model), .format = std::make_unique<AnthropicFormat>(std::move(format)), .stream = fields.stream};
  const bool strict_is_unused = is_strict_unused(fields.request, plan.model->responder().capabilities());
  std::vector<ChatRequest> requests;
  requests.push_back(std::move(fields.request));
  auto answer = prepare_answers(std::move(plan), std::move(requests));
  answer->headers.emplace_back("request-id", http.id);
  if (strict_is_unused) fields.unused.emplace_back("strict");
  add_unused(*answer, fields.unused);
  return answer;
}

Outcome count_tokens(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  const std::string name = model_name(body);
  const ModelLease model = model_for(http, name, services);
  const AnthropicFields fields = read_anthropic(body, facts_of(name, *model), false);
  return HttpResponse{.body = json_text({{"input_tokens", model->responder().prompt(fields.request).size()}}),
                      .headers = {{"request-id", http.id}},
                      .model = model->entry().name};
}

}  // namespace

void add_anthropic_routes(Routes& routes) {
  routes.push_back({"POST", "/v1/messages", Dialect::kAnthropic, Scope::kInfer, messages});
  routes.push_back({"POST", "/v1/messages/count_tokens", Dialect::kAnthropic, Scope::kInfer, count_tokens});
}

}  // namespace minnow
