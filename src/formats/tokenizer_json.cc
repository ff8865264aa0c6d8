// Hugging Face tokenizer.json: the model with its vocabulary, and the added tokens.
#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_json_parts.h"
#include "formats/tokenizer_pre.h"
#include "formats/tokenizer_vocabulary.h"

namespace minnow {
namespace {

using tokenizer_json::elements;
using tokenizer_json::fail_unsupported;
using tokenizer_json::member;
using tokenizer_json::mentions;

class JsonTokenizerReader {
 public:
  JsonTokenizerReader(const Json& root, const std::string& source) : root_(root), source_(source) {
    spec_.source = source;
    spec_.add_space_prefix = false;
  }

  TokenizerSpec read() {
    const Json& model = member(root_, "model");
    spec_.kind = kind_of(model);
    read_model_options(model);
    tokenizer_json::read_normalizer(member(root_, "normalizer"), spec_);
    tokenizer_json::read_pre_tokenizer(member(root_, "pre_tokenizer"), spec_);
    tokenizer_json::read_decoder(member(root_, "decoder"), spec_);
    if (spec_.kind == TokenizerKind::kUnigram) {
      read_scored_pieces(model);
    } else {
      read_vocabulary(model);
    }
    if (is_bpe()) read_merges(model);
    read_added_tokens(member(root_, "added_tokens"));
    tokenizer_json::read_post_processor(member(root_, "post_processor"), spec_);
    name_pre_tokenizer();
    return std::move(spec_);
  }

 private:
  bool is_bpe() const { return spec_.kind == TokenizerKind::kSpmBpe || spec_.kind == TokenizerKind::kByteBpe; }

  // Early files leave the type out; then the shape of the vocabulary tells.
  TokenizerKind kind_of(const Json& model) const {
    const std::string type = tokenizer_json::type_of(model, spec_);
    const Json& vocab = member(model, "vocab");
    if (type == "Unigram" || (type.empty() && vocab.is_array())) return TokenizerKind::kUnigram;
    if (type == "WordPiece" || (type.empty() && vocab.is_object() && !member(model, "max_input_chars_per_word").is_null())) {
      return TokenizerKind::kWordPiece;
    }
    if (!type.empty() && type != "BPE") fail_unsupported(spec_, "tokenizer model", type);
    if (!vocab.is_object() || !member(model, "merges").is_array()) {
      fail(ErrorCode::kInvalidInput, "{}: model.vocab must be an object and model.merges an array", source_);
    }
    const bool spaces = JsonFields{model, source_}.boolean("byte_fallback", false) ||
                        tokenizer_json::replaces_spaces(member(root_, "normalizer"), spec_) ||
                        mentions(member(root_, "pre_tokenizer"), "Metaspace", spec_);
    return spaces ? TokenizerKind::kSpmBpe : TokenizerKind::kByteBpe;
  }

  void read_model_options(const Json& model) {
    const JsonFields fields{model, source_};
    if (is_bpe()) {
      for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
        if (!fields.text(key, "").empty()) fail_unsupported(spec_, "model option", key);
      }
      spec_.fuse_unknown = fields.boolean("fuse_unk", false);
    } else if (spec_.kind == TokenizerKind::kWordPiece) {
      constexpr int kMostChars = 1'000'000;
      spec_.max_word_chars = static_cast<int>(fields.integer("max_input_chars_per_word", 100, 1, kMostChars));
      spec_.continuing_prefix = fields.text("continuing_subword_prefix", "##");
    } else {
      spec_.byte_fallback = fields.boolean("byte_fallback", false);
      if (!mentions(member(root_, "pre_tokenizer"), "Metaspace", spec_) &&
          !tokenizer_json::replaces_spaces(member(root_, "normalizer"), spec_)) {
        fail_unsupported(spec_, "Unigram model whose spaces are not", "\u2581");
      }
    }
  }

  // Unigram: a list of [piece, score].
  void read_scored_pieces(const Json& model) {
    const Json& vocab = member(model, "vocab");
    if (!vocab.is_array() || vocab.size() > limits::kMaxVocab) {
      fail(ErrorCode::kInvalidInput, "{}: model.vocab must be an array of at most {} pieces", source_, limits::kMaxVocab);
    }
    spec_.tokens.reserve(vocab.size());
    for (const Json& item : vocab) {
      if (!item.is_array() || item.size() != 2 || !item[0].is_string() || !item[1].is_number()) {
        fail(ErrorCode::kInvalidInput, "{}: model.vocab[{}] is not a piece and its score", source_, spec_.tokens.size());
      }
      TokenEntry entry{.text = item[0].get<std::string>(), .score = item[1].get<float>()};
      if (spec_.byte_fallback && byte_token_value(entry.text) >= 0) entry.type = TokenType::kByte;
      spec_.tokens.push_back(std::move(entry));
    }
    const auto last = static_cast<int64_t>(spec_.tokens.size()) - 1;
    spec_.unk = static_cast<TokenId>(JsonFields{model, source_}.integer("unk_id", kNoToken, kNoToken, last));
    if (spec_.unk != kNoToken) spec_.tokens[static_cast<std::size_t>(spec_.unk)].type = TokenType::kUnknown;
  }

  void read_vocabulary(const Json& model) {
    const Json& vocab = member(model, "vocab");
    if (!vocab.is_object()) fail(ErrorCode::kInvalidInput, "{}: model.vocab must be an object", source_);
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
                       .rstrip = fields.boolean("rstrip", false),
                       .single_word = fields.boolean("single_word", false),
                       .normalized = fields.boolean("normalized", !fields.boolean("special", false))});
    }
    add_tokens(spec_, added);
  }

  void name_pre_tokenizer() {
    if (spec_.kind != TokenizerKind::kByteBpe) return;
    if (!mentions(member(root_, "pre_tokenizer"), "ByteLevel", spec_)) {
      fail_unsupported(spec_, "pre-tokenizer", "none (only byte-level ones are)");
    }
    const std::string name = pre_tokenizer_name(spec_.splits, spec_.ignore_merges);
    if (name.empty()) return;
    spec_.pre = name;
    spec_.splits.clear();
  }

  const Json& root_;
  const std::string& source_;
  TokenizerSpec spec_;
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

TokenizerSpec parse_wordpiece_vocabulary(std::string_view text, const std::string& source) {
  TokenizerSpec spec{.kind = TokenizerKind::kWordPiece, .source = source};
  spec.normalizers = {{.kind = NormalizerStep::Kind::kBert}};
  spec.splits = {{std::string(split_patterns::kSpaces), SplitBehavior::kRemoved},
                 {std::string(split_patterns::kPunctuation)}};
  spec.decode_cleanup = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (spec.tokens.size() == limits::kMaxVocab) fail(ErrorCode::kLimit, "{}: too many tokens", source);
    spec.tokens.push_back({.text = std::string(line)});
  }
  const auto special = [&](std::string_view name) {
    const TokenId id = find_token(spec, name);
    if (id != kNoToken) spec.tokens[static_cast<std::size_t>(id)].type = TokenType::kControl;
    return id;
  };
  spec.bos = special("[CLS]");
  spec.eos = special("[SEP]");
  spec.unk = special("[UNK]");
  spec.pad = special("[PAD]");
  special("[MASK]");
  if (spec.unk == kNoToken) fail(ErrorCode::kInvalidInput, "{}: not BERT's vocabulary (it has no [UNK])", source);
  spec.add_bos = spec.add_eos = true;
  return spec;
}

}  // namespace minnow
