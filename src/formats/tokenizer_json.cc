// Hugging Face tokenizer.json: BPE models with the normalizers and pre-tokenizers that language models use.
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/json.h"
#include "formats/quote_name.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_pre.h"
#include "formats/tokenizer_vocabulary.h"

namespace minnow {
namespace {

constexpr int kMaxNesting = 8;  // Sequence inside Sequence

[[noreturn]] void fail_unsupported(const std::string& source, std::string_view what, std::string_view name) {
  fail(ErrorCode::kUnsupported, "{}: {} {} is not supported", source, what, quote_name(name));
}

// A member that is an object or an array; a shared null otherwise.
const Json& member(const Json& object, const char* key) {
  static const Json kNull;
  if (!object.is_object()) return kNull;
  const auto it = object.find(key);
  return it == object.end() ? kNull : *it;
}

std::string type_of(const Json& object, const std::string& source) {
  return JsonFields{object, source}.text("type", "");
}

class JsonTokenizerReader {
 public:
  JsonTokenizerReader(const Json& root, const std::string& source) : root_(root), source_(source) {
    spec_.source = source;
    spec_.add_space_prefix = false;
  }

  TokenizerSpec read() {
    const Json& model = member(root_, "model");
    check_model(model);
    spec_.kind = is_sentencepiece_like(model) ? TokenizerKind::kSpmBpe : TokenizerKind::kByteBpe;
    read_normalizer(member(root_, "normalizer"), 0);
    read_pre_tokenizer(member(root_, "pre_tokenizer"), 0);
    read_vocabulary(model);
    read_merges(model);
    read_added_tokens(member(root_, "added_tokens"));
    read_post_processor(member(root_, "post_processor"), 0);
    name_pre_tokenizer();
    return std::move(spec_);
  }

 private:
  void check_model(const Json& model) const {
    const std::string type = type_of(model, source_);
    if (!type.empty() && type != "BPE") fail_unsupported(source_, "tokenizer model", type);
    if (!member(model, "vocab").is_object() || !member(model, "merges").is_array()) {
      if (type.empty()) {
        fail(ErrorCode::kUnsupported, "{}: not a BPE tokenizer (model.vocab and model.merges are missing)",
             source_);
      }
      fail(ErrorCode::kInvalidInput, "{}: model.vocab must be an object and model.merges an array", source_);
    }
    const JsonFields fields{model, source_};
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!fields.text(key, "").empty()) fail_unsupported(source_, "model option", key);
    }
  }

  bool is_sentencepiece_like(const Json& model) const {
    if (JsonFields{model, source_}.boolean("byte_fallback", false)) return true;
    return mentions(member(root_, "normalizer"), "Replace", 0) ||
           mentions(member(root_, "pre_tokenizer"), "Metaspace", 0);
  }

  // Whether a component, or one in its sequence, has this type.
  bool mentions(const Json& component, std::string_view type, int depth) const {
    if (!component.is_object() || depth > kMaxNesting) return false;
    if (type_of(component, source_) == type) return true;
    for (const char* list : {"normalizers", "pretokenizers"}) {
      for (const Json& part : elements(member(component, list))) {
        if (mentions(part, type, depth + 1)) return true;
      }
    }
    return false;
  }

  static const Json& elements(const Json& list) {
    static const Json kEmpty = Json::array();
    return list.is_array() ? list : kEmpty;
  }

  void read_normalizer(const Json& normalizer, int depth) {
    if (normalizer.is_null()) return;
    const std::string type = type_of(normalizer, source_);
    const bool spm = spec_.kind == TokenizerKind::kSpmBpe;
    if (type == "Sequence" && depth < kMaxNesting) {
      for (const Json& part : elements(member(normalizer, "normalizers"))) read_normalizer(part, depth + 1);
    } else if (type == "NFC") {
      spec_.normalize_nfc = true;
    } else if (type == "Prepend" && spm && member(normalizer, "prepend") == Json(kSpaceSymbol)) {
      spec_.add_space_prefix = true;
    } else if (type == "Replace" && spm && member(normalizer, "content") == Json(kSpaceSymbol) &&
               member(member(normalizer, "pattern"), "String") == Json(" ")) {
      return;  // what every SPM tokenizer does
    } else {
      fail_unsupported(source_, "normalizer", type);
    }
  }

  void read_pre_tokenizer(const Json& pre, int depth) {
    if (pre.is_null()) return;
    const std::string type = type_of(pre, source_);
    if (type == "Sequence" && depth < kMaxNesting) {
      for (const Json& part : elements(member(pre, "pretokenizers"))) read_pre_tokenizer(part, depth + 1);
    } else if (spec_.kind == TokenizerKind::kSpmBpe) {
      read_sentencepiece_pre_tokenizer(pre, type);
    } else if (type == "ByteLevel") {
      const JsonFields fields{pre, source_};
      if (fields.boolean("add_prefix_space", false))
        fail_unsupported(source_, "pre-tokenizer option", "add_prefix_space");
      if (fields.boolean("use_regex", true)) spec_.split_patterns.emplace_back(split_patterns::kGpt2);
      byte_level_ = true;
    } else if (type == "Digits") {
      const bool individual = JsonFields{pre, source_}.boolean("individual_digits", false);
      spec_.split_patterns.emplace_back(individual ? split_patterns::kDigit : split_patterns::kDigits);
    } else if (type == "Punctuation") {
      const std::string behavior = JsonFields{pre, source_}.text("behavior", "Isolated");
      if (behavior != "Isolated" && behavior != "Contiguous")
        fail_unsupported(source_, "split behavior", behavior);
      spec_.split_patterns.push_back(std::string(R"([\p{P}!-/:-@\[-`{-~])") +
                                     (behavior == "Contiguous" ? "+" : ""));
    } else if (type == "Split") {
      read_split(pre);
    } else {
      fail_unsupported(source_, "pre-tokenizer", type);
    }
  }

  void read_sentencepiece_pre_tokenizer(const Json& pre, const std::string& type) {
    const JsonFields fields{pre, source_};
    if (type == "Metaspace") {
      if (fields.boolean("split", true)) fail_unsupported(source_, "pre-tokenizer option", "Metaspace split");
      const std::string fallback = fields.boolean("add_prefix_space", true) ? "always" : "never";
      spec_.add_space_prefix = fields.text("prepend_scheme", fallback) != "never";
    } else if (type == "Split" && member(member(pre, "pattern"), "String") == Json(" ")) {
      return;  // spaces are replaced before, so nothing is left to split (Gemma)
    } else {
      fail_unsupported(source_, "pre-tokenizer", type);
    }
  }

  void read_split(const Json& split) {
    const JsonFields fields{split, source_};
    const std::string behavior = fields.text("behavior", "Isolated");
    // "Removed" with invert keeps the matches; these expressions match everything, so nothing is ever
    // removed.
    const bool keeps_matches = behavior == "Removed" && fields.boolean("invert", false);
    if (behavior != "Isolated" && !keeps_matches) fail_unsupported(source_, "split behavior", behavior);
    const Json& pattern = member(split, "pattern");
    if (const Json& regex = member(pattern, "Regex"); regex.is_string()) {
      spec_.split_patterns.push_back(canonical_split_pattern(regex.get_ref<const std::string&>()));
    } else if (const Json& text = member(pattern, "String"); text.is_string()) {
      const auto& literal = text.get_ref<const std::string&>();
      if (literal.find("\\E") != std::string::npos) fail_unsupported(source_, "split string", literal);
      spec_.split_patterns.push_back("\\Q" + literal + "\\E");
    } else {
      fail(ErrorCode::kInvalidInput, "{}: Split pre-tokenizer without a pattern", source_);
    }
  }

  void read_vocabulary(const Json& model) {
    const Json& vocab = member(model, "vocab");
    int64_t n_ids = 0;
    for (const auto& [text, id] : vocab.items()) {
      if (!id.is_number_integer() || id.get<int64_t>() < 0 ||
          id.get<int64_t>() >= std::numeric_limits<TokenId>::max()) {
        fail(ErrorCode::kInvalidInput, "{}: model.vocab has a token whose id is not a number from 0 up",
             source_);
      }
      n_ids = std::max(n_ids, id.get<int64_t>() + 1);
    }
    grow_vocabulary(spec_, n_ids, vocab.size());
    const bool spm = spec_.kind == TokenizerKind::kSpmBpe;
    const std::string unknown = JsonFields{model, source_}.text("unk_token", "");
    for (const auto& [text, id] : vocab.items()) {
      const auto index = id.get<std::size_t>();
      TokenEntry& entry = spec_.tokens[index];
      if (named(index)) fail(ErrorCode::kInvalidInput, "{}: two tokens have the id {}", source_, index);
      if (text == entry.text) continue;  // an unused id, written out as such
      entry = {.text = text, .type = TokenType::kNormal};
      if (spm && byte_token_value(text) >= 0) entry.type = TokenType::kByte;
      if (!unknown.empty() && text == unknown) {
        spec_.unk = static_cast<TokenId>(index);
        if (spm) entry.type = TokenType::kUnknown;
      }
    }
  }

  bool named(std::size_t id) const { return spec_.tokens[id].type != TokenType::kUnused; }

  void read_merges(const Json& model) {
    const Json& merges = member(model, "merges");
    spec_.merges.reserve(merges.size());
    for (const Json& merge : merges) {
      if (merge.is_string()) {
        spec_.merges.push_back(merge.get<std::string>());
      } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        const auto& left = merge[0].get_ref<const std::string&>();
        const auto& right = merge[1].get_ref<const std::string&>();
        if ((left + right).find(' ') != std::string::npos) {
          fail(ErrorCode::kUnsupported, "{}: merge {} holds a space", source_, spec_.merges.size());
        }
        spec_.merges.push_back(left + " " + right);
      } else {
        fail(ErrorCode::kInvalidInput, "{}: merge {} is neither a string nor a pair of strings", source_,
             spec_.merges.size());
      }
    }
    spec_.ignore_merges = JsonFields{model, source_}.boolean("ignore_merges", false);
    if (spec_.kind == TokenizerKind::kSpmBpe) set_scores(member(model, "vocab"));
  }

  // Scores in the order of the merges, so that the spec can be written to formats that know only scores.
  void set_scores(const Json& vocab) {
    std::vector<bool> scored(spec_.tokens.size(), false);
    for (std::size_t rank = 0; rank < spec_.merges.size(); ++rank) {
      const std::string& merge = spec_.merges[rank];
      const std::size_t space = merge.find(' ');
      if (space == std::string::npos) continue;  // refused where the tokenizer is built
      const auto it = vocab.find(merge.substr(0, space) + merge.substr(space + 1));
      if (it == vocab.end() || scored[it->get<std::size_t>()]) continue;
      scored[it->get<std::size_t>()] = true;
      spec_.tokens[it->get<std::size_t>()].score = -static_cast<float>(rank);
    }
    for (std::size_t id = 0; id < scored.size(); ++id) {
      if (!scored[id] && spec_.tokens[id].type == TokenType::kNormal) {
        spec_.tokens[id].score = -static_cast<float>(spec_.merges.size() + id);
      }
    }
  }

  void read_added_tokens(const Json& list) {
    if (list.is_null()) return;
    if (!list.is_array()) fail(ErrorCode::kInvalidInput, "{}: added_tokens must be an array", source_);
    std::vector<AddedToken> added;
    for (const Json& item : list) {
      const JsonFields fields{item, source_};
      added.push_back({.id = fields.integer("id", -1, -1, std::numeric_limits<TokenId>::max()),
                       .text = fields.text("content", ""),
                       .special = fields.boolean("special", false),
                       .lstrip = fields.boolean("lstrip", false),
                       .rstrip = fields.boolean("rstrip", false)});
    }
    add_tokens(spec_, added);
  }

  // A template like "<s> $A" says that texts begin with BOS.
  void read_post_processor(const Json& post, int depth) {
    if (!post.is_object() || depth > kMaxNesting) return;
    for (const Json& part : elements(member(post, "processors"))) read_post_processor(part, depth + 1);
    if (type_of(post, source_) != "TemplateProcessing") return;
    bool before_text = true;
    for (const Json& item : elements(member(post, "single"))) {
      if (!member(item, "Sequence").is_null()) before_text = false;
      const Json& special = member(member(item, "SpecialToken"), "id");
      if (!special.is_string()) continue;
      const TokenId id = find_token(spec_, special.get_ref<const std::string&>());
      if (id == kNoToken) continue;
      (before_text ? spec_.bos : spec_.eos) = id;
      (before_text ? spec_.add_bos : spec_.add_eos) = true;
    }
  }

  void name_pre_tokenizer() {
    if (spec_.kind == TokenizerKind::kSpmBpe) return;
    if (!byte_level_) fail_unsupported(source_, "pre-tokenizer", "none (only byte-level ones are)");
    const std::string name = pre_tokenizer_name(spec_.split_patterns, spec_.ignore_merges);
    if (name.empty()) return;
    spec_.pre = name;
    spec_.split_patterns.clear();
  }

  const Json& root_;
  const std::string& source_;
  TokenizerSpec spec_;
  bool byte_level_ = false;
};

}  // namespace

TokenizerSpec parse_tokenizer_json(std::string_view text, const std::string& source) {
  const Json root = parse_json(text, source);
  return JsonTokenizerReader(root, source).read();
}

TokenizerSpec parse_vocab_and_merges(std::string_view vocab_json, std::string_view merges_txt,
                                     const std::string& source) {
  Json root;
  root["model"]["vocab"] = parse_json(vocab_json, source);
  Json& merges = root["model"]["merges"] = Json::array();
  bool first = true;
  while (!merges_txt.empty()) {
    const std::size_t end = std::min(merges_txt.find('\n'), merges_txt.size());
    std::string_view line = merges_txt.substr(0, end);
    merges_txt.remove_prefix(std::min(end + 1, merges_txt.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool header = first && line.starts_with("#version");
    first = false;
    if (!line.empty() && !header) merges.push_back(line);
  }
  root["pre_tokenizer"]["type"] = "ByteLevel";
  TokenizerSpec spec = JsonTokenizerReader(root, source).read();
  for (TokenEntry& token : spec.tokens) {
    if (looks_like_control_token(token.text)) token.type = TokenType::kControl;
  }
  spec.bos = spec.eos = find_token(spec, "<|endoftext|>");
  return spec;
}

}  // namespace minnow
