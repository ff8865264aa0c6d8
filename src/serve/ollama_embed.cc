// POST /api/embed and its predecessor /api/embeddings.
#include <cmath>
#include <iterator>

#include "base/limits.h"
#include "serve/ollama_call.h"
#include "serve/ollama_routes.h"
#include "serve/stopwatch.h"

namespace minnow {
namespace {

constexpr std::string_view kJson = "application/json; charset=utf-8";
// Which inputs were longer than the context and lost their end, by number.
constexpr std::string_view kCutHeader = "minnow-truncated-inputs";

// A string or strings; an empty one alone is none.
std::vector<std::string> read_input(const RequestFields& body) {
  const OrderedJson* input = body.find("input");
  if (!input || *input == "") return {};
  if (input->is_string()) return {input->get<std::string>()};
  if (!input->is_array()) throw RequestError("input", "invalid input type", "input: must be a string or an array of strings");
  std::vector<std::string> texts;
  for (const OrderedJson& item : body.array("input", limits::kMaxEmbeddingInputs)) {
    const std::string place = element_path("input", texts.size());
    if (!item.is_string()) throw RequestError(place, "invalid input type", place + ": must be a string");
    if (item == "") throw RequestError(place, place + ": must not be empty");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

std::string vector_json(const std::vector<float>& vector) {
  std::string out = "[";
  for (const float value : vector) {
    if (!std::isfinite(value)) fail(ErrorCode::kInternal, "the model gave a vector that is not of numbers");
    fmt::format_to(std::back_inserter(out), "{}{}", out.size() > 1 ? "," : "", value);
  }
  return out + "]";
}

std::vector<Embedding> embed(LoadedModel& model, const std::vector<std::string>& texts, const EmbedOptions& options) {
  if (texts.empty()) return {};
  try {
    return model.embedder().embed(texts, options);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kLimit || options.truncate) throw;
    throw RequestError("input", "the input length exceeds the context length", error.what());
  }
}

// Their numbers, with a comma between.
std::string cut_inputs(const std::vector<Embedding>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].truncated) text += fmt::format("{}{}", text.empty() ? "" : ", ", i);
  }
  return text;
}

// Of the options; those of sampling are checked, no more. Inputs may be as long as the context that the model is loaded with.
std::vector<std::string> read_unused(const RequestFields& body) {
  OllamaOptions options = read_ollama_options(body, {});
  if (options.n_ctx > 0) options.unused.emplace_back("num_ctx");
  return std::move(options.unused);
}

void add_headers(HttpResponse& response, const std::vector<std::string>& unused, const std::vector<Embedding>& all) {
  if (!unused.empty()) response.headers.emplace_back(kUnusedOptionsHeader, unused_options_text(unused));
  if (std::string cut = cut_inputs(all); !cut.empty()) response.headers.emplace_back(kCutHeader, std::move(cut));
}

}  // namespace

Outcome ollama_embed(const HttpRequest& http, Services& services) {
  const int64_t started = unix_nanoseconds_now();
  const OrderedJson json = parse_ollama_body(http);
  const RequestFields body(json);
  const std::string name = ollama_model_name(body);
  const std::vector<std::string> texts = read_input(body);
  std::vector<std::string> unused = read_unused(body);
  EmbedOptions options{.truncate = body.boolean("truncate", true)};
  options.dimensions = body.integer("dimensions", 0, 0, limits::kMaxWidth);
  const ModelLease model = model_for(http, name, services, read_keep_alive_of(http, body, unused));
  const int64_t loaded = unix_nanoseconds_now();
  const Stopwatch watch;
  const std::vector<Embedding> all = embed(*model, texts, options);

  HttpResponse response{.content_type = std::string(kJson), .model = model->entry().name, .prompt_seconds = watch.seconds()};
  response.body = fmt::format(R"({{"model":{},"embeddings":[)", json_text(name));
  for (std::size_t i = 0; i < all.size(); ++i) {
    response.body += (i > 0 ? "," : "") + vector_json(all[i].vector);
    response.prompt_tokens += all[i].n_tokens;
  }
  response.body += fmt::format(R"(],"total_duration":{},"load_duration":{},"prompt_eval_count":{})", unix_nanoseconds_now() - started,
                               loaded - started, response.prompt_tokens);
  if (const std::string cut = cut_inputs(all); !cut.empty()) response.body += fmt::format(R"(,"truncated_inputs":[{}])", cut);
  response.body += "}";
  add_headers(response, unused, all);
  return response;
}

Outcome ollama_embeddings(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_ollama_body(http);
  const RequestFields body(json);
  const std::string name = ollama_model_name(body);
  std::vector<std::string> texts;
  if (std::string prompt = body.text("prompt"); !prompt.empty()) texts.push_back(std::move(prompt));
  std::vector<std::string> unused = read_unused(body);
  const ModelLease model = model_for(http, name, services, read_keep_alive_of(http, body, unused));
  const Stopwatch watch;
  const std::vector<Embedding> all = embed(*model, texts, {.normalize = false});

  HttpResponse response{.content_type = std::string(kJson), .model = model->entry().name, .prompt_seconds = watch.seconds()};
  response.body = fmt::format(R"({{"embedding":{}}})", all.empty() ? "[]" : vector_json(all[0].vector));
  if (!all.empty()) response.prompt_tokens = all[0].n_tokens;
  add_headers(response, unused, all);
  return response;
}

}  // namespace minnow
