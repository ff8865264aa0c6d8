// From requests to a model to an answer that is about to be given.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "respond/responder.h"
#include "serve/answer_format.h"
#include "serve/fields.h"
#include "serve/http_types.h"

namespace minnow {

struct AnswerPlan {
  ModelLease model;
  std::unique_ptr<AnswerFormat> format;
  bool stream = false;
  std::string prompt_field = "messages";  // that errors name when the prompt is too long
};

// One answer for each request, in order; they are submitted by PreparedAnswer::start. A prompt that does not fit the context is
// RequestError with OpenAI's code "context_length_exceeded", and both numbers.
std::unique_ptr<PreparedAnswer> prepare_answers(AnswerPlan plan, std::vector<ChatRequest> requests);
std::unique_ptr<PreparedAnswer> prepare_answers(AnswerPlan plan, std::vector<TextRequest> requests);

// The same for `n` choices. Each request is made when its turn comes: a large one times n would be too much to hold, and the first
// may be refused.
std::unique_ptr<PreparedAnswer> prepare_choices(AnswerPlan plan, std::size_t n, std::function<ChatRequest(std::size_t)> request);
std::unique_ptr<PreparedAnswer> prepare_choices(AnswerPlan plan, std::size_t n, std::function<TextRequest(std::size_t)> request);

// The request for choice number `index`, with a seed of its own.
ChatRequest choice_of(const ChatRequest& request, std::size_t index);

// As in GenerateRequest, for each choice. A whole answer is taken as it is made, whether its client reads or not.
std::size_t max_unread_bytes(bool stream, std::size_t n_choices);

// Names what had no effect in the header for it, if anything.
void add_unused(PreparedAnswer& answer, const std::vector<std::string>& names);

// The tenant's part of the prefix cache, and within it the client's own salt.
std::string cache_salt(const HttpRequest& request, std::string_view own);
// The same of a body, with vLLM's "cache_salt" and llama-server's "cache_prompt": where that is false, nothing of the prompt is found in
// the cache. Throws RequestError for other types.
std::string cache_salt(const HttpRequest& request, const RequestFields& body);

// The id of an answer: vLLM's "request_id" behind the prefix where there is one, else random_id. Throws RequestError for one that is too long.
std::string answer_id(const RequestFields& body, std::string_view prefix);

// Whether a token ends texts of this model. Empty when it has no tokenizer.
std::function<bool(TokenId)> end_test(LoadedModel& model);

[[noreturn]] void refuse_long_prompt(const std::string& field, int64_t n_tokens, int64_t max_tokens);

}  // namespace minnow
