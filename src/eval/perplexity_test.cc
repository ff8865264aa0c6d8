#include "eval/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "models/family.h"
#include "models/random_model.h"

namespace minnow {
namespace {

std::unique_ptr<Engine> tiny_engine() {
  return std::make_unique<Engine>(std::make_shared<const Model>(random_model({.family = &kLlama}, 4)),
                                  EngineOptions{.n_ctx = 64, .kv_type = KvType::kF32, .n_threads = 1, .reuse_prefixes = false});
}

std::vector<TokenId> random_tokens(int64_t n) {
  Random random(8);
  std::vector<TokenId> tokens;
  for (int64_t i = 0; i < n; ++i) tokens.push_back(static_cast<TokenId>(3 + random.below(290)));
  return tokens;
}

// The definition, from the logits of each window.
double by_hand(Engine& engine, const std::vector<TokenId>& tokens, int64_t n_ctx) {
  double sum = 0;
  int64_t n = 0;
  for (std::size_t begin = 0; begin + static_cast<std::size_t>(n_ctx) <= tokens.size(); begin += static_cast<std::size_t>(n_ctx)) {
    std::vector<TokenId> window(tokens.begin() + static_cast<int64_t>(begin), tokens.begin() + static_cast<int64_t>(begin) + n_ctx);
    window[0] = 1;  // BOS
    GenerateRequest r{.prompt = window, .max_tokens = 0};
    r.on_prompt_logits = [&](int64_t p, std::span<const float> logits) {
      if (p < n_ctx / 2 || p > n_ctx - 2) return;
      double total = 0;
      for (const float l : logits) total += std::exp(static_cast<double>(l));
      sum += std::log(total) - static_cast<double>(logits[static_cast<std::size_t>(window[static_cast<std::size_t>(p) + 1])]);
      ++n;
    };
    engine.submit(std::move(r))->wait();
  }
  return std::exp(sum / static_cast<double>(n));
}

TEST(Perplexity, FollowsTheConventionOfTheGgufTools) {
  const auto engine = tiny_engine();
  const auto tokens = random_tokens(200);
  const PerplexityResult r = perplexity(*engine, tokens, {.n_ctx = 32});
  EXPECT_EQ(r.n_chunks, 6);
  EXPECT_EQ(r.n_scored, 6 * 15);
  EXPECT_NEAR(r.perplexity, by_hand(*engine, tokens, 32), 1e-6 * r.perplexity);
  EXPECT_GT(r.standard_error, 0);
}

TEST(Perplexity, AStrideScoresEveryTokenOnce) {
  const auto engine = tiny_engine();
  const PerplexityResult r = perplexity(*engine, random_tokens(32 + 3 * 8), {.n_ctx = 32, .stride = 8});
  EXPECT_EQ(r.n_chunks, 4);
  EXPECT_EQ(r.n_scored, 31 + 3 * 8);
}

TEST(Perplexity, RefusesWhatCannotBeScored) {
  const auto engine = tiny_engine();
  EXPECT_THROW(perplexity(*engine, random_tokens(20), {.n_ctx = 32}), Error);
  EXPECT_THROW(perplexity(*engine, random_tokens(200), {.n_ctx = 128}), Error);
  EXPECT_THROW(perplexity(*engine, random_tokens(200), {.n_ctx = 32, .stride = 32}), Error);
  EXPECT_THROW(perplexity(*engine, random_tokens(200), {.n_ctx = 1}), Error);
}

TEST(NegativeLogLikelihood, OfEqualLogitsIsTheLogOfTheirNumber) {
  const std::vector<float> logits(50, 700.0f);
  EXPECT_NEAR(negative_log_likelihood(logits, 7), std::log(50.0), 1e-12);
}

}  // namespace
}  // namespace minnow
