#include "respond/fill_in.h"

#include <algorithm>
#include <array>
#include <unordered_set>

namespace minnow {
namespace {

struct Names {
  std::string_view prefix, suffix, middle;
};

// Families that were taught to fill in, by what they call the marks.
constexpr Names kNames[] = {
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},            // Qwen2.5-Coder, CodeGemma
    {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},                  // StarCoder, SmolLM, Granite
    {"<fim-prefix>", "<fim-suffix>", "<fim-middle>"},                  // SantaCoder
    {"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"},            // DeepSeek
    {"<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"},         // GLM
    {"▁<PRE>", "▁<SUF>", "▁<MID>"},                                    // CodeLlama
    {"<PRE>", "<SUF>", "<MID>"},
};

// What a model that fills in says when it is done, besides what ends any answer.
constexpr std::array<std::string_view, 7> kEnds = {"<|fim_pad|>", "<fim_pad>", "<fim-pad>", "<|file_sep|>", "<|repo_name|>", "<EOT>", "▁<EOT>"};

// By metadata, in the order of Names; older files have the second names.
constexpr std::array<std::array<const char*, 2>, 3> kKeys = {{{"tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"},
                                                              {"tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id"},
                                                              {"tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id"}}};

TokenId from_metadata(const GgufMetadata& metadata, std::size_t n_tokens, const std::array<const char*, 2>& keys) {
  for (const char* key : keys) {
    if (!metadata.has(key)) continue;
    const uint64_t id = metadata.integer(key, 0, 0, UINT32_MAX);
    if (id < n_tokens) return static_cast<TokenId>(id);
  }
  return kNoToken;
}

bool is_whole(const FillTokens& t) { return t.prefix != kNoToken && t.suffix != kNoToken && t.middle != kNoToken; }

FillTokens from_metadata(const GgufMetadata& metadata, std::size_t n_tokens) {
  return {from_metadata(metadata, n_tokens, kKeys[0]), from_metadata(metadata, n_tokens, kKeys[1]), from_metadata(metadata, n_tokens, kKeys[2]), {}};
}

}  // namespace

std::optional<FillTokens> fill_tokens(const Tokenizer& tokenizer, const GgufMetadata& metadata) {
  FillTokens marks = from_metadata(metadata, static_cast<std::size_t>(tokenizer.n_vocab()));
  for (const Names& names : kNames) {
    if (is_whole(marks)) break;
    marks = {tokenizer.find(names.prefix), tokenizer.find(names.suffix), tokenizer.find(names.middle), {}};
  }
  if (!is_whole(marks)) return std::nullopt;
  for (const std::string_view name : kEnds) {
    if (const TokenId id = tokenizer.find(name); id != kNoToken) marks.ends.push_back(id);
  }
  return marks;
}

bool can_fill(const TokenizerSpec& spec, const GgufMetadata& metadata) {
  if (is_whole(from_metadata(metadata, spec.tokens.size()))) return true;
  std::unordered_set<std::string_view> known;
  for (const TokenEntry& token : spec.tokens) {
    if (token.text.starts_with('<') || token.text.starts_with("▁<")) known.insert(token.text);
  }
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](const Names& n) { return known.contains(n.prefix) && known.contains(n.suffix) && known.contains(n.middle); });
}

std::vector<TokenId> fill_prompt(const Tokenizer& tokenizer, const FillTokens& marks, const std::string& before, const std::string& after) {
  const TokenizerSpec& spec = tokenizer.spec();
  std::vector<TokenId> ids;
  if (spec.add_bos && spec.bos != kNoToken) {
    ids.push_back(spec.bos);
    ids.insert(ids.end(), spec.after_bos.begin(), spec.after_bos.end());
  }
  const auto append = [&](TokenId mark, const std::string& text) {
    ids.push_back(mark);
    if (text.empty()) return;
    const auto more = tokenizer.encode(text, {.add_special = false, .parse_special = false, .continues = true});
    ids.insert(ids.end(), more.begin(), more.end());
  };
  append(marks.prefix, before);
  append(marks.suffix, after);
  ids.push_back(marks.middle);
  return ids;
}

}  // namespace minnow
