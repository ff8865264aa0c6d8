// tokenizer.json and tokenizer_config.json from a TokenizerSpec.
#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "formats/quote_name.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_pre.h"
#include "formats/tokenizer_vocabulary.h"

namespace minnow {
namespace {

std::string json_string(std::string_view text) {
  return Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

const std::string& text_of(const TokenizerSpec& spec, TokenId id) {
  return spec.tokens[static_cast<std::size_t>(id)].text;
}

// Pieces of normal tokens joined from two others, in the order in which SPM would join them: by score, then
// as found.
std::vector<std::string> merges_from_scores(const TokenizerSpec& spec) {
  std::unordered_map<std::string_view, TokenId> ids;
  std::vector<TokenId> by_score;
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    if (spec.tokens[id].type != TokenType::kNormal) continue;
    ids.emplace(spec.tokens[id].text, static_cast<TokenId>(id));
    by_score.push_back(static_cast<TokenId>(id));
  }
  std::ranges::stable_sort(by_score, std::greater<>(),
                           [&](TokenId id) { return spec.tokens[static_cast<std::size_t>(id)].score; });
  std::vector<std::string> merges;
  for (const TokenId id : by_score) {
    const std::string_view piece = text_of(spec, id);
    if (piece.size() > limits::kMaxPieceBytes) continue;
    for (std::size_t cut = 1; cut < piece.size(); ++cut) {
      const auto left = ids.find(piece.substr(0, cut)), right = ids.find(piece.substr(cut));
      if (left == ids.end() || right == ids.end()) continue;
      merges.push_back(std::string(left->first).append(" ").append(right->first));
    }
  }
  return merges;
}

std::string vocab_json(const TokenizerSpec& spec) {
  std::string out = "{";
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    if (id > 0) out += ",";
    fmt::format_to(std::back_inserter(out), "\n      {}: {}", json_string(spec.tokens[id].text), id);
  }
  return out += "\n    }";
}

std::string merges_json(const std::vector<std::string>& merges) {
  std::string out = "[";
  for (std::size_t i = 0; i < merges.size(); ++i) {
    out += i > 0 ? ",\n      " : "\n      ";
    out += json_string(merges[i]);
  }
  return out += merges.empty() ? "]" : "\n    ]";
}

OrderedJson added_token_json(const TokenizerSpec& spec, std::size_t id) {
  const TokenEntry& token = spec.tokens[id];
  return {{"id", id},
          {"content", to_valid_utf8(token.text)},
          {"single_word", false},
          {"lstrip", token.lstrip},
          {"rstrip", token.rstrip},
          {"normalized", false},
          {"special", token.type != TokenType::kUserDefined}};
}

OrderedJson added_tokens_json(const TokenizerSpec& spec) {
  OrderedJson list = OrderedJson::array();
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    const TokenType type = spec.tokens[id].type;
    if (type == TokenType::kControl || type == TokenType::kUserDefined || type == TokenType::kUnknown) {
      list.push_back(added_token_json(spec, id));
    }
  }
  return list;
}

OrderedJson byte_level_json(bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

OrderedJson pre_tokenizer_json(const TokenizerSpec& spec) {
  if (spec.kind == TokenizerKind::kSpmBpe) return nullptr;
  std::vector<std::string> patterns = spec.split_patterns;
  if (patterns.empty()) {
    for (const std::string_view pattern : find_pre_tokenizer(spec.pre).patterns)
      patterns.emplace_back(pattern);
  }
  if (patterns.empty()) {
    fail(ErrorCode::kUnsupported, "{}: pre-tokenizer {} is not known", spec.source, quote_name(spec.pre));
  }
  if (patterns.size() == 1 && patterns[0] == split_patterns::kGpt2) return byte_level_json(true);
  OrderedJson parts = OrderedJson::array();
  for (const std::string& pattern : patterns) {
    parts.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  }
  parts.push_back(byte_level_json(false));
  return {{"type", "Sequence"}, {"pretokenizers", std::move(parts)}};
}

OrderedJson normalizer_json(const TokenizerSpec& spec) {
  OrderedJson parts = OrderedJson::array();
  if (spec.normalize_nfc) parts.push_back({{"type", "NFC"}});
  if (spec.kind == TokenizerKind::kSpmBpe) {
    if (spec.add_space_prefix) parts.push_back({{"type", "Prepend"}, {"prepend", kSpaceSymbol}});
    parts.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpaceSymbol}});
  }
  if (parts.empty()) return nullptr;
  return {{"type", "Sequence"}, {"normalizers", std::move(parts)}};
}

OrderedJson decoder_json(const TokenizerSpec& spec) {
  if (spec.kind == TokenizerKind::kByteBpe) return byte_level_json(true);
  OrderedJson parts = OrderedJson::array();
  parts.push_back({{"type", "Replace"}, {"pattern", {{"String", kSpaceSymbol}}}, {"content", " "}});
  parts.push_back({{"type", "ByteFallback"}});
  parts.push_back({{"type", "Fuse"}});
  if (spec.add_space_prefix) {
    parts.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  return {{"type", "Sequence"}, {"decoders", std::move(parts)}};
}

// What to put around a text: BOS before, EOS after.
OrderedJson post_processor_json(const TokenizerSpec& spec) {
  OrderedJson single = OrderedJson::array(), named = OrderedJson::object();
  const auto put = [&](TokenId id) {
    const std::string text = to_valid_utf8(text_of(spec, id));
    single.push_back({{"SpecialToken", {{"id", text}, {"type_id", 0}}}});
    named[text] = {{"id", text}, {"ids", OrderedJson::array({id})}, {"tokens", OrderedJson::array({text})}};
  };
  if (spec.add_bos && spec.bos != kNoToken) put(spec.bos);
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  if (spec.add_eos && spec.eos != kNoToken) put(spec.eos);
  if (named.empty()) return nullptr;
  OrderedJson pair = single;
  pair.push_back({{"Sequence", {{"id", "B"}, {"type_id", 0}}}});
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", named}};
}

}  // namespace

std::string tokenizer_json_text(const TokenizerSpec& spec) {
  const bool spm = spec.kind == TokenizerKind::kSpmBpe;
  const bool has_bytes = std::ranges::any_of(
      spec.tokens, [](const TokenEntry& token) { return token.type == TokenType::kByte; });
  const OrderedJson unknown =
      spm && spec.unk != kNoToken ? OrderedJson(to_valid_utf8(text_of(spec, spec.unk))) : nullptr;
  const std::vector<std::string> merges = spm && spec.merges.empty() ? merges_from_scores(spec) : spec.merges;
  std::string out = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n";
  const auto section = [&](const char* key, const OrderedJson& value) {
    out += fmt::format("  \"{}\": {},\n", key, value.dump());
  };
  section("added_tokens", added_tokens_json(spec));
  section("normalizer", normalizer_json(spec));
  section("pre_tokenizer", pre_tokenizer_json(spec));
  section("post_processor", post_processor_json(spec));
  section("decoder", decoder_json(spec));
  out += fmt::format(
      "  \"model\": {{\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": {},\n    "
      "\"fuse_unk\": {},\n"
      "    \"byte_fallback\": {},\n    \"ignore_merges\": {},\n    \"vocab\": ",
      unknown.dump(), spm, spm && has_bytes, spec.ignore_merges);
  out += vocab_json(spec);
  out += ",\n    \"merges\": ";
  out += merges_json(merges);
  return out += "\n  }\n}\n";
}

std::string tokenizer_config_text(const TokenizerSpec& spec) {
  OrderedJson config = {{"add_bos_token", spec.add_bos}, {"add_eos_token", spec.add_eos}};
  const auto name = [&](const char* key, TokenId id) {
    config[key] = id == kNoToken ? OrderedJson() : OrderedJson(to_valid_utf8(text_of(spec, id)));
  };
  name("bos_token", spec.bos);
  name("eos_token", spec.eos);
  name("pad_token", spec.pad);
  name("unk_token", spec.unk);
  config["clean_up_tokenization_spaces"] = false;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  if (!spec.chat_template.empty()) config["chat_template"] = to_valid_utf8(spec.chat_template);
  return config.dump(2) + "\n";
}

void write_tokenizer_folder(const TokenizerSpec& spec, const std::filesystem::path& folder) {
  const auto write = [&](const char* name, const std::string& text) {
    AtomicFile file(folder / name);
    file.write(text);
    file.commit();
  };
  write("tokenizer.json", tokenizer_json_text(spec));
  write("tokenizer_config.json", tokenizer_config_text(spec));
}

}  // namespace minnow
