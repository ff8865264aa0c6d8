#include "engine/token_penalties.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"

namespace minnow {
namespace {

TEST(TokenPenalties, RepetitionMakesPositiveAndNegativeLogitsSmaller) {
  SamplingParams params;
  params.repetition_penalty = 2;
  TokenPenalties penalties(params);
  penalties.accept(0);
  penalties.accept(1);
  std::vector<float> logits = {3, -3, 3};
  penalties.apply(logits);
  EXPECT_EQ(logits, (std::vector<float>{1.5f, -6, 3}));
}

TEST(TokenPenalties, FrequencyCountsAndPresenceDoesNot) {
  SamplingParams params;
  params.frequency_penalty = 0.5f;
  params.presence_penalty = 1;
  TokenPenalties penalties(params);
  for (const TokenId t : {2, 2, 2, 0}) penalties.accept(t);
  std::vector<float> logits = {0, 0, 0};
  penalties.apply(logits);
  EXPECT_EQ(logits, (std::vector<float>{-1.5f, 0, -2.5f}));
}

TEST(TokenPenalties, AreOffWithNeutralValuesOrAnEmptyWindow) {
  EXPECT_FALSE(TokenPenalties(SamplingParams{}).active());
  SamplingParams params;
  params.presence_penalty = 1;
  EXPECT_TRUE(TokenPenalties(params).active());
  params.penalty_last_n = 0;
  EXPECT_FALSE(TokenPenalties(params).active());
}

TEST(TokenPenalties, PassOverTokensOutsideOfTheVocabulary) {
  SamplingParams params;
  params.presence_penalty = 1;
  TokenPenalties penalties(params);
  for (const TokenId t : {kNoToken, 5, std::numeric_limits<TokenId>::max(), 1}) penalties.accept(t);
  std::vector<float> logits = {0, 0};
  penalties.apply(logits);
  EXPECT_EQ(logits, (std::vector<float>{0, -1}));
}

TEST(TokenPenalties, ForbiddenTokensStayForbidden) {
  SamplingParams params;
  params.repetition_penalty = 0.5f;
  params.presence_penalty = -2;
  TokenPenalties penalties(params);
  penalties.accept(0);
  std::vector<float> logits = {-std::numeric_limits<float>::infinity()};
  penalties.apply(logits);
  EXPECT_EQ(logits[0], -std::numeric_limits<float>::infinity());
}

TEST(TokenPenalties, CountOnlyTheWindowWhateverItsSize) {
  Random random(3);
  for (const int last_n : {1, 2, 7, 64, 1000, -1}) {
    SamplingParams params;
    params.repetition_penalty = 1.3f;
    params.frequency_penalty = 0.25f;
    params.presence_penalty = -0.5f;
    params.penalty_last_n = last_n;
    TokenPenalties penalties(params);
    std::vector<TokenId> history;
    for (int step = 0; step < 200; ++step) {
      history.push_back(static_cast<TokenId>(random.below(12)));
      penalties.accept(history.back());
    }
    std::vector<float> logits(12);
    for (auto& x : logits) x = static_cast<float>(random.normal());
    std::vector<double> expected(logits.begin(), logits.end());
    const std::size_t n = last_n < 0 ? history.size() : std::min<std::size_t>(history.size(), last_n);
    for (TokenId t = 0; t < 12; ++t) {
      const auto count = std::count(history.end() - static_cast<std::ptrdiff_t>(n), history.end(), t);
      if (count == 0) continue;
      double& x = expected[static_cast<std::size_t>(t)];
      x = x > 0 ? x / 1.3 : x * 1.3;
      x -= 0.25 * static_cast<double>(count) - 0.5;
    }
    penalties.apply(logits);
    for (std::size_t t = 0; t < 12; ++t) EXPECT_NEAR(logits[t], expected[t], 1e-4) << last_n;
  }
}

}  // namespace
}  // namespace minnow
