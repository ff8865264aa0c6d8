#include "formats/tokenizer_json_parts.h"

#include <algorithm>

#include "base/base64.h"
#include "base/error.h"
#include "formats/quote_name.h"
#include "formats/tokenizer_pre.h"
#include "formats/tokenizer_vocabulary.h"

namespace minnow::tokenizer_json {
namespace {

constexpr int kMaxNesting = 8;          // Sequence inside Sequence
constexpr int kMaxTemplateTokens = 16;  // each is searched for in the whole vocabulary

bool is_sentencepiece(const TokenizerSpec& spec) {
  return spec.kind == TokenizerKind::kSpmBpe || spec.kind == TokenizerKind::kUnigram;
}

// Calls `read` with each component that is no Sequence, in order.
template <typename Read>
void for_each_part(const Json& component, const char* list, const TokenizerSpec& spec, const Read& read, int depth = 0) {
  if (component.is_null()) return;
  const std::string type = type_of(component, spec);
  if (type != "Sequence") {
    read(component, type);
    return;
  }
  if (depth >= kMaxNesting) fail_unsupported(spec, "nesting of components", type);
  for (const Json& part : elements(member(component, list))) for_each_part(part, list, spec, read, depth + 1);
}

bool is_text(const Json& value, std::string_view text) {
  return value.is_string() && value.get_ref<const std::string&>() == text;
}

bool replaces_spaces_itself(const Json& step) {
  return is_text(member(step, "content"), kSpaceSymbol) && is_text(member(member(step, "pattern"), "String"), " ");
}

// {"String": …} or {"Regex": …}
NormalizerStep replace_step(const Json& step, const TokenizerSpec& spec) {
  const Json& pattern = member(step, "pattern");
  NormalizerStep result{.content = JsonFields{step, spec.source}.text("content", "")};
  if (const Json& text = member(pattern, "String"); text.is_string() && !text.get_ref<const std::string&>().empty()) {
    result.kind = NormalizerStep::Kind::kReplace;
    result.pattern = text.get<std::string>();
  } else if (const Json& regex = member(pattern, "Regex"); regex.is_string()) {
    result.kind = NormalizerStep::Kind::kReplaceRegex;
    result.pattern = regex.get<std::string>();
  } else {
    fail(ErrorCode::kInvalidInput, "{}: Replace normalizer without a pattern", spec.source);
  }
  return result;
}

NormalizerStep bert_step(const JsonFields& fields) {
  NormalizerStep step{.kind = NormalizerStep::Kind::kBert};
  step.clean_text = fields.boolean("clean_text", true);
  step.handle_chinese_chars = fields.boolean("handle_chinese_chars", true);
  step.lowercase = fields.boolean("lowercase", true);
  step.strip_accents = fields.boolean("strip_accents", step.lowercase);
  return step;
}

std::string charsmap_of(const Json& step, const TokenizerSpec& spec) {
  const Json& text = member(step, "precompiled_charsmap");
  if (text.is_null()) return {};
  std::string bytes;
  if (!text.is_string() || !decode_base64(text.get_ref<const std::string&>(), bytes)) {
    fail(ErrorCode::kInvalidInput, "{}: precompiled_charsmap is not base64", spec.source);
  }
  return bytes;
}

// Those without settings.
const NormalizerStep* plain_step(std::string_view type) {
  using Kind = NormalizerStep::Kind;
  static const std::pair<std::string_view, NormalizerStep> kSteps[] = {
      {"NFC", {.kind = Kind::kNfc}},
      {"NFD", {.kind = Kind::kNfd}},
      {"NFKC", {.kind = Kind::kNfkc}},
      {"NFKD", {.kind = Kind::kNfkd}},
      {"Lowercase", {.kind = Kind::kLowercase}},
      {"StripAccents", {.kind = Kind::kStripAccents}},
  };
  for (const auto& [name, step] : kSteps) {
    if (name == type) return &step;
  }
  return nullptr;
}

void read_metaspace(const Json& pre, TokenizerSpec& spec) {
  const JsonFields fields{pre, spec.source};
  const std::string replacement = fields.text("replacement", std::string(kSpaceSymbol));
  if (replacement != kSpaceSymbol) fail_unsupported(spec, "Metaspace replacement", replacement);
  const std::string fallback = fields.boolean("add_prefix_space", true) ? "always" : "never";
  const std::string scheme = fields.text("prepend_scheme", fallback);
  spec.add_space_prefix = scheme != "never";
  spec.prefix_after_special = scheme != "first";
  spec.prefix_unless_space = true;
  spec.split_at_spaces = fields.boolean("split", true);
}

void read_byte_level(const Json& pre, TokenizerSpec& spec) {
  const JsonFields fields{pre, spec.source};
  if (fields.boolean("add_prefix_space", false)) {
    if (!spec.splits.empty()) fail_unsupported(spec, "pre-tokenizer option", "add_prefix_space after a split");
    spec.byte_prefix_space = true;
  }
  if (fields.boolean("use_regex", true)) spec.splits.push_back({std::string(split_patterns::kGpt2)});
}

SplitBehavior behavior_of(const JsonFields& fields) {
  const std::string name = fields.text("behavior", "Isolated");
  const bool invert = fields.boolean("invert", false);
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "Removed") return invert ? SplitBehavior::kKept : SplitBehavior::kRemoved;
  if (name == "MergedWithPrevious" && !invert) return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext" && !invert) return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous" && !invert) return SplitBehavior::kContiguous;
  fail(ErrorCode::kUnsupported, "{}: split behavior {}{} is not supported", fields.source, quote_name(name),
       invert ? " inverted" : "");
}

SplitStep split_step(const Json& split, const TokenizerSpec& spec) {
  SplitStep step{.behavior = behavior_of({split, spec.source})};
  const Json& pattern = member(split, "pattern");
  if (const Json& regex = member(pattern, "Regex"); regex.is_string()) {
    step.pattern = canonical_split_pattern(regex.get_ref<const std::string&>());
  } else if (const Json& text = member(pattern, "String"); text.is_string()) {
    const auto& literal = text.get_ref<const std::string&>();
    if (literal.find("\\E") != std::string::npos) fail_unsupported(spec, "split string", literal);
    step.pattern = "\\Q" + literal + "\\E";
  } else {
    fail(ErrorCode::kInvalidInput, "{}: Split pre-tokenizer without a pattern", spec.source);
  }
  return step;
}

void add_pre_tokenizer(const Json& pre, const std::string& type, TokenizerSpec& spec) {
  const auto split = [&](std::string_view pattern, SplitBehavior behavior) {
    spec.splits.push_back({std::string(pattern), behavior});
  };
  const JsonFields fields{pre, spec.source};
  const bool after_metaspace = is_sentencepiece(spec) && spec.prefix_unless_space;
  if (type == "Metaspace" && is_sentencepiece(spec)) {
    read_metaspace(pre, spec);
  } else if (type == "ByteLevel" && spec.kind == TokenizerKind::kByteBpe) {
    read_byte_level(pre, spec);
  } else if (type == "Split" && is_sentencepiece(spec) && is_text(member(member(pre, "pattern"), "String"), " ")) {
    return;  // spaces are replaced before, so nothing is left to split (Gemma)
  } else if (spec.kind == TokenizerKind::kSpmBpe || after_metaspace) {
    fail_unsupported(spec, "pre-tokenizer", type);
  } else if (type == "Digits") {
    const bool individual = fields.boolean("individual_digits", false);
    split(individual ? split_patterns::kDigit : split_patterns::kDigits, SplitBehavior::kIsolated);
  } else if (type == "Punctuation") {
    split(split_patterns::kPunctuation, behavior_of(fields));
  } else if (type == "Whitespace") {
    split(split_patterns::kWordOrNot, SplitBehavior::kKept);
  } else if (type == "WhitespaceSplit") {
    split(split_patterns::kSpaces, SplitBehavior::kRemoved);
  } else if (type == "BertPreTokenizer") {
    split(split_patterns::kSpaces, SplitBehavior::kRemoved);
    split(split_patterns::kPunctuation, SplitBehavior::kIsolated);
  } else if (type == "Split") {
    spec.splits.push_back(split_step(pre, spec));
  } else {
    fail_unsupported(spec, "pre-tokenizer", type);
  }
}

void add_decoder(const Json& decoder, const std::string& type, TokenizerSpec& spec) {
  const JsonFields fields{decoder, spec.source};
  const bool byte_level = spec.kind == TokenizerKind::kByteBpe;
  if (type == "WordPiece" && !byte_level && spec.kind != TokenizerKind::kSpmBpe) {
    spec.decode_as_wordpiece = spec.kind != TokenizerKind::kWordPiece;
    if (spec.decode_as_wordpiece) spec.continuing_prefix = fields.text("prefix", "##");
    spec.decode_cleanup = fields.boolean("cleanup", true);
    return;
  }
  const bool spaces = type == "Replace" && is_text(member(decoder, "content"), " ") &&
                      is_text(member(member(decoder, "pattern"), "String"), kSpaceSymbol);
  const bool strip = type == "Strip" && fields.text("content", "") == " " && fields.integer("start", 0, 0, 1) <= 1 &&
                     fields.integer("stop", 0, 0, 1) == 0;
  const bool known = byte_level ? type == "ByteLevel"
                                : type == "Metaspace" || type == "ByteFallback" || type == "Fuse" || spaces || strip;
  if (!known || spec.kind == TokenizerKind::kWordPiece) fail_unsupported(spec, "decoder", type);
}

// Collects the tokens around the text.
class TemplateReader {
 public:
  explicit TemplateReader(TokenizerSpec& spec) : spec_(spec) {}

  void read(const Json& post, const std::string& type) {
    if (type == "TemplateProcessing") {
      bool before = true;
      for (const Json& item : elements(member(post, "single"))) {
        if (!member(item, "Sequence").is_null()) before = false;
        if (const Json& id = member(member(item, "SpecialToken"), "id"); id.is_string()) {
          add(id.get_ref<const std::string&>(), before);
        }
      }
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
      for (const char* key : {"cls", "sep"}) {
        const Json& pair = member(post, key);
        if (!pair.is_array() || pair.empty() || !pair[0].is_string()) {
          fail(ErrorCode::kInvalidInput, "{}: post-processor {} has no {} token", spec_.source, type, key);
        }
        add(pair[0].get_ref<const std::string&>(), std::string_view(key) == "cls");
      }
    } else if (type != "ByteLevel") {  // which only moves offsets
      fail_unsupported(spec_, "post-processor", type);
    }
  }

  void finish() {
    if (!before_.empty()) {
      spec_.bos = before_.front();
      spec_.add_bos = true;
      spec_.after_bos.assign(before_.begin() + 1, before_.end());
    }
    if (!after_.empty()) {
      spec_.eos = after_.back();
      spec_.add_eos = true;
      spec_.before_eos.assign(after_.begin(), after_.end() - 1);
    }
  }

 private:
  void add(const std::string& text, bool before) {
    if (++n_ > kMaxTemplateTokens) fail_unsupported(spec_, "post-processor", "with more than 16 tokens");
    const TokenId id = find_token(spec_, text);
    if (id == kNoToken) {
      fail(ErrorCode::kInvalidInput, "{}: the post-processor adds the token {}, which does not exist", spec_.source,
           quote_name(text));
    }
    (before ? before_ : after_).push_back(id);
  }

  TokenizerSpec& spec_;
  std::vector<TokenId> before_, after_;
  int n_ = 0;
};

}  // namespace

void fail_unsupported(const TokenizerSpec& spec, std::string_view what, std::string_view name) {
  fail(ErrorCode::kUnsupported, "{}: {} {} is not supported", spec.source, what, quote_name(name));
}

const Json& member(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto it = object.find(key);
  return it == object.end() ? kNull : *it;
}

const Json& elements(const Json& list) {
  static const Json kEmpty = Json::array();
  return list.is_array() ? list : kEmpty;
}

std::string type_of(const Json& component, const TokenizerSpec& spec) {
  return JsonFields{component, spec.source}.text("type", "");
}

bool mentions(const Json& component, std::string_view type, const TokenizerSpec& spec) {
  bool found = false;
  for_each_part(component, "pretokenizers", spec, [&](const Json&, const std::string& t) { found |= t == type; });
  return found;
}

bool replaces_spaces(const Json& normalizer, const TokenizerSpec& spec) {
  bool found = false;
  for_each_part(normalizer, "normalizers", spec,
                [&](const Json& step, const std::string& t) { found |= t == "Replace" && replaces_spaces_itself(step); });
  return found;
}

void read_normalizer(const Json& normalizer, TokenizerSpec& spec) {
  for_each_part(normalizer, "normalizers", spec, [&](const Json& step, const std::string& type) {
    const JsonFields fields{step, spec.source};
    if (const NormalizerStep* plain = plain_step(type)) {
      spec.normalizers.push_back(*plain);
    } else if (type == "Prepend" && is_sentencepiece(spec) && is_text(member(step, "prepend"), kSpaceSymbol)) {
      spec.add_space_prefix = true;
    } else if (type == "Prepend") {
      spec.normalizers.push_back({.kind = NormalizerStep::Kind::kPrepend, .content = fields.text("prepend", "")});
    } else if (type == "Replace" && is_sentencepiece(spec) && replaces_spaces_itself(step)) {
      return;  // what every tokenizer of this kind does
    } else if (type == "Replace") {
      spec.normalizers.push_back(replace_step(step, spec));
    } else if (type == "Strip") {
      spec.normalizers.push_back({.kind = NormalizerStep::Kind::kStrip,
                                  .left = fields.boolean("strip_left", true),
                                  .right = fields.boolean("strip_right", true)});
    } else if (type == "BertNormalizer") {
      spec.normalizers.push_back(bert_step(fields));
    } else if (type == "Precompiled") {
      std::string charsmap = charsmap_of(step, spec);
      if (charsmap.empty()) return;
      spec.normalizers.push_back({.kind = NormalizerStep::Kind::kPrecompiled, .content = std::move(charsmap)});
    } else {
      fail_unsupported(spec, "normalizer", type);
    }
  });
}

void read_pre_tokenizer(const Json& pre_tokenizer, TokenizerSpec& spec) {
  for_each_part(pre_tokenizer, "pretokenizers", spec,
                [&](const Json& pre, const std::string& type) { add_pre_tokenizer(pre, type, spec); });
}

void read_decoder(const Json& decoder, TokenizerSpec& spec) {
  for_each_part(decoder, "decoders", spec,
                [&](const Json& part, const std::string& type) { add_decoder(part, type, spec); });
}

void read_post_processor(const Json& post_processor, TokenizerSpec& spec) {
  TemplateReader reader(spec);
  for_each_part(post_processor, "processors", spec,
                [&](const Json& part, const std::string& type) { reader.read(part, type); });
  reader.finish();
}

}  // namespace minnow::tokenizer_json
