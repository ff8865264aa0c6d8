// POST /v1/rerank and its other names: documents by how well they answer a query, in the words of Jina and Cohere; of text-embeddings-
// inference when the documents are called texts.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/limits.h"
#include "serve/answer_format.h"
#include "serve/fields.h"
#include "serve/openai_objects.h"
#include "serve/routes.h"
#include "serve/services.h"
#include "serve/stopwatch.h"

namespace minnow {
namespace {

struct RerankFields {
  std::string query;
  std::vector<std::string> documents;
  std::size_t top_n = 0;
  bool with_text = false, as_tei = false;
};

// A string or {"text": …}.
std::string document_text(const OrderedJson& value, const std::string& path) {
  if (value.is_object()) return RequestFields(value, path).required_text("text");
  if (!value.is_string()) {
    throw RequestError(path, fmt::format("{}: must be a string or an object with a text, is {}", path, json_type_name(value)));
  }
  return value.get<std::string>();
}

RerankFields read_rerank(const RequestFields& body) {
  RerankFields fields{.query = body.required_text("query")};
  fields.as_tei = !body.has("documents") && body.has("texts");
  const std::string_view name = fields.as_tei ? "texts" : "documents";
  body.required(name);
  for (const OrderedJson& value : body.array(name, limits::kMaxRerankDocuments)) {
    fields.documents.push_back(document_text(value, element_path(body.path(name), fields.documents.size())));
  }
  if (fields.documents.empty()) body.refuse(name, "must have at least one document");
  const auto count = static_cast<int64_t>(fields.documents.size());
  fields.top_n = static_cast<std::size_t>(std::min(count, body.integer("top_n", count, 1, INT32_MAX)));
  fields.with_text = body.boolean(fields.as_tei ? "return_text" : "return_documents", false);
  for (const std::string_view other : {"max_chunks_per_doc", "max_tokens_per_doc", "truncate_prompt_tokens"}) {
    if (body.has(other)) body.refuse(other, "is not supported: documents are ranked whole", "leave it out");
  }
  return fields;
}

double probability(float score) { return 1 / (1 + std::exp(-static_cast<double>(score))); }

OrderedJson results_json(const RerankFields& fields, const std::vector<RankScore>& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a].score > scores[b].score; });
  OrderedJson results = OrderedJson::array();
  for (std::size_t i = 0; i < fields.top_n; ++i) {
    const std::size_t index = order[i];
    OrderedJson result = {{"index", index}, {fields.as_tei ? "score" : "relevance_score", probability(scores[index].score)}};
    if (fields.with_text && fields.as_tei) result["text"] = fields.documents[index];
    if (fields.with_text && !fields.as_tei) result["document"]["text"] = fields.documents[index];
    results.push_back(std::move(result));
  }
  return results;
}

Outcome rerank(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  const RerankFields fields = read_rerank(body);
  const ModelLease model = model_for(http, body.text("model"), services);
  const Stopwatch watch;
  const std::vector<RankScore> scores = model->ranker().rank(fields.query, fields.documents);
  const double seconds = watch.seconds();
  int64_t tokens = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    tokens += scores[i].n_tokens;
    const std::string path = element_path(fields.as_tei ? "texts" : "documents", i);
    if (scores[i].truncated) {
      throw RequestError(path, path + ": has more tokens than the model takes", "shorten it, or cut it in parts", "context_length_exceeded");
    }
    if (!std::isfinite(scores[i].score)) fail(ErrorCode::kInternal, "the model gave a score that is not a number");
  }
  OrderedJson results = results_json(fields, scores);
  HttpResponse response{.model = model->entry().name, .prompt_tokens = tokens, .prompt_seconds = seconds};
  if (fields.as_tei) {
    response.body = json_text(results);
    return response;
  }
  response.body = json_text({{"id", random_id("rerank-")},
                             {"object", "list"},
                             {"model", response.model},
                             {"results", std::move(results)},
                             {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}});
  return response;
}

}  // namespace

void add_rerank_routes(Routes& routes) {
  for (const char* path : {"/v1/rerank", "/rerank", "/v1/reranking", "/reranking", "/v2/rerank"}) {
    routes.push_back({"POST", path, Dialect::kOpenAi, Scope::kInfer, rerank});
  }
}

}  // namespace minnow
