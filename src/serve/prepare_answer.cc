#include "serve/prepare_answer.h"

#include <algorithm>

#include "base/limits.h"
#include "serve/openai_objects.h"
#include "serve/sampling_fields.h"

namespace minnow {
namespace {

std::unique_ptr<ChatAnswer> start_one(Responder& responder, const ChatRequest& request) { return responder.respond(request); }
std::unique_ptr<ChatAnswer> start_one(Responder& responder, const TextRequest& request) { return responder.complete(request); }

template <typename Request>
std::unique_ptr<ChatAnswer> start_or_explain(LoadedModel& model, const Request& request, const std::string& field) {
  try {
    return start_one(model.responder(), request);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kLimit) throw;
    // Whether it is the prompt that is too long, or something else that is limited.
    const auto n_tokens = static_cast<int64_t>(model.responder().prompt(request).size());
    const int64_t room = model.engine().max_prompt();
    if (n_tokens > room) refuse_long_prompt(field, n_tokens, room);
    throw;
  }
}

template <typename Request>
std::unique_ptr<PreparedAnswer> prepare(AnswerPlan plan, std::size_t n, std::function<Request(std::size_t)> make) {
  auto prepared = std::make_unique<PreparedAnswer>();
  prepared->model = std::move(plan.model);
  prepared->format = std::move(plan.format);
  prepared->stream = plan.stream;
  prepared->start = [answer = prepared.get(), n, make = std::move(make), field = std::move(plan.prompt_field)](
                        const std::function<void()>& on_event) mutable {
    for (std::size_t i = 0; i < n; ++i) {
      Request request = make(i);
      request.on_event = on_event;
      request.max_unread_bytes = max_unread_bytes(answer->stream, n);
      answer->max_tokens = std::max(answer->max_tokens, request.max_tokens);
      answer->answers.push_back(start_or_explain(*answer->model, request, field));
    }
    make = nullptr;  // an answer may take long, and needs none of it
  };
  return prepared;
}

template <typename Request>
std::unique_ptr<PreparedAnswer> prepare_all(AnswerPlan plan, std::vector<Request> requests) {
  const std::size_t n = requests.size();
  return prepare<Request>(std::move(plan), n, [requests = std::move(requests)](std::size_t i) { return requests[i]; });
}

}  // namespace

std::unique_ptr<PreparedAnswer> prepare_answers(AnswerPlan plan, std::vector<ChatRequest> requests) {
  return prepare_all(std::move(plan), std::move(requests));
}

std::unique_ptr<PreparedAnswer> prepare_answers(AnswerPlan plan, std::vector<TextRequest> requests) {
  return prepare_all(std::move(plan), std::move(requests));
}

std::unique_ptr<PreparedAnswer> prepare_choices(AnswerPlan plan, std::size_t n, std::function<ChatRequest(std::size_t)> request) {
  return prepare(std::move(plan), n, std::move(request));
}

std::unique_ptr<PreparedAnswer> prepare_choices(AnswerPlan plan, std::size_t n, std::function<TextRequest(std::size_t)> request) {
  return prepare(std::move(plan), n, std::move(request));
}

std::size_t max_unread_bytes(bool stream, std::size_t n_choices) {
  return stream ? std::max<std::size_t>(1, limits::kMaxUnreadAnswerBytes / n_choices) : 0;
}

ChatRequest choice_of(const ChatRequest& request, std::size_t index) {
  ChatRequest choice = request;
  choice.sampling.seed = choice_seed(request.sampling.seed, static_cast<int>(index));
  return choice;
}

void add_unused(PreparedAnswer& answer, const std::vector<std::string>& names) {
  if (!names.empty()) answer.headers.emplace_back(kUnusedOptionsHeader, unused_options_text(names));
}

std::string cache_salt(const HttpRequest& request, std::string_view own) {
  std::string salt = request.caller.tenant;
  if (own.empty()) return salt;
  salt += '\0';
  salt += own;
  return salt;
}

std::string cache_salt(const HttpRequest& request, const RequestFields& body) {
  const std::string own = body.text("cache_salt");
  const bool use_cache = body.boolean("cache_prompt", true);
  return cache_salt(request, use_cache ? own : random_id(""));  // one that nobody else has
}

std::string answer_id(const RequestFields& body, std::string_view prefix) {
  const std::string own = body.text("request_id");
  if (own.size() > limits::kMaxRequestIdBytes) {
    body.refuse("request_id", fmt::format("has {} bytes, allowed: {}", own.size(), limits::kMaxRequestIdBytes));
  }
  return own.empty() ? random_id(prefix) : std::string(prefix) + own;
}

std::function<bool(TokenId)> end_test(LoadedModel& model) {
  if (!model.engine().has_tokenizer()) return {};
  return [tokenizer = &model.engine().tokenizer()](TokenId id) { return tokenizer->is_end_of_generation(id); };
}

void refuse_long_prompt(const std::string& field, int64_t n_tokens, int64_t max_tokens) {
  throw RequestError(field,
                     fmt::format("{}: the prompt has {} tokens, but the context of this model holds {}", field, n_tokens, max_tokens),
                     "shorten it, or serve the model with a larger context", "context_length_exceeded");
}

}  // namespace minnow
