// The metadata keys of GGUF's tokenizers.
#pragma once

#include "formats/tokenizer_spec.h"

namespace minnow::tokenizer_gguf {

inline constexpr const char* kModel = "tokenizer.ggml.model";
inline constexpr const char* kPre = "tokenizer.ggml.pre";
inline constexpr const char* kTokens = "tokenizer.ggml.tokens";
inline constexpr const char* kScores = "tokenizer.ggml.scores";
inline constexpr const char* kTypes = "tokenizer.ggml.token_type";
inline constexpr const char* kMerges = "tokenizer.ggml.merges";
inline constexpr const char* kAddBos = "tokenizer.ggml.add_bos_token";
inline constexpr const char* kAddEos = "tokenizer.ggml.add_eos_token";
inline constexpr const char* kAddSpacePrefix = "tokenizer.ggml.add_space_prefix";
inline constexpr const char* kRemoveExtraWhitespaces = "tokenizer.ggml.remove_extra_whitespaces";
inline constexpr const char* kEosIds = "tokenizer.ggml.eos_token_ids";
inline constexpr const char* kEomId = "tokenizer.ggml.eom_token_id";
inline constexpr const char* kAddSep = "tokenizer.ggml.add_sep_token";
inline constexpr const char* kClsId = "tokenizer.ggml.cls_token_id";
inline constexpr const char* kSepId = "tokenizer.ggml.seperator_token_id";  // spelled so
inline constexpr const char* kCharsmap = "tokenizer.ggml.precompiled_charsmap";
inline constexpr const char* kLowercase = "tokenizer.ggml.normalizer.lowercase";
inline constexpr const char* kStripAccents = "tokenizer.ggml.normalizer.strip_accents";
inline constexpr const char* kChatTemplate = "tokenizer.chat_template";
inline constexpr const char* kToolTemplate = "tokenizer.chat_template.tool_use";
inline constexpr const char* kTemplateNames = "tokenizer.chat_templates";  // of those that have one

struct IdKey {
  const char* key;
  TokenId TokenizerSpec::*member;
};
inline constexpr IdKey kIdKeys[] = {
    {"tokenizer.ggml.bos_token_id", &TokenizerSpec::bos},
    {"tokenizer.ggml.eos_token_id", &TokenizerSpec::eos},
    {"tokenizer.ggml.unknown_token_id", &TokenizerSpec::unk},
    {"tokenizer.ggml.padding_token_id", &TokenizerSpec::pad},
    {"tokenizer.ggml.eot_token_id", &TokenizerSpec::eot},
};

}  // namespace minnow::tokenizer_gguf
