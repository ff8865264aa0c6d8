#include "base/error.h"
#include "respond/responder.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

// Stands around text of a message that spells a control token, so that it stays text. U+FDD0 is a noncharacter: no
// honest text holds one.
constexpr std::string_view kGuard = "\uFDD0";

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

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// Puts guards around every spelling of a control token in the strings of a message.
void guard_strings(OrderedJson& value, const std::vector<std::string>& controls) {
  if (value.is_string()) {
    auto text = value.get<std::string>();
    replace_all(text, kGuard, "");
    for (const std::string& control : controls) {
      if (text.find(control) != std::string::npos) replace_all(text, control, fmt::format("{}{}{}", kGuard, control, kGuard));
    }
    value = text;
  } else if (value.is_structured()) {
    for (auto& item : value.items()) {
      if (item.key() != "role") guard_strings(item.value(), controls);
    }
  }
}

std::vector<std::string> control_texts(const Tokenizer& tokenizer) {
  std::vector<std::string> texts;
  for (TokenId id = 0; id < tokenizer.n_vocab(); ++id) {
    const TokenEntry& token = tokenizer.spec().tokens[static_cast<std::size_t>(id)];
    if (token.type == TokenType::kControl && token.text.size() > 1) texts.push_back(token.text);
  }
  return texts;
}

}  // namespace

LocalResponder::LocalResponder(Engine& engine, const std::string& template_override)
    : engine_(engine),
      template_(template_of(engine, template_override)),
      format_(output_format_for_template(template_of(engine, template_override))),
      controls_(control_texts(engine.tokenizer())) {}

std::string LocalResponder::render(const ChatRequest& request) const {
  const Tokenizer& tokenizer = engine_.tokenizer();
  ChatTemplateInput input;
  input.messages = request.messages;
  guard_strings(input.messages, controls_);
  input.tools = request.tools;
  input.extra = request.template_variables;
  input.bos_token = token_text(tokenizer, tokenizer.spec().bos);
  input.eos_token = token_text(tokenizer, tokenizer.spec().eos);
  return template_.render(input);
}

std::vector<TokenId> LocalResponder::encode(const std::string& text) const {
  const Tokenizer& tokenizer = engine_.tokenizer();
  const std::string bos = token_text(tokenizer, tokenizer.spec().bos);
  // Between guards: a message's own words, plain text. All else is the template's.
  std::vector<TokenId> tokens;
  bool guarded = false;
  for (std::size_t begin = 0; begin <= text.size(); guarded = !guarded) {
    const std::size_t end = std::min(text.find(kGuard, begin), text.size());
    const std::string_view part = std::string_view(text).substr(begin, end - begin);
    // Templates write BOS themselves, or leave it to the tokenizer: never two.
    const bool wants_bos = begin == 0 && (bos.empty() || !part.starts_with(bos));
    const auto ids = tokenizer.encode(part, {.add_special = wants_bos, .parse_special = !guarded, .continues = begin > 0});
    tokens.insert(tokens.end(), ids.begin(), ids.end());
    begin = end + kGuard.size();
  }
  return tokens;
}

std::vector<TokenId> LocalResponder::prompt(const ChatRequest& request) const { return encode(render(request)); }

std::unique_ptr<ChatAnswer> LocalResponder::respond(ChatRequest request) {
  const std::string rendered = render(request);
  GenerateRequest generate;
  generate.prompt = encode(rendered);
  generate.show_special = true;  // the marks of calls are control tokens in most families
  generate.sampling = std::move(request.sampling);
  generate.max_tokens = request.max_tokens;
  generate.stop = std::move(request.stop);
  ChatOutputOptions options;
  options.calls = request.tools.is_array() && !request.tools.empty();
  options.tools = std::move(request.tools);
  options.prompt = rendered;
  return std::make_unique<ChatAnswer>(engine_.submit(std::move(generate)), ChatOutputParser(format_, options));
}

}  // namespace minnow
