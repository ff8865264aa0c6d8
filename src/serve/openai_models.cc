// GET /v1/models, to llama-server's clients /models: which models there are, in OpenAI's words, or in Anthropic's for its clients.
#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "serve/answer_format.h"
#include "serve/fields.h"
#include "serve/model_summary.h"
#include "serve/openai_objects.h"
#include "serve/routes.h"
#include "serve/services.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

constexpr std::size_t kDefaultPage = 20, kMaxPage = 1000;  // Anthropic's

bool is_anthropic(const HttpRequest& http) { return dialect_of(http, Dialect::kOpenAi) == Dialect::kAnthropic; }

OrderedJson anthropic_json(const ModelEntry& entry) {
  return {{"type", "model"}, {"id", entry.name}, {"display_name", entry.name}, {"created_at", utc_text(entry.modified_unix)}};
}

// With what vLLM (max_model_len) and llama-server (meta) say of its context.
OrderedJson openai_json(const ModelEntry& entry, ModelSummaries& summaries, const ModelPool& models) {
  OrderedJson model = {{"id", entry.name}, {"object", "model"}, {"created", entry.modified_unix}, {"owned_by", "minnow"}};
  const int64_t n_ctx_train = summaries.of(entry)->n_ctx_train;
  if (n_ctx_train <= 0) return model;
  model["max_model_len"] = models.context_of(n_ctx_train);
  model["meta"] = {{"n_ctx_train", n_ctx_train}};
  return model;
}

OrderedJson model_json(const HttpRequest& http, const ModelEntry& entry, ModelSummaries& summaries, const ModelPool& models) {
  return is_anthropic(http) ? anthropic_json(entry) : openai_json(entry, summaries, models);
}

// Those behind after_id, or the last ones before before_id.
OrderedJson anthropic_page(const HttpRequest& http, const OrderedJson& all) {
  const std::size_t limit = page_limit(http, kDefaultPage, kMaxPage);
  const std::string_view after = http.query_value("after_id"), before = http.query_value("before_id");
  if (!after.empty() && !before.empty()) throw RequestError("before_id", "before_id: cannot go together with after_id");
  const auto place_of = [&](const char* field, std::string_view id) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const OrderedJson& model) { return model["id"].get_ref<const std::string&>() == id; });
    if (found == all.end()) throw RequestError(field, fmt::format("{}: there is no model of this id", field));
    return static_cast<std::size_t>(found - all.begin());
  };
  std::size_t begin = after.empty() ? 0 : place_of("after_id", after) + 1;
  const std::size_t last = before.empty() ? all.size() : place_of("before_id", before);
  if (!before.empty()) begin = last - std::min(limit, last);
  const std::size_t end = std::min(begin + limit, last);
  OrderedJson page = {{"data", OrderedJson::array()}, {"has_more", before.empty() ? end < all.size() : begin > 0}, {"first_id", nullptr}, {"last_id", nullptr}};
  for (std::size_t i = begin; i < end; ++i) page["data"].push_back(all[i]);
  if (begin == end) return page;
  page["first_id"] = all[begin]["id"];
  page["last_id"] = all[end - 1]["id"];
  return page;
}

Outcome list_models(ModelSummaries& summaries, const HttpRequest& http, Services& services) {
  OrderedJson data = OrderedJson::array();
  for (const ModelEntry& entry : services.models.list()) {
    if (http.caller.may_use(entry.name)) data.push_back(model_json(http, entry, summaries, services.models));
  }
  if (is_anthropic(http)) return HttpResponse{.body = json_text(anthropic_page(http, data)), .headers = {{"request-id", http.id}}};
  return HttpResponse{.body = json_text({{"object", "list"}, {"data", std::move(data)}})};
}

// For who may not use every model, one that may not be used is as one that does not exist, and no name of another is suggested.
ModelEntry entry_for(const Caller& caller, const std::string& name, const ModelPool& models) {
  if (caller.models.empty()) return models.find(name);
  for (const ModelEntry& entry : models.list()) {
    if (entry.name == name && caller.may_use(name)) return entry;
  }
  throw UnknownModel(to_valid_utf8(name));
}

Outcome show_model(ModelSummaries& summaries, const HttpRequest& http, Services& services) {
  const ModelEntry entry = entry_for(http.caller, http.path_values.at(0), services.models);
  return HttpResponse{.body = json_text(model_json(http, entry, summaries, services.models))};
}

}  // namespace

void add_openai_model_routes(Routes& routes) {
  const auto summaries = std::make_shared<ModelSummaries>();
  const auto add = [&](const char* path, Outcome (*handler)(ModelSummaries&, const HttpRequest&, Services&)) {
    routes.push_back({"GET", path, Dialect::kOpenAi, Scope::kInfer,
                      [summaries, handler](const HttpRequest& http, Services& services) { return handler(*summaries, http, services); }});
  };
  add("/v1/models", list_models);
  add("/models", list_models);
  add("/v1/models/{model}", show_model);
}

}  // namespace minnow
