#include "engine/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "base/random.h"

namespace minnow {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kTiny = 1e-5;  // room for float weights at the border of a set

bool alive(float x) { return x > -kInfinity; }

// The references below work in double on these: ids best first, and their probabilities.
struct Reference {
  std::vector<TokenId> ids;
  std::vector<double> p;
};

Reference reference(const std::vector<float>& logits) {
  Reference r;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (alive(logits[i])) r.ids.push_back(static_cast<TokenId>(i));
  }
  const auto logit = [&](TokenId id) { return logits[static_cast<std::size_t>(id)]; };
  std::stable_sort(r.ids.begin(), r.ids.end(), [&](TokenId a, TokenId b) { return logit(a) > logit(b); });
  for (const TokenId id : r.ids) r.p.push_back(std::exp(double{logit(id)} - double{logit(r.ids[0])}));
  const double total = std::accumulate(r.p.begin(), r.p.end(), 0.0);
  for (double& p : r.p) p /= total;
  return r;
}

// Peaked, flat, tied, sorted either way, with holes: what models and their masks give.
std::vector<float> random_logits(Random& random) {
  std::vector<float> logits(1 + random.below(3000));
  const double scale = std::exp(random.normal());
  const bool tied = random.below(4) == 0, holes = random.below(3) == 0;
  for (float& x : logits) {
    x = static_cast<float>(scale * random.normal());
    if (tied) x = std::round(x * 2);
    if (holes && random.below(3) == 0) x = random.below(2) == 0 ? -kInfinity : kNan;
  }
  const uint64_t order = random.below(6);
  if (order == 0)
    std::sort(logits.begin(), logits.end(), [](float a, float b) { return alive(a) ? b > a : alive(b); });
  if (order == 1)
    std::sort(logits.begin(), logits.end(), [](float a, float b) { return alive(b) ? a > b : alive(a); });
  logits[random.below(logits.size())] = 1.0f;  // never nothing
  return logits;
}

std::vector<TokenId> ids(const Candidates& candidates) {
  std::vector<TokenId> result;
  for (const Candidate& c : candidates.list()) result.push_back(c.id);
  EXPECT_TRUE(std::is_sorted(result.begin(), result.end()));
  return result;
}

std::vector<TokenId> sorted(std::vector<TokenId> v) {
  std::sort(v.begin(), v.end());
  return v;
}

TEST(LargestLogit, IsThatOfThePlainLoopAndLooksPastNan) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    const auto logits = random_logits(random);
    float expected = -kInfinity;
    for (const float x : logits) expected = x > expected ? x : expected;
    ASSERT_EQ(largest_logit(logits), expected);
  }
  EXPECT_EQ(largest_logit(std::vector<float>(100, kNan)), -kInfinity);
  EXPECT_EQ(largest_logit({}), -kInfinity);
}

TEST(TotalWeight, IsTheSumOfExponentials) {
  Random random(2);
  for (int round = 0; round < 200; ++round) {
    const auto logits = random_logits(random);
    const float top = largest_logit(logits);
    double expected = 0;
    for (const float x : logits) expected += alive(x) ? std::exp((double{x} - top) / 0.7) : 0.0;
    ASSERT_NEAR(total_weight(logits, top, 0.7f), expected, 1e-5 * expected);
  }
}

TEST(Candidates, TakeTopIsTheHeadOfTheSortedList) {
  Random random(3);
  Candidates candidates;
  for (int round = 0; round < 300; ++round) {
    const auto logits = random_logits(random);
    const auto r = reference(logits);
    const std::size_t k = 1 + random.below(random.below(2) == 0 ? 50 : logits.size());
    candidates.take_top(logits, k);
    const auto n = static_cast<std::ptrdiff_t>(std::min(k, r.ids.size()));
    ASSERT_EQ(ids(candidates), sorted({r.ids.begin(), r.ids.begin() + n}));
    const auto ranked = candidates.ranked();
    for (std::size_t i = 0; i < ranked.size(); ++i) ASSERT_EQ(ranked[i].id, r.ids[i]);
  }
}

TEST(Candidates, TakeFromKeepsTheBoundItself) {
  Candidates candidates;
  candidates.take_from(std::vector<float>{0, 1, kNan, 2, -kInfinity, 1, kInfinity}, 1);
  EXPECT_EQ(ids(candidates), (std::vector<TokenId>{1, 3, 5, 6}));
  candidates.take_from(std::vector<float>{-FLT_MAX, -kInfinity}, -FLT_MAX);
  EXPECT_EQ(ids(candidates), (std::vector<TokenId>{0}));
}

TEST(Candidates, WeightsAreProbabilitiesButForTheirSum) {
  Random random(4);
  Candidates candidates;
  for (int round = 0; round < 100; ++round) {
    const auto logits = random_logits(random);
    const auto r = reference(logits);
    candidates.take_from(logits, -FLT_MAX);
    const double total = candidates.sum();
    const auto ranked = candidates.ranked();
    for (std::size_t i = 0; i < ranked.size(); ++i)
      ASSERT_NEAR(ranked[i].weight / total, r.p[i], 1e-6 * r.p[i] + 1e-12);
  }
}

TEST(Candidates, TopPIsTheSmallestHeadThatHoldsTheShare) {
  Random random(5);
  Candidates candidates;
  for (int round = 0; round < 300; ++round) {
    const auto logits = random_logits(random);
    const auto r = reference(logits);
    const auto share = static_cast<float>(0.001 + 0.998 * random.uniform());
    candidates.take_from(logits, -FLT_MAX);
    candidates.keep_top_p(share, candidates.sum());
    const std::size_t n = candidates.list().size();
    ASSERT_EQ(ids(candidates), sorted({r.ids.begin(), r.ids.begin() + static_cast<std::ptrdiff_t>(n)}));
    const double held = std::accumulate(r.p.begin(), r.p.begin() + static_cast<std::ptrdiff_t>(n), 0.0);
    ASSERT_GE(held, share - kTiny);
    ASSERT_LT(held - r.p[n - 1], share + kTiny);
  }
}

TEST(Candidates, TypicalKeepsTheSmallestSetAroundTheEntropy) {
  Random random(6);
  Candidates candidates;
  for (int round = 0; round < 300; ++round) {
    const auto logits = random_logits(random);
    const auto r = reference(logits);
    const auto share = static_cast<float>(0.05 + 0.94 * random.uniform());
    candidates.take_from(logits, -FLT_MAX);
    candidates.keep_typical(share);
    const auto list = ids(candidates);
    const std::set<TokenId> kept(list.begin(), list.end());
    double entropy = 0;
    for (const double p : r.p) entropy -= p > 0 ? p * std::log(p) : 0;
    double held = 0, farthest_kept = 0, its_p = 0, nearest_dropped = DBL_MAX;
    for (std::size_t i = 0; i < r.ids.size(); ++i) {
      const double distance = std::abs(-std::log(r.p[i]) - entropy);
      if (!kept.contains(r.ids[i])) {
        nearest_dropped = std::min(nearest_dropped, distance);
        continue;
      }
      held += r.p[i];
      if (distance >= farthest_kept) farthest_kept = distance, its_p = r.p[i];
    }
    ASSERT_GE(held, share - kTiny);
    ASSERT_LT(held - its_p, share + kTiny);
    ASSERT_LE(farthest_kept, nearest_dropped + kTiny);
  }
}

TEST(Candidates, TypicalMayDropTheLikeliestToken) {
  // With p 0.3 and 70 of 0.01 the entropy is 3.58, and the 0.01 (4.61) are nearer than the 0.3 (1.20).
  std::vector<float> logits(71, std::log(0.01f));
  logits[0] = std::log(0.3f);
  Candidates candidates;
  candidates.take_from(logits, -FLT_MAX);
  candidates.keep_typical(0.495f);
  EXPECT_EQ(candidates.list().size(), 50u);
  EXPECT_EQ(candidates.list().front().id, 1) << "lower ids first among equals";
}

TEST(Candidates, MinPComparesWithTheLikeliest) {
  Random random(7);
  Candidates candidates;
  for (int round = 0; round < 300; ++round) {
    const auto logits = random_logits(random);
    const auto r = reference(logits);
    const auto ratio = static_cast<float>(random.uniform());
    candidates.take_from(logits, -FLT_MAX);
    candidates.keep_min_p(ratio);
    const std::size_t n = candidates.list().size();
    ASSERT_GE(n, 1u);
    ASSERT_EQ(ids(candidates), sorted({r.ids.begin(), r.ids.begin() + static_cast<std::ptrdiff_t>(n)}));
    ASSERT_GE(r.p[n - 1] / r.p[0], ratio - kTiny);
    if (n < r.p.size()) {
      ASSERT_LT(r.p[n] / r.p[0], ratio + kTiny);
    }
  }
}

TEST(Candidates, XtcKeepsOnlyTheLastOfTheTopChoices) {
  Candidates candidates;
  const std::vector<float> logits = {std::log(0.2f), std::log(0.5f), std::log(0.05f), std::log(0.25f)};
  const auto after = [&](float threshold) {
    candidates.take_from(logits, -FLT_MAX);
    candidates.drop_top_choices(threshold);
    return ids(candidates);
  };
  EXPECT_EQ(after(0.1f), (std::vector<TokenId>{0, 2}));
  EXPECT_EQ(after(0.22f), (std::vector<TokenId>{0, 2, 3}));
  EXPECT_EQ(after(0.4f), (std::vector<TokenId>{0, 1, 2, 3})) << "one top choice alone stays";
  EXPECT_EQ(after(0.6f), (std::vector<TokenId>{0, 1, 2, 3}));
  EXPECT_EQ(after(0.0f), (std::vector<TokenId>{2}));
}

TEST(Candidates, XtcAgreesWithTheSortedReference) {
  Random random(8);
  Candidates candidates;
  for (int round = 0; round < 300; ++round) {
    const auto logits = random_logits(random);
    const auto r = reference(logits);
    const auto threshold = static_cast<float>(0.3 * random.uniform());
    if (std::any_of(r.p.begin(), r.p.end(), [&](double p) { return std::abs(p - threshold) < 1e-6; }))
      continue;
    const auto above = std::count_if(r.p.begin(), r.p.end(), [&](double p) { return p >= threshold; });
    candidates.take_from(logits, -FLT_MAX);
    candidates.drop_top_choices(threshold);
    ASSERT_EQ(ids(candidates), sorted({r.ids.begin() + std::max<std::ptrdiff_t>(0, above - 1), r.ids.end()}));
  }
}

TEST(Candidates, DrawWalksTheListByWeight) {
  Candidates candidates;
  candidates.take_from(std::vector<float>{std::log(0.5f), -200.0f, std::log(0.25f), std::log(0.25f)},
                       -FLT_MAX);
  EXPECT_EQ(candidates.draw(0.0).id, 0);
  EXPECT_EQ(candidates.draw(0.499).id, 0);
  EXPECT_EQ(candidates.draw(0.501).id, 2);
  EXPECT_EQ(candidates.draw(0.749).id, 2);
  EXPECT_EQ(candidates.draw(0.751).id, 3);
  EXPECT_EQ(candidates.draw(1.0 - 0x1p-53).id, 3);
}

TEST(Candidates, ATemperatureNearZeroLeavesTheBest) {
  Candidates candidates;
  candidates.take_from(std::vector<float>{1.0f, 1.001f, -FLT_MAX, FLT_MAX / 2, kInfinity}, -FLT_MAX);
  candidates.weigh(1e-30f);
  EXPECT_EQ(candidates.sum(), 1.0);
  EXPECT_EQ(candidates.draw(0.5).id, 4);
}

}  // namespace
}  // namespace minnow
