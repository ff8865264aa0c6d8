#include "respond/thinking.h"

#include <gtest/gtest.h>

#include "models/family.h"
#include "models/random_model.h"

namespace minnow {
namespace {

std::shared_ptr<const Tokenizer> tokenizer_with(const std::vector<std::pair<std::string, TokenType>>& pieces) {
  TokenizerSpec spec = *random_model({.family = &kLlama, .n_vocab = 700}, 1).tokenizer;
  std::size_t next = 600;
  for (const auto& [text, type] : pieces) spec.tokens[next++] = {text, -1e4f, type};
  return Tokenizer::build(std::move(spec));
}

const OutputFormat& format(std::string_view name) { return *find_output_format(name); }

TEST(Thinking, HasBegunWhereThePromptEndsInItsMark) {
  const auto plain = tokenizer_with({});
  for (const MayThink may : {MayThink::kIfItWants, MayThink::kIfItHasBegun}) {
    const auto thinking = thinking_before_answer(format("hermes"), *plain, "assistant\n<think>\n", may);
    ASSERT_TRUE(thinking);
    EXPECT_EQ(thinking->ends_with, "</think>");
    EXPECT_EQ(thinking->opening, kNoToken);
  }
}

TEST(Thinking, IsTheModelsChoiceWhereItsMarkIsOneTokenAndNothingElseIsWrittenWithIt) {
  const auto with = tokenizer_with({{"<think>", TokenType::kControl}, {"</think>", TokenType::kControl}}), without = tokenizer_with({});
  const auto thinking = thinking_before_answer(format("hermes"), *with, "assistant\n", MayThink::kIfItWants);
  ASSERT_TRUE(thinking);
  EXPECT_EQ(thinking->opening, 600);
  EXPECT_EQ(thinking->opening_text, "<think>");
  EXPECT_FALSE(thinking_before_answer(format("hermes"), *without, "assistant\n", MayThink::kIfItWants)) << "spelled with letters";
  EXPECT_FALSE(thinking_before_answer(format("hermes"), *with, "assistant\n", MayThink::kIfItHasBegun));
  EXPECT_FALSE(thinking_before_answer(format("hermes"), *with, "assistant\n<think>\n\n</think>\n\n", MayThink::kIfItWants)) << "it is over";
  const auto gemma = tokenizer_with({{"<|channel>", TokenType::kControl}});
  const auto first = thinking_before_answer(format("gemma-4"), *gemma, "model\n", MayThink::kIfItWants);
  ASSERT_TRUE(first) << "the mark's first token tells";
  EXPECT_EQ(first->opening_text, "<|channel>");
  EXPECT_FALSE(thinking_before_answer(format("functionary-3.1"), *with, "assistant\n", MayThink::kIfItWants)) << "has no thinking";
}

TEST(Thinking, WhereChannelsAreSpokenTheAnswerIsInTheFinalOne) {
  const auto plain = tokenizer_with({});
  const auto thinking = thinking_before_answer(format("harmony"), *plain, "<|start|>assistant", MayThink::kIfItWants);
  ASSERT_TRUE(thinking);
  EXPECT_EQ(thinking->ends_with, "<|channel|>final<|message|>");
  EXPECT_EQ(thinking->opening, kNoToken);
  const std::string before = "<|start|>assistant<|channel|>final<|message|>Hello";
  EXPECT_FALSE(thinking_before_answer(format("harmony"), *plain, before, MayThink::kIfItHasBegun)) << "goes on in it";
  EXPECT_TRUE(thinking_before_answer(format("harmony"), *plain, before + "<|end|><|start|>assistant", MayThink::kIfItWants));
  EXPECT_TRUE(speaks_in_channels(format("harmony")));
  EXPECT_FALSE(speaks_in_channels(format("hermes")));
}

TEST(Thinking, IsKnownFromTheTemplate) {
  EXPECT_TRUE(knows_thinking(format("hermes"), "{% if '</think>' in content %}"));
  EXPECT_TRUE(knows_thinking(format("llama-3"), "{% if enable_thinking %}"));
  EXPECT_FALSE(knows_thinking(format("hermes"), "<tool_call>{{ content }}"));
}

}  // namespace
}  // namespace minnow
