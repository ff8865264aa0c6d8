// Tokenizers written as GGUF metadata.
#include <algorithm>

#include "base/error.h"
#include "formats/tokenizer_gguf.h"
#include "formats/tokenizer_gguf_keys.h"
#include "formats/tokenizer_pre.h"
#include "formats/tokenizer_vocabulary.h"

namespace minnow {
namespace {

using namespace tokenizer_gguf;

[[noreturn]] void fail_lost(const TokenizerSpec& spec, std::string_view what) {
  fail(ErrorCode::kUnsupported, "{}: {} in GGUF", spec.source, what);
}

const char* model_name(TokenizerKind kind) {
  switch (kind) {
    case TokenizerKind::kSpmBpe:
      return "llama";
    case TokenizerKind::kByteBpe:
      return "gpt2";
    case TokenizerKind::kUnigram:
      return "t5";
    case TokenizerKind::kWordPiece:
      break;
  }
  return "bert";
}

bool splits_like_bert(const TokenizerSpec& spec) {
  return spec.splits ==
         std::vector<SplitStep>{{std::string(split_patterns::kSpaces), SplitBehavior::kRemoved},
                                {std::string(split_patterns::kPunctuation)}};
}

// T5's: words apart are what spaces collapsed are, once its table has made every white space a space.
bool splits_at_white_space(const TokenizerSpec& spec) {
  return spec.splits ==
         std::vector<SplitStep>{{std::string(split_patterns::kSpaces), SplitBehavior::kRemoved}};
}

bool is_plain_bert(const NormalizerStep& step) {
  return step.kind == NormalizerStep::Kind::kBert && step.clean_text && step.handle_chinese_chars;
}

void refuse_what_gets_lost(const TokenizerSpec& spec) {
  const auto& steps = spec.normalizers;
  const auto only = [&](auto kind) {
    return std::ranges::all_of(steps, [&](const auto& s) { return s.kind == kind; });
  };
  bool steps_fit = false, splits_fit = false;
  switch (spec.kind) {
    case TokenizerKind::kByteBpe:
      steps_fit = only(NormalizerStep::Kind::kNfc) && !spec.byte_prefix_space;
      splits_fit = spec.splits.empty();
      break;
    case TokenizerKind::kSpmBpe:
      steps_fit = steps.empty();
      splits_fit = spec.splits.empty();
      break;
    case TokenizerKind::kUnigram:
      steps_fit = steps.size() <= 1 && only(NormalizerStep::Kind::kPrecompiled) && !spec.decode_as_wordpiece;
      splits_fit = spec.splits.empty() || splits_at_white_space(spec);
      break;
    case TokenizerKind::kWordPiece:
      steps_fit = steps.size() == 1 && is_plain_bert(steps[0]) && spec.continuing_prefix == "##";
      splits_fit = splits_like_bert(spec);
      break;
  }
  if (!splits_fit) fail_lost(spec, "its split expressions have no name");
  if (!steps_fit) fail_lost(spec, "its normalizers have no place");
  if (!spec.after_bos.empty() || !spec.before_eos.empty())
    fail_lost(spec, "several tokens around a text have no place");
}

std::string gguf_text(const TokenizerSpec& spec, const TokenEntry& token) {
  if (spec.kind != TokenizerKind::kWordPiece || token.type != TokenType::kNormal) return token.text;
  const bool bracketed = token.text.size() > 2 && token.text.front() == '[' && token.text.back() == ']';
  if (bracketed) return token.text;
  if (token.text.starts_with(spec.continuing_prefix)) return token.text.substr(spec.continuing_prefix.size());
  return std::string(kSpaceSymbol) + token.text;
}

void set_tokens(const TokenizerSpec& spec, GgufMetadata& metadata) {
  const std::size_t n = spec.tokens.size();
  std::vector<std::string> texts(n);
  std::vector<float> scores(n);
  std::vector<int32_t> types(n);
  for (std::size_t i = 0; i < n; ++i) {
    texts[i] = gguf_text(spec, spec.tokens[i]);
    scores[i] = spec.tokens[i].score;
    types[i] = static_cast<int32_t>(spec.tokens[i].type);
  }
  metadata.set(kTokens, std::move(texts));
  if (spec.kind == TokenizerKind::kSpmBpe || spec.kind == TokenizerKind::kUnigram) {
    metadata.set(kScores, std::move(scores));
  }
  metadata.set(kTypes, std::move(types));
  if (spec.kind == TokenizerKind::kByteBpe) metadata.set(kMerges, spec.merges);
}

void set_ids(const TokenizerSpec& spec, GgufMetadata& metadata) {
  for (const IdKey& field : kIdKeys) {
    if (spec.*field.member != kNoToken) metadata.set(field.key, static_cast<uint32_t>(spec.*field.member));
  }
  if (!spec.extra_eog.empty()) {
    std::vector<int32_t> ids = spec.extra_eog;
    if (spec.eos != kNoToken) ids.insert(ids.begin(), spec.eos);
    metadata.set(kEosIds, std::move(ids));
  }
  metadata.set(kAddBos, spec.add_bos);
  if (spec.kind != TokenizerKind::kWordPiece) {
    metadata.set(kAddEos, spec.add_eos);
    return;
  }
  if (spec.bos != kNoToken) metadata.set(kClsId, static_cast<uint32_t>(spec.bos));
  if (spec.eos != kNoToken) metadata.set(kSepId, static_cast<uint32_t>(spec.eos));
  metadata.set(kAddSep, spec.add_eos);
}

}  // namespace

void tokenizer_spec_to_gguf(const TokenizerSpec& spec, GgufMetadata& metadata) {
  refuse_what_gets_lost(spec);
  metadata.set(kModel, std::string(model_name(spec.kind)));
  metadata.set(kPre, spec.kind == TokenizerKind::kByteBpe ? spec.pre : std::string("default"));
  set_tokens(spec, metadata);
  set_ids(spec, metadata);
  if (spec.kind == TokenizerKind::kSpmBpe || spec.kind == TokenizerKind::kUnigram) {
    metadata.set(kAddSpacePrefix, spec.add_space_prefix);
    metadata.set(kRemoveExtraWhitespaces, spec.remove_extra_whitespaces || splits_at_white_space(spec));
  }
  if (spec.kind == TokenizerKind::kWordPiece) {
    metadata.set(kLowercase, spec.normalizers[0].lowercase);
    metadata.set(kStripAccents, spec.normalizers[0].strip_accents);
  }
  if (spec.kind == TokenizerKind::kUnigram && !spec.normalizers.empty()) {
    const std::string& charsmap = spec.normalizers[0].content;
    metadata.set(kCharsmap, std::vector<uint8_t>(charsmap.begin(), charsmap.end()));
  }
  if (!spec.chat_template.empty()) metadata.set(kChatTemplate, spec.chat_template);
  if (spec.tool_template.empty()) return;
  metadata.set(kToolTemplate, spec.tool_template);
  if (!metadata.has(kTemplateNames)) metadata.set(kTemplateNames, std::vector<std::string>{"tool_use"});
}

}  // namespace minnow
