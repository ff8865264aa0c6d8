// POST /v1/completions: texts that go on.
#include <algorithm>

#include "base/limits.h"
#include "serve/openai_completion_format.h"
#include "serve/prepare_answer.h"
#include "serve/prompt_logprobs.h"
#include "serve/response_format.h"
#include "serve/routes.h"
#include "serve/sampling_fields.h"
#include "serve/services.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

constexpr int64_t kDefaultMaxTokens = 16;  // OpenAI's

constexpr std::string_view kPromptLogprobs = "prompt_logprobs";  // vLLM's

using Prompt = std::variant<std::string, std::vector<TokenId>>;

struct CompletionFields {
  std::vector<Prompt> prompts;
  TextRequest request;  // of every prompt, without it
  int64_t n = 1;
  bool stream = false, echo = false;
  std::vector<std::string> unused;
  CompletionFormatOptions format;
};

Prompt read_prompt(const OrderedJson& value, const std::string& path) {
  if (value.is_string()) return value.get<std::string>();
  std::vector<TokenId> ids = read_token_ids(value, path, limits::kMaxPromptTokens);
  if (ids.empty()) throw RequestError(path, path + ": must not be empty");
  return ids;
}

// A string, strings, token ids, or lists of token ids.
std::vector<Prompt> read_prompts(const RequestFields& body) {
  const OrderedJson& value = body.required("prompt");
  if (value.is_string()) return {value.get<std::string>()};
  if (!value.is_array() || value.empty()) {
    body.refuse("prompt", "must be a string, an array of strings, of token ids, or of arrays of token ids");
  }
  if (value.front().is_number()) return {read_prompt(value, body.path("prompt"))};
  std::vector<Prompt> prompts;
  for (const OrderedJson& item : body.array("prompt", limits::kMaxChoices)) {
    prompts.push_back(read_prompt(item, element_path(body.path("prompt"), prompts.size())));
  }
  return prompts;
}

void read_choices(CompletionFields& fields, const RequestFields& body) {
  fields.n = body.integer("n", 1, 1, limits::kMaxChoices);
  const int64_t best_of = body.integer("best_of", fields.n, 1, limits::kMaxChoices);
  if (best_of != fields.n) body.refuse("best_of", "must be the same as n: all choices that are made are given", "leave it out");
  const auto total = static_cast<int64_t>(fields.prompts.size()) * fields.n;
  if (total > limits::kMaxChoices) {
    body.refuse("prompt", fmt::format("with n these are {} choices, allowed: {}", total, limits::kMaxChoices));
  }
}

void read_format(CompletionFields& fields, const RequestFields& body) {
  fields.stream = body.boolean("stream", false);
  fields.echo = body.boolean("echo", false);
  const RequestFields options = body.object("stream_options");
  fields.format.continuous_usage = options.boolean("continuous_usage_stats", false);
  fields.format.include_usage = options.boolean("include_usage", false) || fields.format.continuous_usage;
  fields.format.n_choices = static_cast<int>(fields.n);
  fields.format.logprobs = static_cast<int>(body.integer("logprobs", -1, 0, limits::kMaxLogprobs));
  fields.request.n_logprobs = fields.format.logprobs;
  fields.format.prompt_logprobs = static_cast<int>(body.integer(kPromptLogprobs, -1, 0, limits::kMaxLogprobs));
  if (fields.stream && fields.format.prompt_logprobs >= 0) {
    body.refuse(kPromptLogprobs, "does not go together with stream", "ask without stream, or with echo and logprobs");
  }
  fields.format.token_ids = body.boolean("return_token_ids", false);
  body.optional_text("user");
  read_slot_fields(body, fields.unused);
}

CompletionFields read_completion(const RequestFields& body, const SamplingParams& defaults) {
  CompletionFields fields{.prompts = read_prompts(body)};
  SamplingFields sampling = read_sampling(body, defaults, kPromptLogprobs);
  TextRequest& request = fields.request;
  const bool has_length = body.has("max_tokens") || body.has("max_completion_tokens") || body.has("n_predict");
  request.max_tokens = has_length ? sampling.max_tokens : std::max(kDefaultMaxTokens, sampling.min_tokens);
  request.sampling = std::move(sampling.sampling);
  request.stop = std::move(sampling.stop);
  request.stop_tokens = std::move(sampling.stop_tokens);
  request.min_tokens = sampling.min_tokens;
  request.ignore_end = sampling.ignore_end;
  request.show_special = sampling.show_special;
  request.add_special = body.boolean("add_special_tokens", true);
  if (std::string suffix = body.text("suffix"); !suffix.empty()) request.suffix = std::move(suffix);
  request.constraint = read_response_format(body);
  fields.format.include_stop = sampling.include_stop;
  read_choices(fields, body);
  read_format(fields, body);
  return fields;
}

// For choice number `index` of all; those of the first prompt come first.
TextRequest request_of(const CompletionFields& fields, std::size_t index) {
  TextRequest request = fields.request;
  request.prompt = fields.prompts[index / static_cast<std::size_t>(fields.n)];
  request.sampling.seed = choice_seed(fields.request.sampling.seed, static_cast<int>(index));
  return request;
}

std::string echo_of(const Prompt& prompt, LoadedModel& model, const std::vector<TokenId>& tokens) {
  if (std::holds_alternative<std::string>(prompt)) return std::get<std::string>(prompt);
  return model.engine().tokenizer().decode(tokens, true);
}

// How likely the tokens of prompt number `i` are, for whoever wants to know it.
void score_prompt(CompletionFields& fields, std::size_t i, LoadedModel& model, const std::vector<TokenId>& tokens) {
  CompletionFormatOptions& format = fields.format;
  if (tokens.empty()) throw RequestError("prompt", "prompt: has no tokens");
  const auto n_tokens = static_cast<int64_t>(tokens.size());
  if (n_tokens > model.engine().max_prompt()) refuse_long_prompt("prompt", n_tokens, model.engine().max_prompt());
  std::vector<TokenLogprob> logprobs = prompt_logprobs(model.engine(), tokens, std::max(format.logprobs, format.prompt_logprobs));
  if (format.prompt_logprobs >= 0) format.prompt_token_logprobs.push_back(logprobs);
  if (!fields.echo || format.logprobs < 0) return;
  // What the tokenizer put before a text has no place in it.
  const bool is_text = std::holds_alternative<std::string>(fields.prompts[i]);
  if (is_text && model.engine().tokenizer().is_control(tokens.front())) logprobs.front().bytes.clear();
  format.echo_logprobs.push_back(std::move(logprobs));
}

// What is asked about the prompts themselves, each alone.
void describe_prompts(CompletionFields& fields, LoadedModel& model) {
  const bool scores = fields.format.prompt_logprobs >= 0 || (fields.echo && fields.format.logprobs >= 0);
  fields.format.echo.assign(fields.prompts.size(), "");
  if (!fields.echo && !scores && !fields.format.token_ids && !(fields.stream && fields.format.continuous_usage)) return;
  const int64_t shown_for_each = (1 + std::max(fields.format.logprobs, fields.format.prompt_logprobs)) * fields.n;
  int64_t shown = 0;
  for (std::size_t i = 0; i < fields.prompts.size(); ++i) {
    const std::vector<TokenId> tokens = model.responder().prompt(request_of(fields, i * static_cast<std::size_t>(fields.n)));
    const auto n_tokens = static_cast<int64_t>(tokens.size());
    fields.format.prompt_ids.push_back(tokens);
    if (fields.echo) fields.format.echo[i] = echo_of(fields.prompts[i], model, tokens);
    if (!scores) continue;
    shown += n_tokens * shown_for_each;
    if (shown > limits::kMaxPromptLogprobs) {
      throw RequestError("prompt", fmt::format("prompt: the log probabilities of these prompts are more than {}", limits::kMaxPromptLogprobs),
                         "send fewer prompts at a time, or ask for fewer alternatives");
    }
    score_prompt(fields, i, model, tokens);
  }
}

Outcome completions(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  ModelLease model = model_for(http, body.text("model"), services);
  CompletionFields fields = read_completion(body, default_sampling(Dialect::kOpenAi, model->model().metadata));
  fields.request.cache_salt = cache_salt(http, body);
  describe_prompts(fields, *model);
  fields.format.id = answer_id(body, "cmpl-");
  fields.format.created = unix_now();
  fields.format.model = model->entry().name;
  if (fields.format.logprobs >= 0) fields.format.is_end = end_test(*model);
  AnswerPlan plan{.model = std::move(model),
                  .format = std::make_unique<CompletionFormat>(std::move(fields.format)),
                  .stream = fields.stream,
                  .prompt_field = "prompt"};
  const std::size_t n = fields.prompts.size() * static_cast<std::size_t>(fields.n);
  const std::vector<std::string> unused = std::move(fields.unused);
  auto answer = prepare_choices(std::move(plan), n, [fields = std::move(fields)](std::size_t i) { return request_of(fields, i); });
  add_unused(*answer, unused);
  return answer;
}

}  // namespace

void add_openai_completion_routes(Routes& routes) {
  routes.push_back({"POST", "/v1/completions", Dialect::kOpenAi, Scope::kInfer, completions});
}

}  // namespace minnow
