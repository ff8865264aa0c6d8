#include "formats/tokenizer_export_parts.h"

#include "base/base64.h"
#include "base/error.h"
#include "base/utf8.h"
#include "formats/quote_name.h"
#include "formats/tokenizer_pre.h"
#include "formats/tokenizer_vocabulary.h"

namespace minnow::tokenizer_json {
namespace {

bool is_sentencepiece(const TokenizerSpec& spec) {
  return spec.kind == TokenizerKind::kSpmBpe || spec.kind == TokenizerKind::kUnigram;
}

// Whether spaces are put before texts in a way that only Metaspace knows.
bool needs_metaspace(const TokenizerSpec& spec) {
  return spec.kind == TokenizerKind::kUnigram || spec.split_at_spaces ||
         (spec.add_space_prefix && (spec.prefix_unless_space || !spec.prefix_after_special));
}

OrderedJson sequence(const char* list, OrderedJson parts) {
  if (parts.empty()) return nullptr;
  if (parts.size() == 1) return parts[0];
  return {{"type", "Sequence"}, {list, std::move(parts)}};
}

OrderedJson replace_json(const char* kind, const std::string& pattern, const std::string& content) {
  return {{"type", "Replace"}, {"pattern", {{kind, pattern}}}, {"content", content}};
}

OrderedJson step_json(const NormalizerStep& step) {
  using Kind = NormalizerStep::Kind;
  switch (step.kind) {
    case Kind::kNfc:
      return {{"type", "NFC"}};
    case Kind::kNfd:
      return {{"type", "NFD"}};
    case Kind::kNfkc:
      return {{"type", "NFKC"}};
    case Kind::kNfkd:
      return {{"type", "NFKD"}};
    case Kind::kLowercase:
      return {{"type", "Lowercase"}};
    case Kind::kStripAccents:
      return {{"type", "StripAccents"}};
    case Kind::kStrip:
      return {{"type", "Strip"}, {"strip_left", step.left}, {"strip_right", step.right}};
    case Kind::kPrepend:
      return {{"type", "Prepend"}, {"prepend", step.content}};
    case Kind::kReplace:
      return replace_json("String", step.pattern, step.content);
    case Kind::kReplaceRegex:
      return replace_json("Regex", step.pattern, step.content);
    case Kind::kPrecompiled:
      return {{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(step.content)}};
    case Kind::kBert:
      break;
  }
  return {{"type", "BertNormalizer"},
          {"clean_text", step.clean_text},
          {"handle_chinese_chars", step.handle_chinese_chars},
          {"strip_accents", step.strip_accents},
          {"lowercase", step.lowercase}};
}

OrderedJson byte_level_json(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

OrderedJson metaspace_json(const TokenizerSpec& spec) {
  const char* scheme = !spec.add_space_prefix ? "never" : spec.prefix_after_special ? "always" : "first";
  return {{"type", "Metaspace"}, {"replacement", kSpaceSymbol}, {"prepend_scheme", scheme}, {"split", spec.split_at_spaces}};
}

OrderedJson split_json(const SplitStep& step) {
  static constexpr const char* kNames[] = {"Isolated",       "Removed",   "Removed", "MergedWithPrevious",
                                           "MergedWithNext", "Contiguous"};
  return {{"type", "Split"},
          {"pattern", {{"Regex", step.pattern}}},
          {"behavior", kNames[static_cast<std::size_t>(step.behavior)]},
          {"invert", step.behavior == SplitBehavior::kKept}};
}

OrderedJson splits_json(const TokenizerSpec& spec) {
  OrderedJson parts = OrderedJson::array();
  for (const SplitStep& step : split_steps(spec)) {
    if (step == SplitStep{std::string(split_patterns::kSpaces), SplitBehavior::kRemoved}) {
      parts.push_back({{"type", "WhitespaceSplit"}});
    } else if (step == SplitStep{std::string(split_patterns::kPunctuation)}) {
      parts.push_back({{"type", "Punctuation"}, {"behavior", "Isolated"}});
    } else {
      parts.push_back(split_json(step));
    }
  }
  return parts;
}

}  // namespace

OrderedJson normalizer_json(const TokenizerSpec& spec) {
  OrderedJson parts = OrderedJson::array();
  for (const NormalizerStep& step : spec.normalizers) parts.push_back(step_json(step));
  if (is_sentencepiece(spec)) {
    if (spec.remove_extra_whitespaces) {
      parts.push_back({{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}});
      parts.push_back(replace_json("Regex", std::string(split_patterns::kTwoOrMoreSpaces), " "));
    }
    if (!needs_metaspace(spec)) {
      if (spec.add_space_prefix) parts.push_back({{"type", "Prepend"}, {"prepend", kSpaceSymbol}});
      parts.push_back(replace_json("String", " ", std::string(kSpaceSymbol)));
    }
  }
  return sequence("normalizers", std::move(parts));
}

OrderedJson pre_tokenizer_json(const TokenizerSpec& spec) {
  OrderedJson parts = splits_json(spec);
  if (is_sentencepiece(spec)) {
    if (needs_metaspace(spec)) parts.push_back(metaspace_json(spec));
  } else if (spec.kind == TokenizerKind::kByteBpe) {
    if (parts.empty()) {
      fail(ErrorCode::kUnsupported, "{}: pre-tokenizer {} is not known", spec.source, quote_name(spec.pre));
    }
    const std::vector<SplitStep> steps = split_steps(spec);
    const bool gpt2_last = steps.back() == SplitStep{std::string(split_patterns::kGpt2)};
    if (gpt2_last) parts.erase(parts.size() - 1);
    parts.push_back(byte_level_json(spec.byte_prefix_space, gpt2_last));
  }
  return sequence("pretokenizers", std::move(parts));
}

OrderedJson decoder_json(const TokenizerSpec& spec) {
  if (spec.kind == TokenizerKind::kByteBpe) return byte_level_json(false, true);
  if (spec.kind == TokenizerKind::kWordPiece || spec.decode_as_wordpiece) {
    return {{"type", "WordPiece"}, {"prefix", spec.continuing_prefix}, {"cleanup", spec.decode_cleanup}};
  }
  OrderedJson parts = OrderedJson::array();
  parts.push_back(replace_json("String", std::string(kSpaceSymbol), " "));
  parts.push_back({{"type", "ByteFallback"}});
  parts.push_back({{"type", "Fuse"}});
  if (spec.add_space_prefix) parts.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return sequence("decoders", std::move(parts));
}

OrderedJson post_processor_json(const TokenizerSpec& spec) {
  OrderedJson single = OrderedJson::array(), named = OrderedJson::object();
  const auto put = [&](TokenId id) {
    const std::string text = to_valid_utf8(spec.tokens[static_cast<std::size_t>(id)].text);
    single.push_back({{"SpecialToken", {{"id", text}, {"type_id", 0}}}});
    named[text] = {{"id", text}, {"ids", OrderedJson::array({id})}, {"tokens", OrderedJson::array({text})}};
  };
  if (spec.add_bos && spec.bos != kNoToken) {
    put(spec.bos);
    for (const TokenId id : spec.after_bos) put(id);
  }
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  if (spec.add_eos && spec.eos != kNoToken) {
    for (const TokenId id : spec.before_eos) put(id);
    put(spec.eos);
  }
  if (named.empty()) return nullptr;
  OrderedJson pair = single;
  pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 0}}}});
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", named}};
}

}  // namespace minnow::tokenizer_json
