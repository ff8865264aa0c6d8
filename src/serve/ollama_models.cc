// The Ollama API but for answers: which models there are, which are loaded, and what cannot be done with them here.
#include <algorithm>

#include "base/utf8.h"
#include "serve/fields.h"
#include "serve/model_summary.h"
#include "serve/ollama_call.h"
#include "serve/ollama_routes.h"
#include "serve/ollama_show.h"

namespace minnow {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";
constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kForEver = 290LL * 365 * 86400 * kSecond;  // "expires_at" of what never does: about as far as these numbers go
// What of Ollama's API is here; clients ask for features by it.
constexpr std::string_view kApiVersion = "0.12.6";

using Summaries = std::shared_ptr<ModelSummaries>;

// As Ollama's clients know models: with a tag.
std::string tagged(const std::string& name) { return name.find(':') == std::string::npos ? name + ":latest" : name; }

HttpResponse json_response(const OrderedJson& body) { return {.content_type = std::string(kJson), .body = json_text(body)}; }

Outcome root(const HttpRequest&, Services&) {
  return HttpResponse{.content_type = "text/plain; charset=utf-8", .body = "Ollama is running"};
}

Outcome version(const HttpRequest&, Services&) { return json_response({{"version", kApiVersion}, {"minnow", MINNOW_VERSION}}); }

Outcome status(const HttpRequest&, Services&) { return json_response({{"cloud", {{"disabled", true}, {"source", "none"}}}}); }

Outcome tags(const Summaries& summaries, const HttpRequest& http, Services& services) {
  std::vector<ModelEntry> entries = services.models.list();
  std::stable_sort(entries.begin(), entries.end(), [](const ModelEntry& a, const ModelEntry& b) { return a.modified_unix > b.modified_unix; });
  OrderedJson models = OrderedJson::array();
  for (const ModelEntry& entry : entries) {
    if (!http.caller.may_use(entry.name)) continue;
    const auto summary = summaries->of(entry);
    models.push_back({{"name", tagged(entry.name)},
                      {"model", tagged(entry.name)},
                      {"modified_at", go_time_text(entry.modified_unix * kSecond)},
                      {"size", entry.bytes},
                      {"digest", summary->digest},
                      {"details", ollama_details(*summary)},
                      {"capabilities", summary->capabilities}});
  }
  return json_response({{"models", std::move(models)}});
}

Outcome ps(const Summaries& summaries, const HttpRequest& http, Services& services) {
  std::vector<ModelPool::Loaded> loaded = services.models.loaded();
  const auto remaining = [](const ModelPool::Loaded& m) { return m.remaining ? std::min<int64_t>(m.remaining->count(), kForEver) : kForEver; };
  std::stable_sort(loaded.begin(), loaded.end(), [&](const auto& a, const auto& b) { return remaining(a) > remaining(b); });
  const int64_t now = unix_nanoseconds_now();
  OrderedJson models = OrderedJson::array();
  for (const ModelPool::Loaded& m : loaded) {
    if (!http.caller.may_use(m.entry.name)) continue;
    const auto summary = summaries->of(m.entry);
    const int64_t expires = std::min(remaining(m), INT64_MAX - now);
    models.push_back({{"name", tagged(m.entry.name)},
                      {"model", tagged(m.entry.name)},
                      {"size", m.bytes},
                      {"digest", summary->digest},
                      {"details", ollama_details(*summary)},
                      {"expires_at", go_time_text(now + expires)},
                      {"size_vram", 0},  // all of it is in the memory of the CPU
                      {"context_length", m.n_ctx}});
  }
  return json_response({{"models", std::move(models)}});
}

Outcome show(const Summaries& summaries, const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_ollama_body(http);
  const RequestFields body(json);
  const ModelEntry entry = ollama_entry(http, ollama_model_name(body), services);
  const OllamaShowOptions options{.verbose = body.boolean("verbose", false), .system = body.text("system")};
  body.object("options");
  return json_response(ollama_show(entry, services.models.read(entry), *summaries->of(entry), options));
}

// What changes which models there are needs a store.
HttpResponse without_store(std::string_view what, std::string_view instead) {
  return error_response(Dialect::kOllama, 501, fmt::format("{} is not supported: this server has no model store, models are files; {}", what, instead));
}

Handler refusal(std::string_view what, std::string_view instead) {
  return [=](const HttpRequest&, Services&) -> Outcome { return without_store(what, instead); };
}

constexpr std::string_view kServeFile = "start it with the model's file: minnow serve MODEL.gguf";

// A model that is here has been pulled as far as a client can tell.
Outcome pull(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_ollama_body(http);
  const RequestFields body(json);
  const std::string name = ollama_model_name(body);
  const bool stream = body.boolean("stream", true);
  body.optional_boolean("insecure");
  try {
    ollama_entry(http, name, services);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotFound) throw;
    return without_store(fmt::format("pulling '{}'", to_valid_utf8(name)), kServeFile);
  }
  const std::string success = json_text({{"status", "success"}});
  if (!stream) return HttpResponse{.content_type = std::string(kJson), .body = success};
  return HttpResponse{.content_type = "application/x-ndjson", .body = json_text({{"status", "pulling manifest"}}) + "\n" + success + "\n"};
}

// A model that is not here is 404, as in Ollama, whatever could be done with it.
Outcome copy(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_ollama_body(http);
  const RequestFields body(json);
  body.required_text("destination");
  ollama_entry(http, body.required_text("source"), services);
  return without_store("copying a model", "copy its file, after which it is named");
}

Outcome remove_model(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_ollama_body(http);
  ollama_entry(http, ollama_model_name(RequestFields(json)), services);
  return without_store("deleting a model", "remove its file");
}

Outcome find_blob(const HttpRequest&, Services&) { return error_response(Dialect::kOllama, 404, "blob not found"); }

void add_store_routes(Routes& routes) {
  const auto add = [&](std::string method, std::string path, Handler handler) {
    routes.push_back({std::move(method), std::move(path), Dialect::kOllama, Scope::kManage, std::move(handler)});
  };
  add("POST", "/api/create", refusal("creating a model", kServeFile));
  add("POST", "/api/pull", pull);
  add("POST", "/api/push", refusal("pushing a model", "copy its file to where it is to be served"));
  add("POST", "/api/copy", copy);
  add("DELETE", "/api/delete", remove_model);
  add("HEAD", "/api/blobs/{digest}", find_blob);
  add("POST", "/api/blobs/{digest}", refusal("uploading a blob", kServeFile));
}

}  // namespace

void add_ollama_model_routes(Routes& routes) {
  const auto summaries = std::make_shared<ModelSummaries>();
  const auto add = [&](std::string method, std::string path, Scope scope, Handler handler) {
    routes.push_back({std::move(method), std::move(path), Dialect::kOllama, scope, std::move(handler)});
  };
  add("GET", "/", Scope::kInfer, root);
  add("GET", "/api/version", Scope::kInfer, version);
  add("GET", "/api/status", Scope::kInfer, status);
  add("GET", "/api/tags", Scope::kInfer, [=](const HttpRequest& h, Services& s) { return tags(summaries, h, s); });
  add("GET", "/api/ps", Scope::kManage, [=](const HttpRequest& h, Services& s) { return ps(summaries, h, s); });
  add("POST", "/api/show", Scope::kInfer, [=](const HttpRequest& h, Services& s) { return show(summaries, h, s); });
  add("POST", "/api/embed", Scope::kInfer, ollama_embed);
  add("POST", "/api/embeddings", Scope::kInfer, ollama_embeddings);
  add_store_routes(routes);
}

}  // namespace minnow
