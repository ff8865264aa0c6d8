#include "formats/tokenizer_gguf.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/limits.h"
#include "formats/quote_name.h"
#include "formats/tokenizer_gguf_keys.h"
#include "formats/tokenizer_pre.h"
#include "formats/tokenizer_vocabulary.h"

namespace minnow {
namespace {

using namespace tokenizer_gguf;

// Pre-tokenizers of "gpt2" files whose tokens are written as SentencePiece does.
bool is_sentencepiece_like(std::string_view pre) {
  return pre == "gemma4" || pre == "granite-embed-multi-311m" || pre == "sarvam-moe";
}

TokenizerKind read_kind(const GgufMetadata& metadata) {
  const std::string model = metadata.require_text(kModel);
  if (model == "llama" || model == "gemma4") return TokenizerKind::kSpmBpe;
  if (model == "t5") return TokenizerKind::kUnigram;
  if (model == "bert") return TokenizerKind::kWordPiece;
  if (model == "gpt2") {
    return is_sentencepiece_like(metadata.text(kPre, "")) ? TokenizerKind::kSpmBpe : TokenizerKind::kByteBpe;
  }
  fail(ErrorCode::kUnsupported,
       "{}: tokenizer model {} is not supported (only llama, gpt2, gemma4, t5 and bert are)",
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

  const bool merged =
      metadata.has(kMerges) && metadata.text(kModel, "") != "llama";  // then scores say nothing
  const bool scored =
      (spec.kind == TokenizerKind::kSpmBpe && !merged) || spec.kind == TokenizerKind::kUnigram;
  const std::vector<float>* scores = scored ? metadata.floats(kScores) : nullptr;
  if (scores != nullptr) {
    check_length(metadata, kScores, scores->size(), n);
    for (std::size_t i = 0; i < n; ++i) {
      if (!std::isfinite((*scores)[i])) {
        fail(ErrorCode::kInvalidInput, "{}: {}: entry {} is not a finite number", metadata.source(), kScores,
             i);
      }
      spec.tokens[i].score = (*scores)[i];
    }
  } else if (scored) {
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

// Words begin with U+2581 there, and what goes on has no mark.
void read_wordpiece(const GgufMetadata& metadata, TokenizerSpec& spec) {
  for (TokenEntry& token : spec.tokens) {
    const bool bracketed = token.text.size() > 2 && token.text.front() == '[' && token.text.back() == ']';
    if (token.type != TokenType::kNormal || bracketed) continue;
    if (token.text.starts_with(kSpaceSymbol)) {
      token.text.erase(0, kSpaceSymbol.size());
    } else {
      token.text.insert(0, spec.continuing_prefix);
    }
  }
  NormalizerStep bert{.kind = NormalizerStep::Kind::kBert};
  bert.lowercase = metadata.boolean(kLowercase, true);
  bert.strip_accents = metadata.boolean(kStripAccents, bert.lowercase);
  spec.normalizers = {bert};
  spec.splits = {{std::string(split_patterns::kSpaces), SplitBehavior::kRemoved},
                 {std::string(split_patterns::kPunctuation)}};
  spec.decode_cleanup = true;
  if (spec.unk == kNoToken) spec.unk = find_token(spec, "[UNK]");
}

void read_charsmap(const GgufMetadata& metadata, TokenizerSpec& spec) {
  std::string charsmap;
  for (const int64_t byte : metadata.integers(kCharsmap, -128, 255)) charsmap += static_cast<char>(byte);
  if (charsmap.empty()) return;
  spec.normalizers = {{.kind = NormalizerStep::Kind::kPrecompiled, .content = std::move(charsmap)}};
}

void read_ids(const GgufMetadata& metadata, TokenizerSpec& spec) {
  const std::size_t n = spec.tokens.size();
  for (const IdKey& field : kIdKeys) spec.*field.member = read_id(metadata, field.key, n);
  if (spec.bos == kNoToken) spec.bos = read_id(metadata, kClsId, n);
  const TokenId separator = read_id(metadata, kSepId, n);
  if (spec.eos == kNoToken || spec.kind == TokenizerKind::kWordPiece) {
    spec.eos = separator != kNoToken ? separator : spec.eos;
  }
  add_end_of_generation(spec, read_id(metadata, kEomId, n));
  for (const int64_t id : metadata.integers(kEosIds, 0, static_cast<int64_t>(n) - 1)) {
    add_end_of_generation(spec, static_cast<TokenId>(id));
  }
}

}  // namespace

bool has_gguf_tokenizer(const GgufMetadata& metadata) {
  if (!metadata.has(kModel)) return false;
  const std::string model = metadata.text(kModel, "");
  return model != "none" && model != "no_vocab";
}

TokenizerSpec tokenizer_spec_from_gguf(const GgufMetadata& metadata) {
  TokenizerSpec spec;
  spec.source = metadata.source();
  spec.kind = read_kind(metadata);
  read_tokens(metadata, spec);
  const bool spm = spec.kind == TokenizerKind::kSpmBpe, wordpiece = spec.kind == TokenizerKind::kWordPiece;
  const bool llama = spm && metadata.text(kModel, "") == "llama";
  if (spec.kind == TokenizerKind::kByteBpe) spec.pre = metadata.text(kPre, "default");
  if (spec.kind == TokenizerKind::kByteBpe || (spm && !llama)) {
    if (const std::vector<std::string>* merges = metadata.strings(kMerges)) spec.merges = *merges;
  }
  const KnownPreTokenizer pre =
      spec.kind == TokenizerKind::kByteBpe ? find_pre_tokenizer(spec.pre) : KnownPreTokenizer{};
  spec.ignore_merges = pre.ignore_merges;
  spec.add_bos = metadata.boolean(kAddBos, llama || wordpiece || pre.add_bos);
  spec.add_eos = metadata.boolean(kAddEos, spec.kind == TokenizerKind::kUnigram) ||
                 metadata.boolean(kAddSep, wordpiece || pre.add_sep);
  spec.add_space_prefix = metadata.boolean(kAddSpacePrefix, llama);
  spec.remove_extra_whitespaces = metadata.boolean(kRemoveExtraWhitespaces, false);
  read_ids(metadata, spec);
  if (wordpiece) read_wordpiece(metadata, spec);
  if (spec.kind == TokenizerKind::kUnigram) read_charsmap(metadata, spec);
  spec.chat_template = metadata.text(kChatTemplate, "");
  spec.tool_template = metadata.text(kToolTemplate, "");
  apply_phi3_strip(metadata, spec);
  return spec;
}

}  // namespace minnow
