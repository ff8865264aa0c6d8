// POST /completion, /completions and /infill, as llama-server has them.
#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "serve/llama_format.h"
#include "serve/llama_prompts.h"
#include "serve/llama_routes.h"
#include "serve/llama_sampling.h"
#include "serve/prepare_answer.h"
#include "serve/response_format.h"
#include "serve/services.h"

namespace minnow {
namespace {

constexpr int64_t kMaxInt = 0x7fffffff;

double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Completion {
  ModelLease model;
  TextRequest request;  // but for the prompt
  LlamaFormatOptions format;
  int64_t n_choices = 1;  // of each prompt
  std::vector<std::string> unused;  // fields
};

LineLimits read_line_limits(const RequestFields& body) {
  return {.min_indent = body.integer("n_indent", 0, 0, kMaxInt),
          .max_time = std::chrono::milliseconds(std::max<int64_t>(0, body.integer("t_max_predict_ms", 0, -1, kMaxInt)))};
}

Completion read_completion(const HttpRequest& http, const RequestFields& body, Services& services) {
  Completion c;
  c.model = model_for(http, body.text("model"), services);
  c.model->responder();  // throws for a model that makes no text
  const Tokenizer& tokenizer = c.model->engine().tokenizer();
  body.number("dynatemp_exponent", 1, 0, 1e6);  // of a range of 0
  if (body.boolean("return_progress", false)) body.refuse("return_progress", "is not supported", "leave it out");
  read_slot_fields(body, c.unused);
  SamplingFields fields = read_llama_sampling(body, tokenizer, c.model->model().metadata);
  TextRequest& request = c.request;
  request.constraint = read_response_format(body);
  c.format.settings = llama_settings_json(fields);
  request.sampling = std::move(fields.sampling);
  request.max_tokens = fields.max_tokens;
  request.stop = std::move(fields.stop);
  request.stop_tokens = std::move(fields.stop_tokens);
  request.min_tokens = fields.min_tokens;
  request.ignore_end = fields.ignore_end;
  request.show_special = fields.show_special;
  request.lines = read_line_limits(body);
  const int64_t n_probs = body.integer("n_probs", 0, 0, limits::kMaxLogprobs);
  if (n_probs > 0) request.n_logprobs = static_cast<int>(n_probs);
  request.cache_salt = cache_salt(http, body);
  c.n_choices = body.integer("n_cmpl", 1, 1, limits::kMaxChoices);

  c.format.model = c.model->entry().name;
  c.format.stream = body.boolean("stream", false);
  c.format.logprobs = n_probs > 0;
  c.format.return_tokens = body.boolean("return_tokens", false);
  c.format.timings_per_token = body.boolean("timings_per_token", false);
  c.format.response_fields = body.texts("response_fields", limits::kMaxResponseFields);
  c.format.is_end = end_test(*c.model);
  c.format.seconds = seconds_now;
  c.format.settings["stream"] = c.format.stream;
  c.format.settings["n_probs"] = n_probs;
  c.format.settings["grammar"] = body.has("grammar") ? body.text("grammar") : "";
  c.format.settings["timings_per_token"] = c.format.timings_per_token;
  c.format.settings["n_indent"] = request.lines.min_indent;
  c.format.settings["t_max_predict_ms"] = request.lines.max_time.count();
  return c;
}

// `requests` hold one prompt each, `texts` say what they are.
std::unique_ptr<PreparedAnswer> answer(Completion c, std::vector<TextRequest> prompts, std::vector<std::string> texts) {
  std::vector<TextRequest> requests;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto prompt_tokens = static_cast<int64_t>(c.model->responder().prompt(prompts[i]).size());
    // Before it is there once for each choice.
    const int64_t room = c.model->engine().max_prompt();
    if (prompt_tokens > room) refuse_long_prompt("prompt", prompt_tokens, room);
    for (int64_t n = 0; n < c.n_choices; ++n) {
      TextRequest request = prompts[i];
      request.sampling.seed = choice_seed(request.sampling.seed, static_cast<int>(n));
      requests.push_back(std::move(request));
      c.format.choices.push_back({.prompt = texts[i], .prompt_tokens = prompt_tokens});
    }
  }
  c.format.is_array = requests.size() > 1;
  AnswerPlan plan{.model = std::move(c.model), .stream = c.format.stream, .prompt_field = "prompt"};
  plan.format = std::make_unique<LlamaFormat>(std::move(c.format));
  auto prepared = prepare_answers(std::move(plan), std::move(requests));
  add_unused(*prepared, c.unused);
  return prepared;
}

}  // namespace

Outcome llama_completion(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  Completion c = read_completion(http, body, services);
  const Tokenizer& tokenizer = c.model->engine().tokenizer();
  std::vector<TextRequest> requests;
  std::vector<std::string> texts;
  for (LlamaPrompt& prompt : read_llama_prompts(body, "prompt", tokenizer)) {
    texts.push_back(std::move(prompt.text));
    requests.push_back(c.request);
    requests.back().prompt = std::move(prompt.tokens);
  }
  if (requests.size() * static_cast<std::size_t>(c.n_choices) > static_cast<std::size_t>(limits::kMaxChoices)) {
    body.refuse("prompt", fmt::format("has {} prompts with {} answers each, allowed are {} answers", requests.size(), c.n_choices, limits::kMaxChoices));
  }
  return answer(std::move(c), std::move(requests), std::move(texts));
}

Outcome llama_infill(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  Completion c = read_completion(http, body, services);
  if (!c.model->responder().capabilities().insert) {
    throw Error(ErrorCode::kUnsupported, "this model does not support infill: its vocabulary has no tokens for it", "POST /completion goes on from a text");
  }
  std::string before = read_infill_files(body) + body.required_text("input_prefix");
  before += body.text("prompt");  // what has been typed since
  c.request.suffix = body.required_text("input_suffix");
  c.request.prompt = before;
  std::vector<TextRequest> requests = {c.request};
  return answer(std::move(c), std::move(requests), {std::move(before)});
}

}  // namespace minnow
