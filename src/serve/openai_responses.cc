// POST /v1/responses, and what is stored of them.
#include <algorithm>

#include "base/limits.h"
#include "serve/ollama_fields.h"
#include "serve/openai_messages.h"
#include "serve/openai_response_request.h"
#include "serve/prepare_answer.h"
#include "serve/routes.h"
#include "serve/services.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

constexpr std::size_t kDefaultPage = 20, kMaxPage = 100;  // OpenAI's, of items and responses

std::string id_of(const OrderedJson& item) { return item["id"].get<std::string>(); }

// Puts an answer beside what it answers.
struct StoreAnswer {
  ResponseStore& store;
  std::string tenant;
  OrderedJson items;  // of the conversation before the answer
  std::size_t input_begin = 0;

  void operator()(const OrderedJson& response) const {
    OrderedJson all = items;
    for (const OrderedJson& item : response["output"]) all.push_back(item);
    StoredResponse stored{.id = id_of(response), .response = json_text(response), .input_begin = input_begin, .input_end = items.size()};
    for (std::size_t i = input_begin; i < all.size(); ++i) stored.item_ids.push_back(id_of(all[i]));
    stored.items = json_text(all);
    store.put(tenant, std::move(stored));
  }
};

// What is too large to be kept is said so at once, not when it is asked for.
void check_size(ResponseFields& fields, const RequestFields& body) {
  if (!fields.store || json_text(fields.items).size() <= limits::kMaxStoredResponseBytes) return;
  if (body.boolean("store", false)) {
    body.refuse("store", fmt::format("the conversation has more than the {} bytes that are stored", limits::kMaxStoredResponseBytes),
                "set it to false");
  }
  fields.store = false;
  fields.format.response["store"] = false;
}

Outcome create_response(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  ModelLease model = model_for(http, body.text("model"), services);
  ResponseFields fields = read_response(body, openai_facts(*model), {services.responses, http.caller.tenant});
  check_size(fields, body);
  fields.request.cache_salt = cache_salt(http, body);
  ResponseFormatOptions format = std::move(fields.format);
  format.response["id"] = random_id("resp_");
  format.response["created_at"] = unix_now();
  format.response["model"] = model->entry().name;
  format.now = unix_now;
  if (format.logprobs) format.is_end = end_test(*model);
  std::vector<ChatRequest> requests = {fields.request};
  AnswerPlan plan{.model = std::move(model), .stream = fields.stream, .prompt_field = "input"};
  if (fields.store) {
    format.ended = StoreAnswer{services.responses, http.caller.tenant, std::move(fields.items), fields.input_begin};
  }
  plan.format = std::make_unique<ResponseFormat>(std::move(format));
  if (is_strict_unused(requests.front(), plan.model->responder().capabilities())) fields.unused.emplace_back("strict");
  auto answer = prepare_answers(std::move(plan), std::move(requests));
  add_unused(*answer, fields.unused);
  return answer;
}

Outcome count_tokens(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  const ModelLease model = model_for(http, body.text("model"), services);
  const ResponseFields fields = read_response(body, openai_facts(*model), {services.responses, http.caller.tenant});
  const OrderedJson count = {{"object", "response.input_tokens"}, {"input_tokens", model->responder().prompt(fields.request).size()}};
  return HttpResponse{.body = json_text(count), .model = model->entry().name};
}

ResponseStore::Entry stored(const HttpRequest& http, Services& services) {
  const std::string& id = http.path_values.at(0);
  ResponseStore::Entry entry = services.responses.find(http.caller.tenant, id);
  if (!entry) {
    throw Error(ErrorCode::kNotFound, fmt::format("response '{}' not found", id),
                "responses are stored for a while, and only with store: true");
  }
  return entry;
}

Outcome get_response(const HttpRequest& http, Services& services) {
  if (http.query_value("stream") == "true") throw RequestError("stream", "stream: a stored response is given whole", "leave it out");
  return HttpResponse{.body = stored(http, services)->response};
}

Outcome delete_response(const HttpRequest& http, Services& services) {
  const ResponseStore::Entry entry = stored(http, services);
  services.responses.erase(http.caller.tenant, entry->id);
  return HttpResponse{.body = json_text({{"id", entry->id}, {"object", "response"}, {"deleted", true}})};
}

Outcome cancel_response(const HttpRequest& http, Services& services) {
  stored(http, services);
  throw RequestError({}, "only background responses can be cancelled, and there are none",
                     "close the connection to end one that is streamed");
}

struct Page {
  std::size_t limit = kDefaultPage;
  bool ascending = false;
  std::string after;
};

Page read_page(const HttpRequest& http) {
  Page page{.after = std::string(http.query_value("after"))};
  const std::string_view order = http.query_value("order");
  if (!order.empty() && order != "asc" && order != "desc") throw RequestError("order", "order: must be asc or desc");
  page.ascending = order == "asc";
  page.limit = page_limit(http, kDefaultPage, kMaxPage);
  return page;
}

// `all` is in ascending order.
HttpResponse page_of(std::vector<OrderedJson> all, const Page& page) {
  if (!page.ascending) std::reverse(all.begin(), all.end());
  auto begin = all.begin();
  if (!page.after.empty()) {
    begin = std::find_if(all.begin(), all.end(), [&](const OrderedJson& item) { return item["id"] == page.after; });
    if (begin == all.end()) throw RequestError("after", "after: there is no item of this id");
    ++begin;
  }
  const auto count = std::min<std::size_t>(page.limit, static_cast<std::size_t>(all.end() - begin));
  const auto end = begin + static_cast<std::ptrdiff_t>(count);
  OrderedJson list = {
      {"object", "list"}, {"data", OrderedJson::array()}, {"first_id", ""}, {"last_id", ""}, {"has_more", end != all.end()}};
  if (begin != end) {
    list["first_id"] = id_of(*begin);
    list["last_id"] = id_of(*(end - 1));
  }
  for (auto item = begin; item != end; ++item) list["data"].push_back(std::move(*item));
  return {.body = json_text(list)};
}

Outcome list_input(const HttpRequest& http, Services& services) {
  const Page page = read_page(http);
  const ResponseStore::Entry entry = stored(http, services);
  const OrderedJson items = parse_ordered_json(entry->items, "stored response");
  std::vector<OrderedJson> own;
  for (std::size_t i = entry->input_begin; i < entry->input_end; ++i) own.push_back(items[i]);
  return page_of(std::move(own), page);
}

Outcome list_responses(const HttpRequest& http, Services& services) {
  const Page page = read_page(http);
  std::vector<OrderedJson> all;
  for (const ResponseStore::Entry& entry : services.responses.list(http.caller.tenant, kMaxPage)) {
    all.push_back(parse_ordered_json(entry->response, "stored response"));
  }
  std::reverse(all.begin(), all.end());
  return page_of(std::move(all), page);
}

}  // namespace

void add_openai_response_routes(Routes& routes) {
  const auto add = [&](const char* method, const char* path, Handler handler) {
    routes.push_back({method, path, Dialect::kOpenAi, Scope::kInfer, std::move(handler)});
  };
  add("POST", "/v1/responses", create_response);
  add("POST", "/v1/responses/input_tokens", count_tokens);
  add("GET", "/v1/responses", list_responses);
  add("GET", "/v1/responses/{id}/input_items", list_input);
  add("POST", "/v1/responses/{id}/cancel", cancel_response);
  add("GET", "/v1/responses/{id}", get_response);
  add("DELETE", "/v1/responses/{id}", delete_response);
}

}  // namespace minnow
