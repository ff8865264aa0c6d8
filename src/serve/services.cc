#include "serve/services.h"

#include "base/error.h"
#include "base/utf8.h"
#include "serve/routes.h"

namespace minnow {
namespace {

std::string default_name(const ModelPool& models) {
  if (!models.default_model().empty()) return models.default_model();
  const auto all = models.list();
  if (all.size() == 1) return all[0].name;
  throw Error(ErrorCode::kInvalidInput, "model is required", all.empty() ? "this server has no models" : "GET /v1/models lists what there is");
}

}  // namespace

ModelLease model_for(const HttpRequest& request, const std::string& name, Services& services, KeepAlive keep_alive) {
  const std::string wanted = name.empty() ? default_name(services.models) : name;
  if (request.caller.models.empty()) return services.models.acquire(wanted, keep_alive);
  // Whoever may use some models only learns nothing of others: neither that they exist nor what they are called.
  const auto refuse = [&] { throw UnknownModel(to_valid_utf8(wanted)); };
  std::string found;
  try {
    found = services.models.find(wanted).name;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    refuse();
  }
  if (!request.caller.may_use(found)) refuse();
  return services.models.acquire(found, keep_alive);
}

Routes all_routes() {
  Routes routes;
  add_openai_chat_routes(routes);
  add_openai_completion_routes(routes);
  add_openai_response_routes(routes);
  add_openai_embedding_routes(routes);
  add_openai_model_routes(routes);
  add_rerank_routes(routes);
  add_ollama_generate_routes(routes);
  add_ollama_model_routes(routes);
  add_anthropic_routes(routes);
  add_llama_server_routes(routes);
  add_metrics_routes(routes);
  return routes;
}

}  // namespace minnow
