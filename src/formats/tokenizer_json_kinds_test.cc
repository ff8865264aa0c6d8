// tokenizer.json with Unigram and WordPiece models, and the way back.
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_gguf.h"

namespace minnow {
namespace {

TokenizerSpec parse(const Json& json) { return parse_tokenizer_json(json.dump(), "tokenizer.json"); }

Json unigram_json() {
  return Json::parse(R"({
    "added_tokens": [{"id": 0, "content": "<unk>", "special": true}, {"id": 4, "content": "</s>", "special": true},
                     {"id": 5, "content": "new", "single_word": true, "normalized": true}],
    "normalizer": {"type": "Sequence", "normalizers": [
      {"type": "Precompiled", "precompiled_charsmap": "AAECAw=="},
      {"type": "Strip", "strip_left": false, "strip_right": true},
      {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "add_prefix_space": true}]},
    "post_processor": {"type": "TemplateProcessing", "single": [
      {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "new", "type_id": 0}},
      {"SpecialToken": {"id": "</s>", "type_id": 0}}]},
    "decoder": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": true},
    "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["▁", -2.5], ["a", -3.25], ["▁a", -4], ["</s>", 0]]}
  })");
}

Json wordpiece_json() {
  return Json::parse(R"({
    "added_tokens": [{"id": 0, "content": "[UNK]", "special": true}, {"id": 1, "content": "[CLS]", "special": true},
                     {"id": 2, "content": "[SEP]", "special": true}],
    "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
                   "lowercase": false},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 50, "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "##a": 4}}
  })");
}

ErrorCode error_of(const Json& json) {
  try {
    parse(json);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kInternal;
}

TEST(TokenizerJsonUnigram, ReadsPiecesStepsAndTemplate) {
  const TokenizerSpec spec = parse(unigram_json());
  EXPECT_EQ(spec.kind, TokenizerKind::kUnigram);
  ASSERT_EQ(spec.tokens.size(), 6u);
  EXPECT_EQ(spec.tokens[2].score, -3.25f);
  EXPECT_EQ(spec.tokens[0].type, TokenType::kUnknown);
  EXPECT_EQ(spec.tokens[4].type, TokenType::kControl);
  EXPECT_TRUE(spec.tokens[5].single_word);
  EXPECT_TRUE(spec.tokens[5].normalized);
  ASSERT_EQ(spec.normalizers.size(), 3u);
  EXPECT_EQ(spec.normalizers[0].content, std::string("\0\1\2\3", 4));
  EXPECT_FALSE(spec.normalizers[1].left);
  EXPECT_EQ(spec.normalizers[2].kind, NormalizerStep::Kind::kReplaceRegex);
  EXPECT_EQ(spec.splits, (std::vector<SplitStep>{{R"(\s+)", SplitBehavior::kRemoved}}));
  EXPECT_TRUE(spec.add_space_prefix && spec.prefix_unless_space && spec.prefix_after_special && spec.split_at_spaces);
  EXPECT_FALSE(spec.byte_fallback);
  EXPECT_EQ(spec.eos, 4);
  EXPECT_TRUE(spec.add_eos);
  EXPECT_EQ(spec.before_eos, std::vector<TokenId>{5});
  EXPECT_FALSE(spec.add_bos);
}

TEST(TokenizerJsonUnigram, IsRecognizedWithoutAType) {
  Json json = unigram_json();
  json["model"].erase("type");
  EXPECT_EQ(parse(json).kind, TokenizerKind::kUnigram);
}

TEST(TokenizerJsonWordPiece, ReadsOptionsAndTemplate) {
  const TokenizerSpec spec = parse(wordpiece_json());
  EXPECT_EQ(spec.kind, TokenizerKind::kWordPiece);
  EXPECT_EQ(spec.max_word_chars, 50);
  ASSERT_EQ(spec.normalizers.size(), 1u);
  EXPECT_FALSE(spec.normalizers[0].lowercase);
  EXPECT_FALSE(spec.normalizers[0].strip_accents) << "follows lowercase";
  EXPECT_EQ(spec.splits.size(), 2u);
  EXPECT_EQ(spec.bos, 1);
  EXPECT_EQ(spec.eos, 2);
  EXPECT_EQ(spec.unk, 0);
  EXPECT_TRUE(spec.add_bos && spec.add_eos && spec.decode_cleanup);
}

TEST(TokenizerJsonKinds, RefuseWhatTheyDoNotDo) {
  const auto refuses = [](ErrorCode code, Json json, const char* pointer, Json value) {
    json[Json::json_pointer(pointer)] = std::move(value);
    EXPECT_EQ(error_of(json), code) << pointer;
  };
  refuses(ErrorCode::kInvalidInput, unigram_json(), "/model/vocab/1", "x");
  refuses(ErrorCode::kInvalidInput, unigram_json(), "/model/vocab/1", Json::array({"x", "y"}));
  refuses(ErrorCode::kInvalidInput, unigram_json(), "/model/unk_id", 99);
  refuses(ErrorCode::kUnsupported, unigram_json(), "/pre_tokenizer", {{"type", "WhitespaceSplit"}});
  refuses(ErrorCode::kUnsupported, unigram_json(), "/pre_tokenizer/pretokenizers/1/replacement", "_");
  refuses(ErrorCode::kUnsupported, unigram_json(), "/pre_tokenizer/pretokenizers/2", {{"type", "Digits"}});
  refuses(ErrorCode::kUnsupported, wordpiece_json(), "/pre_tokenizer", {{"type", "ByteLevel"}});
  refuses(ErrorCode::kUnsupported, wordpiece_json(), "/decoder", {{"type", "Fuse"}});
  refuses(ErrorCode::kInvalidInput, wordpiece_json(), "/model/max_input_chars_per_word", 0);
  refuses(ErrorCode::kInvalidInput, wordpiece_json(), "/model/vocab", Json::array());
}

TEST(TokenizerJsonKinds, ReadBackWhatTheyWrite) {
  for (const Json& json : {unigram_json(), wordpiece_json()}) {
    const TokenizerSpec spec = parse(json);
    const TokenizerSpec again = parse_tokenizer_json(tokenizer_json_text(spec), "again");
    ASSERT_EQ(again.tokens.size(), spec.tokens.size());
    for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
      EXPECT_EQ(again.tokens[i].text, spec.tokens[i].text);
      EXPECT_EQ(again.tokens[i].type, spec.tokens[i].type);
      EXPECT_EQ(again.tokens[i].single_word, spec.tokens[i].single_word);
      EXPECT_EQ(again.tokens[i].score, spec.tokens[i].score);
    }
    EXPECT_EQ(again.kind, spec.kind);
    EXPECT_EQ(again.normalizers, spec.normalizers);
    EXPECT_EQ(again.splits, spec.splits);
    EXPECT_EQ(again.before_eos, spec.before_eos);
    EXPECT_EQ(again.prefix_unless_space, spec.prefix_unless_space);
    EXPECT_EQ(again.split_at_spaces, spec.split_at_spaces);
    EXPECT_EQ(again.max_word_chars, spec.max_word_chars);
    EXPECT_EQ(again.decode_cleanup, spec.decode_cleanup);
  }
}

TEST(TokenizerGgufKinds, WordPieceChangesTheMarkAndBack) {
  const TokenizerSpec spec = parse(wordpiece_json());
  GgufMetadata metadata("again.gguf");
  tokenizer_spec_to_gguf(spec, metadata);
  EXPECT_EQ(metadata.text("tokenizer.ggml.model", ""), "bert");
  const auto& texts = *metadata.strings("tokenizer.ggml.tokens");
  EXPECT_EQ(texts[3], "▁a");
  EXPECT_EQ(texts[4], "a");
  EXPECT_EQ(texts[1], "[CLS]");
  const TokenizerSpec again = tokenizer_spec_from_gguf(metadata);
  EXPECT_EQ(again.tokens[3].text, "a");
  EXPECT_EQ(again.tokens[4].text, "##a");
  EXPECT_EQ(again.normalizers, spec.normalizers);
  EXPECT_EQ(again.bos, 1);
  EXPECT_EQ(again.eos, 2);
  EXPECT_TRUE(again.add_bos && again.add_eos);
}

TEST(TokenizerGgufKinds, RefuseToLoseAnything) {
  const auto refused = [](const TokenizerSpec& spec) {
    GgufMetadata metadata("again.gguf");
    EXPECT_THROW(tokenizer_spec_to_gguf(spec, metadata), Error);
  };
  TokenizerSpec unigram = parse(unigram_json());
  refused(unigram);  // its template, and steps that GGUF has no key for
  unigram.before_eos.clear();
  refused(unigram);
  unigram.normalizers.resize(1);
  GgufMetadata metadata("again.gguf");
  tokenizer_spec_to_gguf(unigram, metadata);
  EXPECT_EQ(metadata.integers("tokenizer.ggml.precompiled_charsmap", 0, 255), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_TRUE(metadata.boolean("tokenizer.ggml.remove_extra_whitespaces", false)) << "as words apart";
  TokenizerSpec wordpiece = parse(wordpiece_json());
  wordpiece.normalizers[0].clean_text = false;
  refused(wordpiece);
}

TEST(TokenizerGgufKinds, GemmaFourIsSentencePieceWithMerges) {
  GgufMetadata metadata("gemma.gguf");
  metadata.set("tokenizer.ggml.model", std::string("gemma4"));
  metadata.set("tokenizer.ggml.tokens", std::vector<std::string>{"▁", "a", "▁a"});
  metadata.set("tokenizer.ggml.merges", std::vector<std::string>{"▁ a"});
  const TokenizerSpec spec = tokenizer_spec_from_gguf(metadata);
  EXPECT_EQ(spec.kind, TokenizerKind::kSpmBpe);
  EXPECT_EQ(spec.merges.size(), 1u);
  EXPECT_FALSE(spec.add_space_prefix);
}

}  // namespace
}  // namespace minnow
