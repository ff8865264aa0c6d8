#include "formats/tokenizer_gguf.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"

namespace minnow {
namespace {

using Strings = std::vector<std::string>;

GgufMetadata spm_metadata() {
  GgufMetadata metadata("test.gguf");
  metadata.set("tokenizer.ggml.model", std::string("llama"));
  metadata.set("tokenizer.ggml.tokens", Strings{"<unk>", "<s>", "</s>", "a"});
  metadata.set("tokenizer.ggml.scores", std::vector<float>{0, 0, 0, -1});
  metadata.set("tokenizer.ggml.token_type", std::vector<int32_t>{2, 3, 3, 1});
  metadata.set("tokenizer.ggml.bos_token_id", uint32_t{1});
  return metadata;
}

GgufMetadata bpe_metadata() {
  GgufMetadata metadata("test.gguf");
  metadata.set("tokenizer.ggml.model", std::string("gpt2"));
  metadata.set("tokenizer.ggml.pre", std::string("llama-bpe"));
  metadata.set("tokenizer.ggml.tokens", Strings{"a", "b", "ab", "<|end|>"});
  metadata.set("tokenizer.ggml.token_type", std::vector<int32_t>{1, 1, 0, 3});
  metadata.set("tokenizer.ggml.merges", Strings{"a b"});
  return metadata;
}

ErrorCode error_of(const GgufMetadata& metadata) {
  try {
    tokenizer_spec_from_gguf(metadata);
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("test.gguf"), std::string::npos) << error.what();
    return error.code();
  }
  ADD_FAILURE() << "not refused";
  return ErrorCode::kInternal;
}

TEST(TokenizerGguf, ReadsSpm) {
  GgufMetadata metadata = spm_metadata();
  metadata.set("tokenizer.ggml.eos_token_id", uint32_t{2});
  metadata.set("tokenizer.ggml.padding_token_id", UINT32_MAX);  // as llama2.c's converter writes "none"
  metadata.set("tokenizer.ggml.unknown_token_id", int32_t{-1});
  metadata.set("tokenizer.chat_template", std::string("{{ x }}"));
  const TokenizerSpec spec = tokenizer_spec_from_gguf(metadata);
  EXPECT_EQ(spec.kind, TokenizerKind::kSpmBpe);
  EXPECT_EQ(spec.tokens.size(), 4u);
  EXPECT_EQ(spec.tokens[3].score, -1);
  EXPECT_EQ(spec.tokens[0].type, TokenType::kUnknown);
  EXPECT_EQ(spec.bos, 1);
  EXPECT_EQ(spec.eos, 2);
  EXPECT_EQ(spec.pad, kNoToken);
  EXPECT_EQ(spec.unk, kNoToken);
  EXPECT_TRUE(spec.add_bos) << "the default of SPM";
  EXPECT_TRUE(spec.add_space_prefix);
  EXPECT_EQ(spec.chat_template, "{{ x }}");
}

TEST(TokenizerGguf, ReadsByteBpeWithTheDefaultsOfItsPreTokenizer) {
  GgufMetadata metadata = bpe_metadata();
  TokenizerSpec spec = tokenizer_spec_from_gguf(metadata);
  EXPECT_EQ(spec.kind, TokenizerKind::kByteBpe);
  EXPECT_EQ(spec.merges, Strings{"a b"});
  EXPECT_TRUE(spec.ignore_merges);
  EXPECT_TRUE(spec.add_bos);
  EXPECT_EQ(spec.tokens[2].type, TokenType::kNormal) << "type 0 is what early converters wrote";
  metadata.set("tokenizer.ggml.pre", std::string("qwen2"));
  metadata.set("tokenizer.ggml.add_eos_token", true);
  spec = tokenizer_spec_from_gguf(metadata);
  EXPECT_FALSE(spec.ignore_merges);
  EXPECT_FALSE(spec.add_bos);
  EXPECT_TRUE(spec.add_eos);
}

TEST(TokenizerGguf, CollectsWhatEndsAnAnswer) {
  GgufMetadata metadata = bpe_metadata();
  metadata.set("tokenizer.ggml.eos_token_id", uint32_t{3});
  metadata.set("tokenizer.ggml.eot_token_id", uint32_t{2});
  metadata.set("tokenizer.ggml.eom_token_id", uint32_t{1});
  metadata.set("tokenizer.ggml.eos_token_ids", std::vector<int32_t>{3, 0, 1});
  const TokenizerSpec spec = tokenizer_spec_from_gguf(metadata);
  EXPECT_EQ(spec.eos, 3);
  EXPECT_EQ(spec.eot, 2);
  EXPECT_EQ(spec.extra_eog, (std::vector<TokenId>{1, 0}));
}

TEST(TokenizerGguf, LetsPhi3ControlTokensSwallowWhiteSpace) {
  GgufMetadata metadata = spm_metadata();
  metadata.set("general.architecture", std::string("phi3"));
  metadata.set("tokenizer.ggml.tokens", Strings{"<unk>", "<|user|>", "<|endoftext|>", "a"});
  const TokenizerSpec spec = tokenizer_spec_from_gguf(metadata);
  EXPECT_TRUE(spec.tokens[1].rstrip);
  EXPECT_FALSE(spec.tokens[2].rstrip);
}

TEST(TokenizerGguf, RefusesOtherModelsByName) {
  for (const char* model : {"plamo2", "rwkv", "hybriddna", "none"}) {
    GgufMetadata metadata = bpe_metadata();
    metadata.set("tokenizer.ggml.model", std::string(model));
    try {
      tokenizer_spec_from_gguf(metadata);
      ADD_FAILURE() << model;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_NE(std::string(error.what()).find(model), std::string::npos);
    }
  }
}

TEST(TokenizerGguf, RefusesWrongTypesLengthsAndIds) {
  const std::pair<const char*, GgufValue> changes[] = {
      {"tokenizer.ggml.tokens", std::vector<int32_t>{1, 2}},
      {"tokenizer.ggml.tokens", Strings{}},
      {"tokenizer.ggml.tokens", Strings{"a", "b"}},
      {"tokenizer.ggml.scores", std::vector<float>{0, 0, 0}},
      {"tokenizer.ggml.scores", std::vector<int32_t>{0, 0, 0, 0}},
      {"tokenizer.ggml.scores", std::vector<float>{0, 0, 0, std::numeric_limits<float>::quiet_NaN()}},
      {"tokenizer.ggml.token_type", std::vector<int32_t>{1}},
      {"tokenizer.ggml.token_type", std::vector<int32_t>{1, 1, 1, 7}},
      {"tokenizer.ggml.token_type", Strings{"1", "1", "1", "1"}},
      {"tokenizer.ggml.bos_token_id", uint32_t{4}},
      {"tokenizer.ggml.bos_token_id", std::string("1")},
      {"tokenizer.ggml.eos_token_ids", std::vector<int32_t>{4}},
      {"tokenizer.ggml.eos_token_ids", std::vector<int32_t>{-1}},
      {"tokenizer.ggml.add_bos_token", std::string("yes")},
      {"tokenizer.chat_template", true},
      {"tokenizer.chat_template.tool_use", uint32_t{1}},
      {"tokenizer.ggml.model", true},
  };
  for (const auto& [key, value] : changes) {
    GgufMetadata metadata = spm_metadata();
    metadata.set(key, value);
    EXPECT_EQ(error_of(metadata), ErrorCode::kInvalidInput) << key;
  }
  for (const char* key : {"tokenizer.ggml.model", "tokenizer.ggml.tokens", "tokenizer.ggml.scores"}) {
    GgufMetadata metadata = spm_metadata();
    metadata.erase(key);
    EXPECT_EQ(error_of(metadata), ErrorCode::kInvalidInput) << key;
  }
  GgufMetadata metadata = bpe_metadata();
  metadata.set("tokenizer.ggml.merges", true);
  EXPECT_EQ(error_of(metadata), ErrorCode::kInvalidInput);
}

TEST(TokenizerGguf, WritesWhatItReads) {
  for (GgufMetadata metadata : {spm_metadata(), bpe_metadata()}) {
    metadata.set("tokenizer.ggml.eos_token_id", uint32_t{3});
    metadata.set("tokenizer.ggml.eos_token_ids", std::vector<int32_t>{3, 2});
    metadata.set("tokenizer.chat_template", std::string("{{ x }}"));
    metadata.set("tokenizer.chat_template.tool_use", std::string("{{ tools }}"));
    const TokenizerSpec spec = tokenizer_spec_from_gguf(metadata);
    GgufMetadata written("test.gguf");
    tokenizer_spec_to_gguf(spec, written);
    const TokenizerSpec again = tokenizer_spec_from_gguf(written);
    ASSERT_EQ(again.tokens.size(), spec.tokens.size());
    for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
      EXPECT_EQ(again.tokens[i].text, spec.tokens[i].text);
      EXPECT_EQ(again.tokens[i].type, spec.tokens[i].type);
      EXPECT_EQ(again.tokens[i].score, spec.tokens[i].score);
    }
    EXPECT_EQ(again.kind, spec.kind);
    EXPECT_EQ(again.merges, spec.merges);
    EXPECT_EQ(again.pre, spec.pre);
    EXPECT_EQ(again.eos, 3);
    EXPECT_EQ(again.extra_eog, spec.extra_eog);
    EXPECT_EQ(again.add_bos, spec.add_bos);
    EXPECT_EQ(again.add_space_prefix, spec.add_space_prefix);
    EXPECT_EQ(again.ignore_merges, spec.ignore_merges);
    EXPECT_EQ(again.chat_template, spec.chat_template);
    EXPECT_EQ(again.tool_template, "{{ tools }}");
    ASSERT_NE(written.strings("tokenizer.chat_templates"), nullptr);
    EXPECT_EQ(*written.strings("tokenizer.chat_templates"), Strings{"tool_use"});
  }
}

TEST(TokenizerGguf, RefusesToWriteExpressionsWithoutAName) {
  TokenizerSpec spec = tokenizer_spec_from_gguf(bpe_metadata());
  spec.splits = {{"x+"}};
  GgufMetadata written;
  EXPECT_THROW(tokenizer_spec_to_gguf(spec, written), Error);
}

}  // namespace
}  // namespace minnow
