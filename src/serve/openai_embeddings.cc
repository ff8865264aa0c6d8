// POST /v1/embeddings, and llama-server's /embedding.
#include <bit>
#include <cmath>
#include <limits>

#include "base/base64.h"
#include "base/limits.h"
#include "serve/answer_format.h"
#include "serve/fields.h"
#include "serve/openai_objects.h"
#include "serve/routes.h"
#include "serve/services.h"
#include "serve/stopwatch.h"

namespace minnow {
namespace {

static_assert(std::endian::native == std::endian::little, "base64 embeddings are little-endian float32");

struct EmbeddingInput {
  std::vector<std::string> texts;
  std::vector<std::vector<TokenId>> prompts;  // when the request has token ids instead
};

std::vector<TokenId> read_prompt(const OrderedJson& value, const std::string& path) {
  std::vector<TokenId> ids = read_token_ids(value, path, limits::kMaxPromptTokens);
  if (ids.empty()) throw RequestError(path, path + ": must not be empty");
  return ids;
}

// A string, strings, token ids, or lists of token ids.
EmbeddingInput read_input(const RequestFields& body, std::string_view name = "input") {
  const OrderedJson& value = body.required(name);
  const std::string path = body.path(name);
  EmbeddingInput input;
  if (value.is_array() && !value.empty() && value.front().is_number()) {
    input.prompts.push_back(read_prompt(value, path));
    return input;
  }
  if (value.is_array() && !value.empty() && value.front().is_array()) {
    for (const OrderedJson& item : body.array(name, limits::kMaxEmbeddingInputs)) {
      input.prompts.push_back(read_prompt(item, element_path(path, input.prompts.size())));
    }
    return input;
  }
  input.texts = body.texts(name, limits::kMaxEmbeddingInputs);
  if (input.texts.empty()) body.refuse(name, "must have at least one text");
  for (std::size_t i = 0; i < input.texts.size(); ++i) {
    if (!input.texts[i].empty()) continue;
    const std::string place = value.is_array() ? element_path(path, i) : path;
    throw RequestError(place, place + ": must not be empty");
  }
  return input;
}

void append_vector(std::string& out, const std::vector<float>& vector, bool base64) {
  for (const float value : vector) {
    if (!std::isfinite(value)) fail(ErrorCode::kInternal, "the model gave a vector that is not of numbers");
  }
  if (base64) {
    const std::string_view bytes(reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float));
    out += '"' + encode_base64(bytes) + '"';
    return;
  }
  out += '[';
  for (std::size_t i = 0; i < vector.size(); ++i) fmt::format_to(std::back_inserter(out), "{}{}", i ? "," : "", vector[i]);
  out += ']';
}

std::vector<Embedding> embed(LoadedModel& model, const EmbeddingInput& input, const EmbedOptions& options) {
  try {
    return input.prompts.empty() ? model.embedder().embed(input.texts, options) : model.embedder().embed_tokens(input.prompts, options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kLimit) throw;
    throw RequestError("input", fmt::format("input: {}", error.what()), {}, "context_length_exceeded");
  }
}

Outcome embeddings(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  const EmbeddingInput input = read_input(body);
  EmbedOptions options{.truncate = false};
  options.dimensions = body.integer("dimensions", 0, 1, limits::kMaxWidth);
  const bool base64 = body.choice("encoding_format", "float", {"float", "base64"}) == "base64";
  body.optional_text("user");
  const ModelLease model = model_for(http, body.text("model"), services);

  HttpResponse response{.body = R"({"object":"list","data":[)", .model = model->entry().name};
  const Stopwatch watch;
  const std::vector<Embedding> all = embed(*model, input, options);
  response.prompt_seconds = watch.seconds();
  for (std::size_t i = 0; i < all.size(); ++i) {
    response.body += fmt::format(R"({}{{"object":"embedding","index":{},"embedding":)", i ? "," : "", i);
    append_vector(response.body, all[i].vector, base64);
    response.body += '}';
    response.prompt_tokens += all[i].n_tokens;
  }
  response.body += fmt::format(R"(],"model":{},"usage":{{"prompt_tokens":{},"total_tokens":{}}}}})", json_text(response.model),
                               response.prompt_tokens, response.prompt_tokens);
  return response;
}

// [{"index", "embedding": [[...]]}]: one vector for each input, since all of its tokens are pooled.
Outcome llama_embeddings(const HttpRequest& http, Services& services) {
  constexpr int64_t kNone = -1, kEuclidean = 2;
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  const EmbeddingInput input = read_input(body, body.has("content") ? "content" : "input");
  const int64_t norm = body.integer("embd_normalize", kEuclidean, kNone, std::numeric_limits<int32_t>::max());
  if (norm != kNone && norm != kEuclidean) body.refuse("embd_normalize", "must be 2 (to length 1) or -1 (as they are)");
  const ModelLease model = model_for(http, body.text("model"), services);

  HttpResponse response{.body = "[", .model = model->entry().name};
  const Stopwatch watch;
  const std::vector<Embedding> all = embed(*model, input, {.normalize = norm == kEuclidean, .truncate = false});
  response.prompt_seconds = watch.seconds();
  for (std::size_t i = 0; i < all.size(); ++i) {
    response.body += fmt::format(R"({}{{"index":{},"embedding":[)", i ? "," : "", i);
    append_vector(response.body, all[i].vector, false);
    response.body += "]}";
    response.prompt_tokens += all[i].n_tokens;
  }
  response.body += ']';
  return response;
}

}  // namespace

void add_openai_embedding_routes(Routes& routes) {
  routes.push_back({"POST", "/v1/embeddings", Dialect::kOpenAi, Scope::kInfer, embeddings});
  for (const char* path : {"/embedding", "/embeddings"}) {
    routes.push_back({"POST", path, Dialect::kLlamaServer, Scope::kInfer, llama_embeddings});
  }
}

}  // namespace minnow
