// GET /v1/models: which models there are.
#include "base/error.h"
#include "base/utf8.h"
#include "serve/answer_format.h"
#include "serve/openai_objects.h"
#include "serve/routes.h"
#include "serve/services.h"

namespace minnow {
namespace {

OrderedJson model_json(const ModelEntry& entry) {
  return {{"id", entry.name}, {"object", "model"}, {"created", entry.modified_unix}, {"owned_by", "minnow"}};
}

Outcome list_models(const HttpRequest& http, Services& services) {
  OrderedJson data = OrderedJson::array();
  for (const ModelEntry& entry : services.models.list()) {
    if (http.caller.may_use(entry.name)) data.push_back(model_json(entry));
  }
  return HttpResponse{.body = json_text({{"object", "list"}, {"data", std::move(data)}})};
}

// For who may not use every model, one that may not be used is as one that does not exist, and no name of another is suggested.
ModelEntry entry_for(const Caller& caller, const std::string& name, const ModelPool& models) {
  if (caller.models.empty()) return models.find(name);
  for (const ModelEntry& entry : models.list()) {
    if (entry.name == name && caller.may_use(name)) return entry;
  }
  fail(ErrorCode::kNotFound, "model '{}' not found", to_valid_utf8(name));
}

Outcome show_model(const HttpRequest& http, Services& services) {
  return HttpResponse{.body = json_text(model_json(entry_for(http.caller, http.path_values.at(0), services.models)))};
}

}  // namespace

void add_openai_model_routes(Routes& routes) {
  routes.push_back({"GET", "/v1/models", Dialect::kOpenAi, Scope::kInfer, list_models});
  routes.push_back({"GET", "/v1/models/{model}", Dialect::kOpenAi, Scope::kInfer, show_model});
}

}  // namespace minnow
