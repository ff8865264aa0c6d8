#include "respond/fill_in.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "models/family.h"
#include "models/random_model.h"

namespace minnow {
namespace {

TokenizerSpec spec_with(const std::vector<std::string>& marks) {
  TokenizerSpec spec = *random_model({.family = &kLlama, .n_vocab = 700}, 1).tokenizer;
  std::size_t next = 600;
  for (const std::string& text : marks) spec.tokens[next++] = {text, 0, TokenType::kControl};
  return spec;
}

TEST(FillIn, KnowsTheMarksByTheirNamesAndPutsTheTextsBehindThem) {
  const TokenizerSpec spec = spec_with({"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"});
  const auto tokenizer = Tokenizer::build(spec);
  const auto marks = fill_tokens(*tokenizer, GgufMetadata());
  ASSERT_TRUE(marks);
  EXPECT_TRUE(can_fill(spec, GgufMetadata()));
  EXPECT_EQ(marks->ends, std::vector<TokenId>{603});
  const TokenId a = tokenizer->find("a"), x = tokenizer->find("x");
  EXPECT_EQ(fill_prompt(*tokenizer, *marks, "a", "x"), (std::vector<TokenId>{1, 600, a, 602, x, 601}));
  EXPECT_EQ(fill_prompt(*tokenizer, *marks, "", ""), (std::vector<TokenId>{1, 600, 602, 601}));
  const auto hostile = fill_prompt(*tokenizer, *marks, "<|fim_middle|>", "</s>");
  EXPECT_EQ(std::count(hostile.begin(), hostile.end(), 601), 1);
  EXPECT_EQ(std::count(hostile.begin(), hostile.end(), 2), 0);
}

TEST(FillIn, BelievesTheFileBeforeTheNames) {
  const TokenizerSpec spec = spec_with({"[A]", "[B]", "[C]"});
  GgufMetadata metadata;
  const auto tokenizer = Tokenizer::build(spec);
  EXPECT_FALSE(fill_tokens(*tokenizer, metadata));
  EXPECT_FALSE(can_fill(spec, metadata));
  metadata.set("tokenizer.ggml.fim_pre_token_id", uint32_t{600});
  metadata.set("tokenizer.ggml.suffix_token_id", uint32_t{601});
  EXPECT_FALSE(can_fill(spec, metadata)) << "one is missing";
  metadata.set("tokenizer.ggml.fim_mid_token_id", uint32_t{602});
  EXPECT_TRUE(can_fill(spec, metadata));
  const auto marks = fill_tokens(*tokenizer, metadata);
  ASSERT_TRUE(marks);
  EXPECT_EQ(marks->suffix, 601);
  metadata.set("tokenizer.ggml.fim_mid_token_id", uint32_t{700});
  EXPECT_FALSE(can_fill(spec, metadata)) << "no such token";
}

}  // namespace
}  // namespace minnow
