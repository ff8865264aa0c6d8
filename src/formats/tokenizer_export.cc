// tokenizer.json and tokenizer_config.json from a TokenizerSpec.
#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "formats/tokenizer_export_parts.h"
#include "formats/tokenizer_files.h"
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
          {"single_word", token.single_word},
          {"lstrip", token.lstrip},
          {"rstrip", token.rstrip},
          {"normalized", token.normalized},
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

std::string scored_pieces_json(const TokenizerSpec& spec) {
  std::string out = "[";
  for (std::size_t id = 0; id < spec.tokens.size(); ++id) {
    if (id > 0) out += ",";
    const TokenEntry& token = spec.tokens[id];
    fmt::format_to(std::back_inserter(out), "\n      [{}, {}]", json_string(token.text),
                   Json(token.score).dump());
  }
  return out += "\n    ]";
}

std::string id_json(TokenId id) { return id == kNoToken ? "null" : std::to_string(id); }

std::string model_json(const TokenizerSpec& spec) {
  const std::string unknown = spec.unk == kNoToken ? "null" : json_string(text_of(spec, spec.unk));
  const bool has_bytes = std::ranges::any_of(
      spec.tokens, [](const TokenEntry& token) { return token.type == TokenType::kByte; });
  if (spec.kind == TokenizerKind::kUnigram) {
    return fmt::format(
        "{{\n    \"type\": \"Unigram\",\n    \"unk_id\": {},\n    \"byte_fallback\": {},\n    \"vocab\": "
        "{}\n  }}",
        id_json(spec.unk), has_bytes && spec.byte_fallback, scored_pieces_json(spec));
  }
  if (spec.kind == TokenizerKind::kWordPiece) {
    return fmt::format(
        "{{\n    \"type\": \"WordPiece\",\n    \"unk_token\": {},\n    \"continuing_subword_prefix\": {},\n  "
        "  "
        "\"max_input_chars_per_word\": {},\n    \"vocab\": {}\n  }}",
        unknown, json_string(spec.continuing_prefix), spec.max_word_chars, vocab_json(spec));
  }
  const bool spm = spec.kind == TokenizerKind::kSpmBpe;
  const std::vector<std::string> merges = spm && spec.merges.empty() ? merges_from_scores(spec) : spec.merges;
  return fmt::format(
      "{{\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": {},\n    \"fuse_unk\": {},\n   "
      " "
      "\"byte_fallback\": {},\n    \"ignore_merges\": {},\n    \"vocab\": {},\n    \"merges\": {}\n  }}",
      spm ? unknown : "null", spm && spec.fuse_unknown, spm && has_bytes, spec.ignore_merges,
      vocab_json(spec), merges_json(merges));
}

}  // namespace

std::string tokenizer_json_text(const TokenizerSpec& spec) {
  std::string out = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n";
  const auto section = [&](const char* key, const OrderedJson& value) {
    out += fmt::format("  \"{}\": {},\n", key,
                       value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
  };
  section("added_tokens", added_tokens_json(spec));
  section("normalizer", tokenizer_json::normalizer_json(spec));
  section("pre_tokenizer", tokenizer_json::pre_tokenizer_json(spec));
  section("post_processor", tokenizer_json::post_processor_json(spec));
  section("decoder", tokenizer_json::decoder_json(spec));
  return out += fmt::format("  \"model\": {}\n}}\n", model_json(spec));
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
  const std::string chat_template = to_valid_utf8(spec.chat_template), tool_template = to_valid_utf8(spec.tool_template);
  if (!tool_template.empty()) {
    OrderedJson& list = config["chat_template"] = OrderedJson::array();
    if (!chat_template.empty()) list.push_back({{"name", "default"}, {"template", chat_template}});
    list.push_back({{"name", "tool_use"}, {"template", tool_template}});
  } else if (!chat_template.empty()) {
    config["chat_template"] = chat_template;
  }
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
