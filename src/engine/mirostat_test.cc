#include "engine/mirostat.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace minnow {
namespace {

// Zipf's law with this exponent, scattered over the ids by a stride prime to n.
std::vector<float> zipf(std::size_t n, double exponent) {
  std::vector<float> logits(n);
  for (std::size_t rank = 0; rank < n; ++rank) {
    logits[rank * 7919 % n] = static_cast<float>(-exponent * std::log(static_cast<double>(rank + 1)));
  }
  return logits;
}

// Bits, under the whole distribution.
double surprise(const std::vector<float>& logits, double temperature, TokenId id) {
  double total = 0;
  for (const float x : logits) total += std::exp(x / temperature);
  return std::log2(total) - logits[static_cast<std::size_t>(id)] / temperature / std::numbers::ln2;
}

double mean_surprise(int version, float tau, float temperature, const std::vector<float>& logits) {
  SamplingParams params;
  params.mirostat = version;
  params.mirostat_tau = tau;
  Mirostat mirostat(params);
  Candidates candidates;
  Random random(17);
  double sum = 0;
  constexpr int kWarmUp = 200, kDraws = 3000;
  for (int i = 0; i < kWarmUp + kDraws; ++i) {
    const TokenId id = mirostat.draw(logits, temperature, candidates, random);
    if (i >= kWarmUp) sum += surprise(logits, temperature, id);
  }
  return sum / kDraws;
}

TEST(Mirostat, BothVersionsConvergeToTheTargetSurprise) {
  const auto logits = zipf(2000, 1.1);  // surprise of the best token: 2.7 bits
  for (const int version : {1, 2}) {
    for (const float tau : {3.0f, 4.5f, 6.0f}) {
      EXPECT_NEAR(mean_surprise(version, tau, 1.0f, logits), tau, 0.1) << "version " << version;
    }
  }
}

TEST(Mirostat, SteersTheTemperedDistribution) {
  const auto logits = zipf(2000, 1.5);
  for (const int version : {1, 2}) {
    EXPECT_NEAR(mean_surprise(version, 4.0f, 1.4f, logits), 4.0, 0.1) << "version " << version;
  }
}

TEST(Mirostat, AnswersWithTheBestTokenWhenTheTargetCannotBeReached) {
  // Flat: each token has a surprise of log2(64) = 6 bits, far above the target.
  std::vector<float> logits(64, 0.0f);
  SamplingParams params;
  params.mirostat_tau = 1.0f;
  for (const int version : {1, 2}) {
    params.mirostat = version;
    Mirostat mirostat(params);
    Candidates candidates;
    Random random(1);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(mirostat.draw(logits, 1.0f, candidates, random), 0);
  }
}

TEST(Mirostat, CopesWithOneTokenAndWithForbiddenOnes) {
  constexpr float kForbidden = -std::numeric_limits<float>::infinity();
  SamplingParams params;
  for (const int version : {1, 2}) {
    params.mirostat = version;
    Mirostat mirostat(params);
    Candidates candidates;
    Random random(1);
    EXPECT_EQ(mirostat.draw(std::vector<float>{0.5f}, 1.0f, candidates, random), 0);
    const std::vector<float> one_left = {kForbidden, kForbidden, -3.0f,
                                         std::numeric_limits<float>::quiet_NaN()};
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(mirostat.draw(one_left, 0.8f, candidates, random), 2);
    // The bound has risen by 500 bits meanwhile; all must still be well.
    const std::vector<float> two_left = {kForbidden, 0.0f, 0.0f};
    for (int i = 0; i < 100; ++i) EXPECT_GE(mirostat.draw(two_left, 0.8f, candidates, random), 1);
  }
}

TEST(Mirostat, TheBoundMovesByTheRateTimesTheError) {
  SamplingParams params;
  params.mirostat = 2;
  params.mirostat_tau = 3.0f;
  params.mirostat_eta = 0.5f;
  Mirostat mirostat(params);
  EXPECT_EQ(mirostat.max_surprise(), 6.0);
  Candidates candidates;
  Random random(1);
  mirostat.draw(std::vector<float>(16, 0.0f), 1.0f, candidates, random);  // 4 bits
  EXPECT_NEAR(mirostat.max_surprise(), 6.0 - 0.5 * (4.0 - 3.0), 1e-6);
}

}  // namespace
}  // namespace minnow
