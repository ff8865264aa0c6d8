#include "formats/tokenizer_gguf.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/limits.h"
#include "formats/quote_name.h"
#include "formats/tokenizer_pre.h"
#include "formats/tokenizer_vocabulary.h"

namespace minnow {
namespace {

constexpr const char* kModel = "tokenizer.ggml.model";
constexpr const char* kPre = "tokenizer.ggml.pre";
constexpr const char* kTokens = "tokenizer.ggml.tokens";
constexpr const char* kScores = "tokenizer.ggml.scores";
constexpr const char* kTypes = "tokenizer.ggml.token_type";
constexpr const char* kMerges = "tokenizer.ggml.merges";
constexpr const char* kAddBos = "tokenizer.ggml.add_bos_token";
constexpr const char* kAddEos = "tokenizer.ggml.add_eos_token";
constexpr const char* kAddSpacePrefix = "tokenizer.ggml.add_space_prefix";
constexpr const char* kRemoveExtraWhitespaces = "tokenizer.ggml.remove_extra_whitespaces";
constexpr const char* kEosIds = "tokenizer.ggml.eos_token_ids";
constexpr const char* kEomId = "tokenizer.ggml.eom_token_id";
constexpr const char* kChatTemplate = "tokenizer.chat_template";

struct IdKey {
  const char* key;
  TokenId TokenizerSpec::*member;
};
constexpr IdKey kIdKeys[] = {
    {"tokenizer.ggml.bos_token_id", &TokenizerSpec::bos},
    {"tokenizer.ggml.eos_token_id", &TokenizerSpec::eos},
    {"tokenizer.ggml.unknown_token_id", &TokenizerSpec::unk},
    {"tokenizer.ggml.padding_token_id", &TokenizerSpec::pad},
    {"tokenizer.ggml.eot_token_id", &TokenizerSpec::eot},
};

TokenizerKind read_kind(const GgufMetadata& metadata) {
  const std::string model = metadata.require_text(kModel);
  if (model == "llama") return TokenizerKind::kSpmBpe;
  if (model == "gpt2") return TokenizerKind::kByteBpe;
  fail(ErrorCode::kUnsupported, "{}: tokenizer model {} is not supported (only llama and gpt2 are)",
       metadata.source(), quote_name(model));
}

void check_length(const GgufMetadata& metadata, const char* key, std::size_t length, std::size_t n_tokens) {
  if (length != n_tokens) {
    fail(ErrorCode::kInvalidInput, "{}: {} has {} entries but there are {} tokens", metadata.source(), key,
         length, n_tokens);
  }
}

void read_tokens(const GgufMetadata& metadata, TokenizerSpec& spec) {
  const std::vector<std::string>* texts = metadata.strings(kTokens);
  if (texts == nullptr || texts->empty()) {
    fail(ErrorCode::kInvalidInput, "{}: metadata key {} is missing or empty", metadata.source(), kTokens);
  }
  const std::size_t n = texts->size();
  if (n > limits::kMaxVocab) fail(ErrorCode::kLimit, "{}: {} tokens are too many", metadata.source(), n);
  spec.tokens.resize(n);
  for (std::size_t i = 0; i < n; ++i) spec.tokens[i].text = (*texts)[i];

  const std::vector<float>* scores = spec.kind == TokenizerKind::kSpmBpe ? metadata.floats(kScores) : nullptr;
  if (scores != nullptr) {
    check_length(metadata, kScores, scores->size(), n);
    for (std::size_t i = 0; i < n; ++i) {
      if (!std::isfinite((*scores)[i])) {
        fail(ErrorCode::kInvalidInput, "{}: {}: entry {} is not a finite number", metadata.source(), kScores,
             i);
      }
      spec.tokens[i].score = (*scores)[i];
    }
  } else if (spec.kind == TokenizerKind::kSpmBpe) {
    fail(ErrorCode::kInvalidInput, "{}: metadata key {} is missing", metadata.source(), kScores);
  }
  if (!metadata.has(kTypes)) return;
  const std::vector<int64_t> types = metadata.integers(kTypes, 0, 6);
  check_length(metadata, kTypes, types.size(), n);
  for (std::size_t i = 0; i < n; ++i) {
    // 0 is "undefined", written by early converters.
    spec.tokens[i].type = types[i] == 0 ? TokenType::kNormal : static_cast<TokenType>(types[i]);
  }
}

// Absent and the all-ones id that some converters write both mean "none".
TokenId read_id(const GgufMetadata& metadata, const char* key, std::size_t n_tokens) {
  const GgufValue* value = metadata.find(key);
  if (value == nullptr) return kNoToken;
  if (const auto* i = std::get_if<int32_t>(value); i != nullptr && *i == -1) return kNoToken;
  const uint64_t id = metadata.require_integer(key, 0, UINT32_MAX);
  if (id == UINT32_MAX) return kNoToken;
  if (id >= n_tokens) {
    fail(ErrorCode::kInvalidInput, "{}: {} is {} but there are only {} tokens", metadata.source(), key, id,
         n_tokens);
  }
  return static_cast<TokenId>(id);
}

void add_end_of_generation(TokenizerSpec& spec, TokenId id) {
  if (id == kNoToken || id == spec.eos || id == spec.eot) return;
  if (std::ranges::find(spec.extra_eog, id) == spec.extra_eog.end()) spec.extra_eog.push_back(id);
}

// Phi-3's control tokens swallow the white space that its template puts after them; GGUF has no field for
// that.
void apply_phi3_strip(const GgufMetadata& metadata, TokenizerSpec& spec) {
  if (spec.kind != TokenizerKind::kSpmBpe || metadata.text("general.architecture", "") != "phi3") return;
  for (TokenEntry& token : spec.tokens) {
    if (token.type == TokenType::kControl && token.text.starts_with("<|") && token.text != "<|endoftext|>") {
      token.rstrip = true;
    }
  }
}

}  // namespace

TokenizerSpec tokenizer_spec_from_gguf(const GgufMetadata& metadata) {
  TokenizerSpec spec;
  spec.source = metadata.source();
  spec.kind = read_kind(metadata);
  read_tokens(metadata, spec);
  if (spec.kind == TokenizerKind::kByteBpe) {
    if (const std::vector<std::string>* merges = metadata.strings(kMerges)) spec.merges = *merges;
    spec.pre = metadata.text(kPre, "default");
  }
  const KnownPreTokenizer pre = find_pre_tokenizer(spec.pre);
  const bool spm = spec.kind == TokenizerKind::kSpmBpe;
  spec.ignore_merges = !spm && pre.ignore_merges;
  spec.add_bos = metadata.boolean(kAddBos, spm || pre.add_bos);
  spec.add_eos = metadata.boolean(kAddEos, false);
  spec.add_space_prefix = metadata.boolean(kAddSpacePrefix, spm);
  spec.remove_extra_whitespaces = metadata.boolean(kRemoveExtraWhitespaces, false);
  for (const IdKey& field : kIdKeys) spec.*field.member = read_id(metadata, field.key, spec.tokens.size());
  add_end_of_generation(spec, read_id(metadata, kEomId, spec.tokens.size()));
  for (const int64_t id : metadata.integers(kEosIds, 0, static_cast<int64_t>(spec.tokens.size()) - 1)) {
    add_end_of_generation(spec, static_cast<TokenId>(id));
  }
  spec.chat_template = metadata.text(kChatTemplate, "");
  apply_phi3_strip(metadata, spec);
  return spec;
}

void tokenizer_spec_to_gguf(const TokenizerSpec& spec, GgufMetadata& metadata) {
  const bool spm = spec.kind == TokenizerKind::kSpmBpe;
  if (!spm && !spec.split_patterns.empty()) {
    fail(ErrorCode::kUnsupported, "{}: its split expressions have no name in GGUF", spec.source);
  }
  const std::size_t n = spec.tokens.size();
  std::vector<std::string> texts(n);
  std::vector<float> scores(n);
  std::vector<int32_t> types(n);
  for (std::size_t i = 0; i < n; ++i) {
    texts[i] = spec.tokens[i].text;
    scores[i] = spec.tokens[i].score;
    types[i] = static_cast<int32_t>(spec.tokens[i].type);
  }
  metadata.set(kModel, std::string(spm ? "llama" : "gpt2"));
  metadata.set(kPre, spm ? std::string("default") : spec.pre);
  metadata.set(kTokens, std::move(texts));
  if (spm) metadata.set(kScores, std::move(scores));
  metadata.set(kTypes, std::move(types));
  if (!spm) metadata.set(kMerges, spec.merges);
  for (const IdKey& field : kIdKeys) {
    if (spec.*field.member != kNoToken) metadata.set(field.key, static_cast<uint32_t>(spec.*field.member));
  }
  if (!spec.extra_eog.empty()) {
    std::vector<int32_t> ids = spec.extra_eog;
    if (spec.eos != kNoToken) ids.insert(ids.begin(), spec.eos);
    metadata.set(kEosIds, std::move(ids));
  }
  metadata.set(kAddBos, spec.add_bos);
  metadata.set(kAddEos, spec.add_eos);
  if (spm) {
    metadata.set(kAddSpacePrefix, spec.add_space_prefix);
    metadata.set(kRemoveExtraWhitespaces, spec.remove_extra_whitespaces);
  }
  if (!spec.chat_template.empty()) metadata.set(kChatTemplate, spec.chat_template);
}

}  // namespace minnow
