// llama-server's own routes: whether the server is well, what it serves, what it does, and how it writes chats.
#include <algorithm>

#include "serve/llama_routes.h"
#include "serve/llama_sampling.h"
#include "serve/openai_chat_request.h"
#include "serve/openai_objects.h"
#include "serve/services.h"

namespace minnow {
namespace {

// Runs on the thread of all connections.
Outcome health(const HttpRequest&, Services&) { return HttpResponse{.body = R"({"status":"ok"})"}; }

OrderedJson default_settings(LoadedModel& model) {
  SamplingFields fields;
  fields.sampling = default_sampling(Dialect::kLlamaServer, model.model().metadata);
  OrderedJson settings = llama_settings_json(fields);
  settings["seed"] = -1;  // a new one each time
  return settings;
}

std::string token_text(const Tokenizer& tokenizer, TokenId id) { return id == kNoToken ? std::string() : tokenizer.piece(id, true); }

Outcome props(const HttpRequest& http, Services& services) {
  const ModelLease model = model_for(http, std::string(http.query_value("model")), services);
  const bool makes_text = model->model().config.makes_text();
  const Engine& engine = makes_text ? model->engine() : model->embedder().engine();
  OrderedJson out = {{"default_generation_settings", {{"n_ctx", engine.n_ctx()}, {"params", default_settings(*model)}}},
                     {"total_slots", engine.options().n_sequences},
                     {"model_alias", model->entry().name},
                     {"model_path", model->entry().path.string()},
                     {"modalities", {{"vision", false}, {"audio", false}}},
                     {"chat_template", ""},
                     {"bos_token", ""},
                     {"eos_token", ""},
                     {"build_info", "minnow-" MINNOW_VERSION},
                     {"is_sleeping", false}};
  if (engine.has_tokenizer()) {
    const TokenizerSpec& spec = engine.tokenizer().spec();
    out["chat_template"] = spec.chat_template;
    out["bos_token"] = token_text(engine.tokenizer(), spec.bos);
    out["eos_token"] = token_text(engine.tokenizer(), spec.eos);
  }
  return HttpResponse{.body = json_text(out)};
}

Outcome set_props(const HttpRequest&, Services&) {
  return error_response(Dialect::kLlamaServer, 501, "global properties cannot be changed; give settings with each request");
}

Outcome lora_adapters(const HttpRequest&, Services&) { return HttpResponse{.body = "[]"}; }  // none can be loaded beside a model

Outcome slot_action(const HttpRequest&, Services&) {
  return error_response(Dialect::kLlamaServer, 501, "slots are not saved, restored or erased here; what prompts have in common is remembered without that");
}

// Of a sequence that runs, or of none. What it has been asked is nobody's business: "params" are the defaults.
OrderedJson slot_json(LoadedModel& model, const EngineStatus::Running* running, const OrderedJson& settings) {
  OrderedJson next = {{"has_next_token", running != nullptr}, {"has_new_line", false}, {"n_remain", -1}, {"n_decoded", 0}, {"stopping_word", ""}};
  if (running != nullptr) {
    next["n_decoded"] = running->generated_tokens;
    if (running->max_tokens >= 0) next["n_remain"] = std::max<int64_t>(0, running->max_tokens - running->generated_tokens);
  }
  return {{"id_task", running != nullptr ? running->number : -1},
          {"model", model.entry().name},
          {"n_ctx", model.engine().n_ctx()},
          {"speculative", false},
          {"is_processing", running != nullptr},
          {"params", settings},
          {"n_prompt_tokens", running != nullptr ? running->prompt_tokens : 0},
          {"next_token", std::move(next)}};
}

// Sequences have no fixed places here: the first so many slots stand for those that run.
void add_slots(OrderedJson& slots, LoadedModel& model) {
  const EngineStatus status = model.engine().status();
  const OrderedJson settings = default_settings(model);
  for (std::size_t i = 0; i < static_cast<std::size_t>(model.engine().options().n_sequences); ++i) {
    OrderedJson slot = {{"id", slots.size()}};
    slot.update(slot_json(model, i < status.sequences.size() ? &status.sequences[i] : nullptr, settings));
    slots.push_back(std::move(slot));
  }
}

Outcome slots(const HttpRequest& http, Services& services) {
  const std::string wanted(http.query_value("model"));
  OrderedJson all = OrderedJson::array();
  services.models.for_each_loaded([&](LoadedModel& model) {
    const std::string& name = model.entry().name;
    const bool is_meant = http.caller.may_use(name) && (wanted.empty() || wanted == name);
    if (is_meant && model.model().config.makes_text()) add_slots(all, model);
  });
  const bool any_idle = std::any_of(all.begin(), all.end(), [](const OrderedJson& slot) { return !slot["is_processing"].get<bool>(); });
  if (!any_idle && !all.empty() && http.query_value("fail_on_no_slot") == "1") return error_response(Dialect::kLlamaServer, 503, "no slot available");
  return HttpResponse{.body = json_text(all)};
}

Outcome apply_template(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  const ModelLease model = model_for(http, body.text("model"), services);
  const ModelFacts facts{.sampling = default_sampling(Dialect::kLlamaServer, model->model().metadata), .can = model->responder().capabilities()};
  const OrderedJson out = {{"prompt", model->responder().render(read_chat(body, facts).request)}};
  return HttpResponse{.body = json_text(out), .model = model->entry().name};
}

}  // namespace

void add_llama_server_routes(Routes& routes) {
  const auto add = [&](std::string method, std::string path, Scope scope, Handler handler) {
    routes.push_back({std::move(method), std::move(path), Dialect::kLlamaServer, scope, std::move(handler)});
  };
  add("GET", "/health", Scope::kOpen, health);
  add("GET", "/v1/health", Scope::kOpen, health);
  add("GET", "/props", Scope::kManage, props);
  add("POST", "/props", Scope::kManage, set_props);
  add("GET", "/lora-adapters", Scope::kInfer, lora_adapters);
  add("GET", "/slots", Scope::kManage, slots);
  add("POST", "/slots/{id}", Scope::kManage, slot_action);
  add("POST", "/tokenize", Scope::kInfer, llama_tokenize);
  add("POST", "/detokenize", Scope::kInfer, llama_detokenize);
  add("POST", "/apply-template", Scope::kInfer, apply_template);
  add("POST", "/completion", Scope::kInfer, llama_completion);
  add("POST", "/completions", Scope::kInfer, llama_completion);
  add("POST", "/infill", Scope::kInfer, llama_infill);
}

}  // namespace minnow
