// POST /tokenize and /detokenize. llama-server and vLLM have routes of these names with bodies of their own: "content" is the former's
// text, "prompt" and "messages" are the latter's.
#include "base/limits.h"
#include "base/utf8.h"
#include "serve/llama_prompts.h"
#include "serve/llama_routes.h"
#include "serve/openai_chat_request.h"
#include "serve/openai_objects.h"
#include "serve/services.h"

namespace minnow {
namespace {

// Of any model: those that make no text have one as well.
const Tokenizer& tokenizer_of(LoadedModel& model) {
  return model.model().config.makes_text() ? model.engine().tokenizer() : model.embedder().engine().tokenizer();
}

// Bytes where it is a part of a character.
OrderedJson piece_json(const std::string& piece) {
  if (is_valid_utf8(piece)) return piece;
  OrderedJson bytes = OrderedJson::array();
  for (const char c : piece) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

std::string id_json(TokenId id) { return std::to_string(id); }

// Appends an array of what `json_of` says of each token of a field. Answers are written as text: documents of JSON would take many
// times their size.
template <typename JsonOf>
void append_array(std::string& answer, std::string_view field, const std::vector<TokenId>& tokens, JsonOf&& json_of) {
  const char* separator = "[";
  for (const TokenId id : tokens) {
    answer += separator;
    answer += json_of(id);
    separator = ",";
    if (answer.size() <= limits::kMaxTokenizeBytes) continue;
    throw RequestError(std::string(field), fmt::format("{}: its tokens make an answer of more than {} bytes", field, limits::kMaxTokenizeBytes),
                       "send it in parts");
  }
  answer += tokens.empty() ? "[]" : "]";
}

std::string tokenize(const RequestFields& body, const Tokenizer& tokenizer) {
  const EncodeOptions options{.add_special = body.boolean("add_special", false), .parse_special = body.boolean("parse_special", true)};
  const bool with_pieces = body.boolean("with_pieces", false);
  const std::vector<TokenId> tokens = read_mixed_tokens(body.required("content"), body.path("content"), tokenizer, options);
  const auto with_piece = [&](TokenId id) { return json_text({{"id", id}, {"piece", piece_json(tokenizer.piece(id, true))}}); };
  std::string answer = R"({"tokens":)";
  if (with_pieces) {
    append_array(answer, "content", tokens, with_piece);
  } else {
    append_array(answer, "content", tokens, id_json);
  }
  answer += '}';
  return answer;
}

std::vector<TokenId> vllm_tokens(const RequestFields& body, LoadedModel& model) {
  if (body.has("prompt")) {
    const bool special = body.boolean("add_special_tokens", true);
    return tokenizer_of(model).encode(body.required_text("prompt"), {.add_special = special, .parse_special = true});
  }
  const ModelFacts facts{.sampling = {}, .can = model.responder().capabilities()};
  return model.responder().prompt(read_chat(body, facts).request);
}

std::string vllm_tokenize(const RequestFields& body, LoadedModel& model) {
  const std::vector<TokenId> tokens = vllm_tokens(body, model);
  const std::string_view field = body.has("prompt") ? "prompt" : "messages";
  std::string answer = fmt::format(R"({{"count":{},"max_model_len":{},"tokens":)", tokens.size(), model.n_ctx());
  append_array(answer, field, tokens, id_json);
  answer += R"(,"token_strs":)";
  if (body.boolean("return_token_strs", false)) {
    append_array(answer, field, tokens, [&](TokenId id) { return json_text(to_valid_utf8(tokenizer_of(model).piece(id, true))); });
  } else {
    answer += "null";
  }
  answer += '}';
  return answer;
}

}  // namespace

Outcome llama_tokenize(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  if (!body.has("content") && !body.has("prompt") && !body.has("messages")) body.refuse("content", "is required");
  const ModelLease model = model_for(http, body.text("model"), services);
  return HttpResponse{.body = body.has("content") ? tokenize(body, tokenizer_of(*model)) : vllm_tokenize(body, *model), .model = model->entry().name};
}

Outcome llama_detokenize(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_body(http);
  const RequestFields body(json);
  body.required("tokens");
  const std::vector<TokenId> tokens = body.token_ids("tokens", limits::kMaxPromptTokens);
  const ModelLease model = model_for(http, body.text("model"), services);
  const Tokenizer& tokenizer = tokenizer_of(*model);
  std::size_t n_bytes = 0;
  for (const TokenId id : tokens) {
    if (!tokenizer.is_valid(id)) body.refuse("tokens", fmt::format("the vocabulary has no token {}, only 0 to {}", id, tokenizer.n_vocab() - 1));
    n_bytes += tokenizer.piece(id, true).size();
  }
  // Nobody could send it back.
  if (n_bytes > limits::kMaxBodyBytes) body.refuse("tokens", fmt::format("their text has more than {} bytes", limits::kMaxBodyBytes), "send them in parts");
  const std::string text = json_text(tokenizer.decode(tokens, true));
  return HttpResponse{.body = fmt::format(R"({{"content":{},"prompt":{}}})", text, text), .model = model->entry().name};
}

}  // namespace minnow
