#include "engine/token_logprobs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"

namespace minnow {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<double> reference(const std::vector<float>& logits) {
  double largest = -kInf, sum = 0;
  for (const float x : logits) largest = std::max(largest, static_cast<double>(x));
  for (const float x : logits) sum += std::exp(x - largest);
  std::vector<double> all;
  for (const float x : logits) all.push_back(x - largest - std::log(sum));
  return all;
}

TEST(TokenLogprobs, AreThoseOfTheSoftmaxWithTheLikeliestFirst) {
  Random random(1);
  TokenLogprobs logprobs(nullptr);
  for (const std::size_t n : {2, 19, 1000, 50'000}) {
    std::vector<float> logits(n);
    for (float& x : logits) x = static_cast<float>(5 * random.normal());
    const auto expected = reference(logits);
    std::vector<TokenId> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](TokenId a, TokenId b) { return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)]; });
    const TokenId drawn = static_cast<TokenId>(random.below(n));
    const TokenLogprob got = logprobs.of(logits, drawn, 20);
    EXPECT_EQ(got.token, drawn);
    EXPECT_NEAR(got.logprob, expected[static_cast<std::size_t>(drawn)], 1e-4);
    ASSERT_EQ(got.top.size(), std::min<std::size_t>(n, 20));
    for (std::size_t i = 0; i < got.top.size(); ++i) {
      EXPECT_EQ(got.top[i].token, order[i]);
      EXPECT_NEAR(got.top[i].logprob, expected[static_cast<std::size_t>(order[i])], 1e-4);
    }
    EXPECT_TRUE(logprobs.of(logits, drawn, 0).top.empty());
  }
}

TEST(TokenLogprobs, AreNeverOutOfRange) {
  TokenLogprobs logprobs(nullptr);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> odd = {nan, -kInf, 3, 1e30f, -1e30f};
  for (TokenId t = 0; t < 5; ++t) {
    const TokenLogprob p = logprobs.of(odd, t, 5);
    EXPECT_GE(p.logprob, kMinLogprob) << t;
    EXPECT_LE(p.logprob, 0) << t;
    EXPECT_EQ(p.top.size(), 3u) << "tokens that cannot come are no alternatives";
  }
  EXPECT_EQ(logprobs.of(odd, 3, 0).logprob, 0);
  EXPECT_EQ(logprobs.of(odd, 0, 0).logprob, kMinLogprob);
  const std::vector<float> nothing = {-kInf, nan}, certain = {0, kInf};
  EXPECT_EQ(logprobs.of(nothing, 0, 2).logprob, kMinLogprob);
  EXPECT_TRUE(logprobs.of(nothing, 0, 2).top.empty());
  EXPECT_EQ(logprobs.of(certain, 1, 1).logprob, 0);
}

}  // namespace
}  // namespace minnow
