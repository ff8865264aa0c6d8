// The small JSON files beside a vocabulary: which tokens are special, which begin and end a text, the chat
// template.
#include <algorithm>
#include <charconv>
#include <limits>

#include "base/error.h"
#include "base/json.h"
#include "formats/quote_name.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_pre.h"
#include "formats/tokenizer_vocabulary.h"

namespace minnow {
namespace {

constexpr int64_t kMaxId = std::numeric_limits<TokenId>::max();

struct SideFile {
  Json json;
  std::string source;

  JsonFields fields() const { return {json, source}; }
};

SideFile parse_side_file(const std::optional<std::string>& text, const TokenizerSpec& spec,
                         const char* name) {
  const std::string source = spec.source + ": " + name;
  if (!text) return {Json::object(), source};
  SideFile file{parse_json(*text, source), source};
  if (!file.json.is_object()) fail(ErrorCode::kInvalidInput, "{}: not a JSON object", source);
  return file;
}

int64_t id_from_key(const std::string& key, const std::string& source) {
  int64_t id = -1;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  if (error != std::errc() || end != key.data() + key.size() || id < 0 || id > kMaxId) {
    fail(ErrorCode::kInvalidInput, "{}: added_tokens_decoder has a key that is not a token id", source);
  }
  return id;
}

void add_listed_tokens(TokenizerSpec& spec, const SideFile& config, const SideFile& added_tokens) {
  std::vector<AddedToken> added;
  for (const auto& [text, id] : added_tokens.json.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > static_cast<uint64_t>(kMaxId)) {
      fail(ErrorCode::kInvalidInput, "{}: every value must be a token id", added_tokens.source);
    }
    added.push_back({.id = id.get<int64_t>(), .text = text, .special = false});
  }
  if (config.fields().has("added_tokens_decoder")) {
    for (const auto& [key, item] : config.json.at("added_tokens_decoder").items()) {
      const JsonFields fields{item, config.source};
      added.push_back({.id = id_from_key(key, config.source),
                       .text = fields.text("content", ""),
                       .special = fields.boolean("special", false),
                       .lstrip = fields.boolean("lstrip", false),
                       .rstrip = fields.boolean("rstrip", false),
                       .single_word = fields.boolean("single_word", false),
                       .normalized = fields.boolean("normalized", !fields.boolean("special", false))});
    }
  }
  add_tokens(spec, added);
}

// A token given as "<s>" or {"content": "<s>", …}; nullopt when the key is absent or null.
std::optional<std::string> token_text(const SideFile& file, const char* key) {
  if (!file.fields().has(key)) return std::nullopt;
  const Json& value = file.json.at(key);
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object())
    fail(ErrorCode::kInvalidInput, "{}: {} must be a string or an object", file.source, key);
  return JsonFields{value, file.source}.text("content", "");
}

void set_named_tokens(TokenizerSpec& spec, const SideFile& file) {
  static constexpr std::pair<const char*, TokenId TokenizerSpec::*> kNamed[] = {
      {"bos_token", &TokenizerSpec::bos},
      {"eos_token", &TokenizerSpec::eos},
      {"pad_token", &TokenizerSpec::pad},
      {"unk_token", &TokenizerSpec::unk}};
  for (const auto& [key, token] : kNamed) {
    const std::optional<std::string> text = token_text(file, key);
    if (!text) continue;
    const TokenId id = find_token(spec, *text);
    if (id == kNoToken) continue;  // named, but the model has no such token
    spec.*token = id;
    TokenEntry& entry = spec.tokens[static_cast<std::size_t>(id)];
    if (entry.type == TokenType::kNormal) entry.type = TokenType::kControl;
  }
}

void set_generation_ids(TokenizerSpec& spec, const SideFile& generation) {
  const auto checked = [&](const Json& value) {
    if (!value.is_number_integer() || value.get<int64_t>() < 0 ||
        value.get<int64_t>() >= static_cast<int64_t>(spec.tokens.size())) {
      fail(ErrorCode::kInvalidInput, "{}: a token id is not one of the {} tokens", generation.source,
           spec.tokens.size());
    }
    return value.get<TokenId>();
  };
  if (generation.fields().has("eos_token_id")) {
    const Json& value = generation.json.at("eos_token_id");
    for (const Json& item : value.is_array() ? value : Json::array({value})) {
      const TokenId id = checked(item);
      if (spec.eos == kNoToken) spec.eos = id;
      if (id != spec.eos && std::ranges::find(spec.extra_eog, id) == spec.extra_eog.end())
        spec.extra_eog.push_back(id);
    }
  }
  if (spec.bos == kNoToken && generation.fields().has("bos_token_id")) {
    spec.bos = checked(generation.json.at("bos_token_id"));
  }
}

struct Templates {
  std::string chat, tools;  // empty when there is none
};

// A string, or a list of {"name", "template"} of which "default" (else the first) is the one for chats.
Templates templates_of(const SideFile& config) {
  if (!config.fields().has("chat_template")) return {};
  const Json& value = config.json.at("chat_template");
  if (!value.is_array()) return {.chat = config.fields().text("chat_template", ""), .tools = {}};
  Templates result;
  for (const Json& item : value) {
    if (!item.is_object())
      fail(ErrorCode::kInvalidInput, "{}: chat_template must list objects", config.source);
    const JsonFields fields{item, config.source};
    const std::string name = fields.text("name", "");
    if (result.chat.empty() || name == "default") result.chat = fields.text("template", "");
    if (name == "tool_use") result.tools = fields.text("template", "");
  }
  return result;
}

// Templates in files of their own replace those of tokenizer_config.json.
void set_templates(TokenizerSpec& spec, const TokenizerSideFiles& files, const SideFile& config) {
  const Templates listed = files.chat_template ? Templates{.chat = *files.chat_template, .tools = {}} : templates_of(config);
  if (files.chat_template || !listed.chat.empty()) spec.chat_template = listed.chat;
  spec.tool_template = files.tool_template.value_or(listed.tools);
}

// Without a tokenizer.json only the class of the tokenizer tells how it splits.
void apply_tokenizer_class(TokenizerSpec& spec, const SideFile& config) {
  if (spec.kind == TokenizerKind::kWordPiece) {
    const bool lower = config.fields().boolean("do_lower_case", true);
    for (NormalizerStep& step : spec.normalizers) step.lowercase = step.strip_accents = lower;
    return;
  }
  const std::string name = config.fields().text("tokenizer_class", "GPT2Tokenizer");
  if (name.starts_with("Qwen2Tokenizer")) {
    spec.pre = "qwen2";
    spec.normalizers = {{.kind = NormalizerStep::Kind::kNfc}};
  } else if (!name.starts_with("GPT2Tokenizer") && !name.starts_with("CodeGenTokenizer")) {
    throw Error(
        ErrorCode::kUnsupported,
        fmt::format("{}: tokenizer_class {} is not known to use vocab.json", config.source, quote_name(name)),
        "convert the folder so that it has a tokenizer.json");
  }
}

}  // namespace

void apply_tokenizer_side_files(TokenizerSpec& spec, const TokenizerSideFiles& files) {
  const SideFile config = parse_side_file(files.tokenizer_config, spec, "tokenizer_config.json");
  const SideFile special = parse_side_file(files.special_tokens_map, spec, "special_tokens_map.json");
  const SideFile added = parse_side_file(files.added_tokens, spec, "added_tokens.json");
  const SideFile generation = parse_side_file(files.generation_config, spec, "generation_config.json");
  add_listed_tokens(spec, config, added);
  set_named_tokens(spec, special);
  set_named_tokens(spec, config);
  set_generation_ids(spec, generation);
  spec.add_bos = config.fields().boolean("add_bos_token", spec.add_bos);
  spec.add_eos = config.fields().boolean("add_eos_token", spec.add_eos);
  if (files.split_by_class) apply_tokenizer_class(spec, config);
  set_templates(spec, files, config);
}

}  // namespace minnow
