#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_pre.h"

namespace minnow {
namespace {

using Strings = std::vector<std::string>;

Json byte_level_json() {
  return Json::parse(R"({
    "added_tokens": [
      {"id": 3, "content": "<|im_end|>", "special": true, "lstrip": false, "rstrip": true},
      {"id": 4, "content": "<tool>", "special": false},
      {"id": 6, "content": "<|fim|>", "special": false}],
    "normalizer": {"type": "NFC"},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": null,
    "model": {"type": "BPE", "unk_token": null, "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})");
}

Json sentencepiece_json() {
  return Json::parse(R"({
    "added_tokens": [{"id": 1, "content": "<s>", "special": true}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
       {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "pre_tokenizer": null,
    "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
       {"Sequence": {"id": "A", "type_id": 0}}]},
    "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true,
      "vocab": {"<unk>": 0, "<s>": 1, "<0x0A>": 2, "▁": 3, "a": 4, "▁a": 5, "aa": 6},
      "merges": [["▁", "a"], ["a", "a"]]}})");
}

TokenizerSpec parse(const Json& json) { return parse_tokenizer_json(json.dump(), "tokenizer.json"); }

ErrorCode error_of(const Json& json) {
  try {
    parse(json);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "not refused: " << json.dump().substr(0, 300);
  return ErrorCode::kInternal;
}

TEST(TokenizerJson, ReadsByteLevelBpe) {
  const TokenizerSpec spec = parse(byte_level_json());
  EXPECT_EQ(spec.kind, TokenizerKind::kByteBpe);
  EXPECT_EQ(spec.pre, "gpt-2");
  EXPECT_TRUE(spec.splits.empty());
  EXPECT_EQ(spec.normalizers, std::vector<NormalizerStep>{{.kind = NormalizerStep::Kind::kNfc}});
  EXPECT_EQ(spec.merges, Strings{"a b"});
  ASSERT_EQ(spec.tokens.size(), 7u);
  EXPECT_EQ(spec.tokens[3].type, TokenType::kControl);
  EXPECT_TRUE(spec.tokens[3].rstrip);
  EXPECT_EQ(spec.tokens[4].type, TokenType::kUserDefined);
  EXPECT_EQ(spec.tokens[5].type, TokenType::kUnused) << "a hole in the ids";
  EXPECT_EQ(spec.tokens[5].text, "[PAD5]");
  EXPECT_EQ(spec.tokens[6].type, TokenType::kControl) << "shaped like one, whatever the file says";
}

TEST(TokenizerJson, ReadsSentencePieceLikeBpe) {
  const TokenizerSpec spec = parse(sentencepiece_json());
  EXPECT_EQ(spec.kind, TokenizerKind::kSpmBpe);
  EXPECT_TRUE(spec.add_space_prefix);
  EXPECT_EQ(spec.unk, 0);
  EXPECT_EQ(spec.bos, 1);
  EXPECT_TRUE(spec.add_bos);
  EXPECT_EQ(spec.tokens[0].type, TokenType::kUnknown);
  EXPECT_EQ(spec.tokens[2].type, TokenType::kByte);
  EXPECT_EQ(spec.merges, (Strings{"▁ a", "a a"}));
  EXPECT_GT(spec.tokens[5].score, spec.tokens[6].score) << "scores follow the order of the merges";
  EXPECT_GT(spec.tokens[6].score, spec.tokens[4].score);
}

TEST(TokenizerJson, ReadsMetaspaceInsteadOfNormalizers) {
  Json json = sentencepiece_json();
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}, {"split", false}};
  EXPECT_TRUE(parse(json).add_space_prefix);
  EXPECT_FALSE(parse(json).prefix_after_special);
  EXPECT_FALSE(parse_tokenizer_json(tokenizer_json_text(parse(json)), "again").prefix_after_special);
  json["pre_tokenizer"]["prepend_scheme"] = "never";
  EXPECT_FALSE(parse(json).add_space_prefix);
  json["pre_tokenizer"]["split"] = true;
  EXPECT_TRUE(parse(json).split_at_spaces);
}

TEST(TokenizerJson, RecognizesSplitExpressionsAndKeepsOthers) {
  Json json = byte_level_json();
  const auto with_pattern = [&](std::string_view pattern, bool ignore_merges) {
    json["pre_tokenizer"] = Json::parse(R"({"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated", "invert": false},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})");
    json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = pattern;
    json["model"]["ignore_merges"] = ignore_merges;
    return parse(json);
  };
  EXPECT_EQ(with_pattern(split_patterns::kLlama3, true).pre, "llama-bpe");
  EXPECT_EQ(with_pattern(split_patterns::kLlama3, false).pre, "dbrx")
      << "the name of the one that heeds merges";
  EXPECT_EQ(with_pattern(split_patterns::kQwen2, false).pre, "qwen2");
  const TokenizerSpec own = with_pattern("[a-z]+", false);
  EXPECT_EQ(own.splits, std::vector<SplitStep>{{"[a-z]+"}});
}

TEST(TokenizerJson, ReadsDigitsBeforeByteLevelAsSmollm) {
  Json json = byte_level_json();
  json["pre_tokenizer"] = Json::parse(R"({"type": "Sequence", "pretokenizers": [
      {"type": "Digits", "individual_digits": true},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]})");
  EXPECT_EQ(parse(json).pre, "smollm");
}

TEST(TokenizerJson, RefusesWhatItDoesNotDo) {
  const auto refuses = [](ErrorCode code, const char* pointer, Json value) {
    Json json = byte_level_json();
    json[Json::json_pointer(pointer)] = std::move(value);
    EXPECT_EQ(error_of(json), code) << pointer;
  };
  refuses(ErrorCode::kUnsupported, "/model/type", "WordLevel");
  refuses(ErrorCode::kUnsupported, "/model/type", "Unigram");
  refuses(ErrorCode::kUnsupported, "/normalizer", {{"type", "Nmt"}});
  refuses(ErrorCode::kInvalidInput, "/normalizer", {{"type", "Replace"}, {"content", "x"}});
  refuses(ErrorCode::kInvalidInput, "/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "?"}});
  refuses(ErrorCode::kUnsupported, "/decoder", {{"type", "CTC"}});
  refuses(ErrorCode::kUnsupported, "/post_processor", {{"type", "Martian"}});
  refuses(ErrorCode::kInvalidInput, "/post_processor",
          Json::parse(R"({"type": "BertProcessing", "cls": ["[CLS]", 0], "sep": ["[SEP]", 0]})"));
  refuses(ErrorCode::kUnsupported, "/pre_tokenizer", {{"type", "BertPreTokenizer"}});
  refuses(ErrorCode::kUnsupported, "/pre_tokenizer", nullptr);
  refuses(ErrorCode::kUnsupported, "/model/continuing_subword_prefix", "##");
  refuses(ErrorCode::kUnsupported, "/model/merges", Json::array({Json::array({"a c", "b"})}));
  refuses(ErrorCode::kInvalidInput, "/model/merges", Json::array({1}));
  refuses(ErrorCode::kInvalidInput, "/model/merges", "a b");
  refuses(ErrorCode::kInvalidInput, "/model/vocab/a", -1);
  refuses(ErrorCode::kInvalidInput, "/model/vocab/a", 1.5);
  refuses(ErrorCode::kInvalidInput, "/model/vocab/a", 1);
  refuses(ErrorCode::kInvalidInput, "/model/vocab/a", 3'000'000);
  refuses(ErrorCode::kInvalidInput, "/model/vocab/a", uint64_t{1} << 63);
  refuses(ErrorCode::kInvalidInput, "/added_tokens/0/id", -1);
  refuses(ErrorCode::kInvalidInput, "/added_tokens/0/id", 2'000'000'000);
  refuses(ErrorCode::kInvalidInput, "/added_tokens/0/id", 1);
  refuses(ErrorCode::kInvalidInput, "/added_tokens", 5);
  EXPECT_THROW(parse_tokenizer_json("[1]", "x"), Error);
  EXPECT_THROW(parse_tokenizer_json("{", "x"), Error);
  EXPECT_THROW(parse_tokenizer_json("", "x"), Error);
}

TEST(TokenizerJson, BoundsNestedSequences) {
  Json pre = {{"type", "ByteLevel"}};
  for (int i = 0; i < 20; ++i) pre = {{"type", "Sequence"}, {"pretokenizers", Json::array({pre})}};
  Json json = byte_level_json();
  json["pre_tokenizer"] = pre;
  EXPECT_EQ(error_of(json), ErrorCode::kUnsupported);
}

TEST(TokenizerJson, ReadsVocabAndMergesFiles) {
  const TokenizerSpec spec = parse_vocab_and_merges(R"({"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3})",
                                                    "#version: 0.2\r\na b\r\n\n", "vocab.json");
  EXPECT_EQ(spec.merges, Strings{"a b"});
  EXPECT_EQ(spec.pre, "gpt-2");
  EXPECT_EQ(spec.eos, 3);
  EXPECT_EQ(spec.tokens[3].type, TokenType::kControl);
  EXPECT_THROW(parse_vocab_and_merges("[]", "", "vocab.json"), Error);
}

TEST(TokenizerSideFiles, NameTheSpecialTokens) {
  TokenizerSpec spec = parse(byte_level_json());
  TokenizerSideFiles files;
  files.tokenizer_config = R"({"bos_token": {"content": "a"}, "eos_token": "<|im_end|>", "pad_token": null,
    "unk_token": "nowhere", "add_bos_token": true, "chat_template": [
      {"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}],
    "added_tokens_decoder": {"7": {"content": "<|x|>", "special": true}}})";
  files.generation_config = R"({"eos_token_id": [3, 7], "bos_token_id": 1})";
  files.added_tokens = R"({"<more>": 8})";
  apply_tokenizer_side_files(spec, files);
  EXPECT_EQ(spec.bos, 0);
  EXPECT_EQ(spec.tokens[0].type, TokenType::kControl);
  EXPECT_EQ(spec.eos, 3);
  EXPECT_EQ(spec.unk, kNoToken);
  EXPECT_TRUE(spec.add_bos);
  EXPECT_EQ(spec.extra_eog, std::vector<TokenId>{7});
  EXPECT_EQ(spec.chat_template, "D");
  EXPECT_EQ(spec.tool_template, "T");
  EXPECT_EQ(spec.tokens[7].type, TokenType::kControl);
  EXPECT_EQ(spec.tokens[8].type, TokenType::kUserDefined);
}

TEST(TokenizerSideFiles, TheJinjaFileWinsOverTheConfig) {
  TokenizerSpec spec = parse(byte_level_json());
  apply_tokenizer_side_files(spec,
                             {.tokenizer_config = R"({"chat_template": "old"})", .chat_template = "new"});
  EXPECT_EQ(spec.chat_template, "new");
  const char* list = R"({"chat_template": [{"name": "default", "template": "D"}, {"name": "tool_use", "template": "T"}]})";
  apply_tokenizer_side_files(spec, {.tokenizer_config = list, .chat_template = "new"});
  EXPECT_EQ(spec.chat_template, "new");
  EXPECT_EQ(spec.tool_template, "") << "the one of the config goes with another";
  apply_tokenizer_side_files(spec, {.tokenizer_config = list, .chat_template = "new", .tool_template = "new, with tools"});
  EXPECT_EQ(spec.tool_template, "new, with tools");
}

TEST(TokenizerSideFiles, TheClassTellsHowAVocabularyIsSplit) {
  const auto with_class = [](const char* config) {
    TokenizerSpec spec = parse_vocab_and_merges(R"({"a": 0})", "", "vocab.json");
    apply_tokenizer_side_files(spec, {.tokenizer_config = config, .split_by_class = true});
    return spec;
  };
  EXPECT_EQ(with_class(R"({"tokenizer_class": "Qwen2Tokenizer"})").pre, "qwen2");
  EXPECT_EQ(with_class(R"({"tokenizer_class": "GPT2TokenizerFast"})").pre, "gpt-2");
  EXPECT_THROW(with_class(R"({"tokenizer_class": "MartianTokenizer"})"), Error);
}

TEST(TokenizerSideFiles, RefuseBadIdsAndTypes) {
  const auto refuses = [](TokenizerSideFiles files) {
    TokenizerSpec spec = parse(byte_level_json());
    EXPECT_THROW(apply_tokenizer_side_files(spec, files), Error);
  };
  refuses({.tokenizer_config = "[]"});
  refuses({.tokenizer_config = R"({"bos_token": 5})"});
  refuses({.tokenizer_config = R"({"added_tokens_decoder": {"x": {"content": "a"}}})"});
  refuses({.tokenizer_config = R"({"added_tokens_decoder": {"99999999999": {"content": "a"}}})"});
  refuses({.tokenizer_config = R"({"added_tokens_decoder": [1]})"});
  refuses({.tokenizer_config = R"({"chat_template": 1})"});
  refuses({.tokenizer_config = R"({"chat_template": [1]})"});
  refuses({.added_tokens = R"({"x": "y"})"});
  refuses({.added_tokens = R"({"x": 0})"});
  refuses({.generation_config = R"({"eos_token_id": 99})"});
  refuses({.generation_config = R"({"eos_token_id": [[1]]})"});
  refuses({.generation_config = R"({"eos_token_id": -1})"});
}

TEST(TokenizerExport, WritesATokenizerJsonThatReadsBack) {
  for (const Json& json : {byte_level_json(), sentencepiece_json()}) {
    TokenizerSpec spec = parse(json);
    spec.chat_template = "{{ messages }}";
    if (json == byte_level_json()) spec.tool_template = "{{ tools }}";
    TokenizerSpec again = parse_tokenizer_json(tokenizer_json_text(spec), "again");
    apply_tokenizer_side_files(again, {.tokenizer_config = tokenizer_config_text(spec)});
    ASSERT_EQ(again.tokens.size(), spec.tokens.size());
    for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
      EXPECT_EQ(again.tokens[i].text, spec.tokens[i].text);
      EXPECT_EQ(again.tokens[i].type, spec.tokens[i].type) << spec.tokens[i].text;
      EXPECT_EQ(again.tokens[i].rstrip, spec.tokens[i].rstrip);
    }
    EXPECT_EQ(again.kind, spec.kind);
    EXPECT_EQ(again.merges, spec.merges);
    EXPECT_EQ(again.pre, spec.pre);
    EXPECT_EQ(again.normalizers, spec.normalizers);
    EXPECT_EQ(again.bos, spec.bos);
    EXPECT_EQ(again.add_bos, spec.add_bos);
    EXPECT_EQ(again.add_space_prefix, spec.add_space_prefix);
    EXPECT_EQ(again.chat_template, spec.chat_template);
    EXPECT_EQ(again.tool_template, spec.tool_template);
  }
}

TEST(TokenizerExport, MakesMergesFromScores) {
  TokenizerSpec spec{.kind = TokenizerKind::kSpmBpe, .source = "test"};
  for (const auto& [text, score] : std::vector<std::pair<std::string, float>>{
           {"a", -9}, {"b", -9}, {"ab", -2}, {"ba", -1}, {"aba", -3}}) {
    spec.tokens.push_back({.text = text, .score = score});
  }
  const Json json = Json::parse(tokenizer_json_text(spec));
  EXPECT_EQ(json["model"]["merges"], Json::array({"b a", "a b", "a ba", "ab a"}));
}

TEST(TokenizerExport, NeedsAKnownPreTokenizer) {
  TokenizerSpec spec = parse(byte_level_json());
  spec.pre = "martian";
  EXPECT_THROW(tokenizer_json_text(spec), Error);
}

TEST(TokenizerPre, FindsNamesWhateverTheSpelling) {
  const Strings llama_cpp = {
      R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
  EXPECT_EQ(pre_tokenizer_name(std::vector<SplitStep>{{llama_cpp[0]}}, true), "llama-bpe");
  EXPECT_EQ(pre_tokenizer_name(
                std::vector<SplitStep>{
                    {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"}},
                false),
            "gpt-2");
  EXPECT_EQ(pre_tokenizer_name(std::vector<SplitStep>{{"x"}}, false), "");
  EXPECT_TRUE(find_pre_tokenizer("martian").patterns.empty());
}

}  // namespace
}  // namespace minnow
