#include "serve/llama_prompts.h"

#include <algorithm>

#include "base/limits.h"

namespace minnow {
namespace {

// A prompt is one array when all of it is numbers, or numbers and texts; texts alone are as many prompts.
bool is_one_prompt(const OrderedJson& value) {
  if (!value.is_array()) return true;
  const bool is_flat = std::all_of(value.begin(), value.end(), [](const OrderedJson& item) { return item.is_number() || item.is_string(); });
  return is_flat && std::any_of(value.begin(), value.end(), [](const OrderedJson& item) { return item.is_number(); });
}

LlamaPrompt read_prompt(const OrderedJson& value, const std::string& path, const Tokenizer& tokenizer) {
  if (value.is_object()) {
    const RequestFields fields(value, path);
    if (!fields.array("multimodal_data", limits::kMaxContentParts).empty()) fields.refuse("multimodal_data", "is not supported: models here read text only");
    return read_prompt(fields.required("prompt_string"), fields.path("prompt_string"), tokenizer);
  }
  LlamaPrompt prompt{.text = {}, .tokens = read_mixed_tokens(value, path, tokenizer, {.add_special = true, .parse_special = true})};
  prompt.text = value.is_string() ? value.get<std::string>() : tokenizer.decode(prompt.tokens, true);
  return prompt;
}

void check_ids(const std::vector<TokenId>& ids, const std::string& path, const Tokenizer& tokenizer) {
  const auto bad = std::find_if_not(ids.begin(), ids.end(), [&](TokenId id) { return tokenizer.is_valid(id); });
  if (bad == ids.end()) return;
  throw RequestError(path, fmt::format("{}: the vocabulary has no token {}, only 0 to {}", path, *bad, tokenizer.n_vocab() - 1));
}

}  // namespace

std::vector<TokenId> read_mixed_tokens(const OrderedJson& value, const std::string& path, const Tokenizer& tokenizer, EncodeOptions options) {
  if (value.is_string()) return tokenizer.encode(value.get<std::string>(), options);
  if (!value.is_array()) throw RequestError(path, fmt::format("{}: must be a string or an array of token ids and strings, is {}", path, json_type_name(value)));
  if (value.size() > limits::kMaxPromptTokens) throw RequestError(path, fmt::format("{}: has {} items, allowed: {}", path, value.size(), limits::kMaxPromptTokens));
  std::vector<TokenId> tokens;
  std::size_t index = 0;
  for (const OrderedJson& item : value) {
    const std::string place = element_path(path, index);
    if (index++ > 0) options = {.add_special = false, .parse_special = options.parse_special, .continues = true};
    if (!item.is_string() && !item.is_number()) throw RequestError(place, fmt::format("{}: must be a token id or a string, is {}", place, json_type_name(item)));
    const std::vector<TokenId> more =
        item.is_string() ? tokenizer.encode(item.get<std::string>(), options) : read_token_ids(OrderedJson::array({item}), place, 1);
    tokens.insert(tokens.end(), more.begin(), more.end());
  }
  check_ids(tokens, path, tokenizer);
  return tokens;
}

std::vector<LlamaPrompt> read_llama_prompts(const RequestFields& body, std::string_view name, const Tokenizer& tokenizer) {
  const OrderedJson& value = body.required(name);
  const std::string path = body.path(name);
  std::vector<LlamaPrompt> prompts;
  if (is_one_prompt(value)) {
    prompts.push_back(read_prompt(value, path, tokenizer));
  } else {
    for (const OrderedJson& item : body.array(name, static_cast<std::size_t>(limits::kMaxChoices))) {
      prompts.push_back(read_prompt(item, element_path(path, prompts.size()), tokenizer));
    }
  }
  if (prompts.empty()) body.refuse(name, "must not be empty");
  for (const LlamaPrompt& prompt : prompts) {
    if (prompt.tokens.empty()) body.refuse(name, "must not be empty: there is nothing to go on from");
  }
  return prompts;
}

std::string read_infill_files(const RequestFields& body) {
  std::string text;
  std::size_t index = 0;
  for (const OrderedJson& item : body.array("input_extra", limits::kMaxContentParts)) {
    const RequestFields file(item, element_path(body.path("input_extra"), index++));
    text += fmt::format("--- {} ---\n\n{}\n\n", file.text("filename", "tmp"), file.required_text("text"));
  }
  return text;
}

}  // namespace minnow
