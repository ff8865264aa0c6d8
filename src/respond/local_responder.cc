#include "base/error.h"
#include "respond/responder.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

const std::string& template_of(Engine& engine, const std::string& override_text) {
  if (!override_text.empty()) return override_text;
  const std::string& own = engine.tokenizer().spec().chat_template;
  if (own.empty()) {
    throw Error(ErrorCode::kNotFound, "this model has no chat template", "use --raw to continue plain text, or --template FILE");
  }
  return own;
}

std::string token_text(const Tokenizer& tokenizer, TokenId id) {
  return tokenizer.is_valid(id) ? tokenizer.piece(id, /*show_special=*/true) : std::string();
}

}  // namespace

LocalResponder::LocalResponder(Engine& engine, const std::string& template_override)
    : engine_(engine), template_(template_of(engine, template_override)) {}

std::vector<TokenId> LocalResponder::prompt(const ChatRequest& request) const {
  const Tokenizer& tokenizer = engine_.tokenizer();
  ChatTemplateInput input;
  input.messages = request.messages;
  input.tools = request.tools;
  input.extra = request.template_variables;
  input.bos_token = token_text(tokenizer, tokenizer.spec().bos);
  input.eos_token = token_text(tokenizer, tokenizer.spec().eos);
  const std::string text = template_.render(input);
  // Templates write BOS themselves, or leave it to the tokenizer: never two.
  const bool has_bos = !input.bos_token.empty() && text.starts_with(input.bos_token);
  return tokenizer.encode(text, {.add_special = !has_bos, .parse_special = true});
}

std::unique_ptr<Generation> LocalResponder::respond(ChatRequest request) {
  GenerateRequest generate;
  generate.prompt = prompt(request);
  generate.sampling = std::move(request.sampling);
  generate.max_tokens = request.max_tokens;
  generate.stop = std::move(request.stop);
  return engine_.submit(std::move(generate));
}

}  // namespace minnow
