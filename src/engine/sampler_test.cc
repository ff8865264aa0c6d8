#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace minnow {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kForbidden = -std::numeric_limits<float>::infinity();

Sampler make(const SamplingParams& params) { return Sampler(params, nullptr); }

SamplingParams plain() {
  SamplingParams params;
  params.temperature = 1;
  params.top_k = 0;
  params.top_p = 1;
  params.min_p = 0;
  return params;
}

std::vector<float> normal_logits(std::size_t n, double scale, uint64_t seed) {
  Random random(seed);
  std::vector<float> logits(n);
  for (float& x : logits) x = static_cast<float>(scale * random.normal());
  return logits;
}

// The chain in double and in the plainest way: sorted pairs, renormalized before each step.
class ReferenceChain {
 public:
  explicit ReferenceChain(const std::vector<float>& logits) {
    for (std::size_t i = 0; i < logits.size(); ++i)
      tokens_.push_back({static_cast<TokenId>(i), logits[i], 0});
    normalize(1);
  }

  std::vector<double> probabilities(const SamplingParams& params, bool xtc) {
    const std::size_t n = tokens_.size();
    if (params.top_k > 0) cut(static_cast<std::size_t>(params.top_k));
    if (params.typical_p < 1) typical(params.typical_p);
    if (params.top_p < 1) cut_at_mass(params.top_p);
    if (params.min_p > 0) {
      const double best = tokens_[0].p;
      std::erase_if(tokens_, [&](const Token& t) { return t.p < params.min_p * best; });
      normalize(1);
    }
    if (xtc) {
      const auto above =
          std::count_if(tokens_.begin(), tokens_.end(), [&](auto& t) { return t.p >= params.xtc_threshold; });
      if (above > 1) tokens_.erase(tokens_.begin(), tokens_.begin() + above - 1);
    }
    normalize(params.temperature);
    std::vector<double> result(n, 0.0);
    for (const Token& t : tokens_) result[static_cast<std::size_t>(t.id)] = t.p;
    return result;
  }

 private:
  struct Token {
    TokenId id;
    double logit, p;
  };
  void normalize(double temperature) {
    std::stable_sort(tokens_.begin(), tokens_.end(), [](auto& a, auto& b) { return a.logit > b.logit; });
    double total = 0;
    for (Token& t : tokens_) total += t.p = std::exp((t.logit - tokens_[0].logit) / temperature);
    for (Token& t : tokens_) t.p /= total;
  }
  void cut(std::size_t k) {
    if (k < tokens_.size()) tokens_.resize(k);
    normalize(1);
  }
  void cut_at_mass(double mass) {
    double sum = 0;
    std::size_t n = 0;
    while (n < tokens_.size() && sum < mass) sum += tokens_[n++].p;
    cut(n);
  }
  void typical(double mass) {
    double entropy = 0;
    for (const Token& t : tokens_) entropy -= t.p * std::log(t.p);
    std::stable_sort(tokens_.begin(), tokens_.end(), [&](auto& a, auto& b) {
      return std::abs(-std::log(a.p) - entropy) < std::abs(-std::log(b.p) - entropy);
    });
    cut_at_mass(mass);
  }
  std::vector<Token> tokens_;
};

// Pearson's statistic of n draws against p; bins that expect under 8 are put together.
void expect_distributed(const std::vector<double>& p, const std::vector<int>& counts) {
  const int n = std::accumulate(counts.begin(), counts.end(), 0);
  double statistic = 0, rest_expected = 0;
  int bins = 0, rest = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double expected = p[i] * n;
    if (p[i] == 0) {
      ASSERT_EQ(counts[i], 0) << "token " << i << " cannot come";
    }
    if (expected < 8) {
      rest_expected += expected;
      rest += counts[i];
      continue;
    }
    statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
    ++bins;
  }
  if (rest_expected > 8) {
    statistic += (rest - rest_expected) * (rest - rest_expected) / rest_expected;
    ++bins;
  }
  // Mean bins - 1, variance 2 (bins - 1): four deviations, and some for the skew.
  const double freedom = std::max(1, bins - 1);
  EXPECT_LT(statistic, freedom + 4 * std::sqrt(2 * freedom) + 4);
}

std::vector<int> draw_many(const SamplingParams& params, const std::vector<float>& logits, int n = 20000) {
  Sampler sampler = make(params);
  std::vector<int> counts(logits.size());
  for (int i = 0; i < n; ++i) ++counts[static_cast<std::size_t>(sampler.sample(logits))];
  return counts;
}

TEST(Sampler, DrawsFromTheDistributionOfTheReferenceChain) {
  const std::vector<std::function<void(SamplingParams&)>> settings = {
      [](SamplingParams&) {},
      [](SamplingParams& p) { p.temperature = 0.4f; },
      [](SamplingParams& p) { p.temperature = 2.5f; },
      [](SamplingParams& p) { p.top_k = 7; },
      [](SamplingParams& p) { p.top_k = 100000; },
      [](SamplingParams& p) { p.top_p = 0.8f, p.temperature = 1.5f; },
      [](SamplingParams& p) { p.min_p = 0.1f, p.temperature = 1.5f; },
      [](SamplingParams& p) { p.top_p = 0.9f, p.min_p = 0.02f; },
      [](SamplingParams& p) { p.typical_p = 0.7f; },
      [](SamplingParams& p) { p.typical_p = 0.9f, p.top_p = 0.8f, p.min_p = 0.05f; },
      [](SamplingParams& p) { p = SamplingParams{}; },
      [](SamplingParams& p) {
        p.top_k = 20, p.typical_p = 0.95f, p.top_p = 0.95f, p.min_p = 0.01f, p.temperature = 0.7f;
      },
  };
  uint64_t seed = 1;
  for (const auto& setting : settings) {
    for (const std::size_t n : {40, 600}) {
      SamplingParams params = plain();
      params.seed = ++seed;
      setting(params);
      const auto logits = normal_logits(n, 2.0, seed);
      SCOPED_TRACE(seed);
      expect_distributed(ReferenceChain(logits).probabilities(params, false), draw_many(params, logits));
    }
  }
}

TEST(Sampler, XtcActsWithItsProbability) {
  const auto logits = normal_logits(30, 1.5, 9);
  for (const float probability : {0.3f, 1.0f}) {
    SamplingParams params = plain();
    params.xtc_probability = probability;
    params.xtc_threshold = 0.08f;
    const auto with = ReferenceChain(logits).probabilities(params, true);
    auto expected = ReferenceChain(logits).probabilities(params, false);
    ASSERT_NE(with, expected);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] = probability == 1.0f ? with[i] : (1 - probability) * expected[i] + probability * with[i];
    }
    expect_distributed(expected, draw_many(params, logits));
  }
}

TEST(Sampler, TheSameSeedGivesTheSameTokensAndAnotherSeedOthers) {
  const auto logits = normal_logits(500, 1.0, 4);
  const auto tokens = [&](uint64_t seed) {
    SamplingParams params;
    params.seed = seed;
    Sampler sampler = make(params);
    std::vector<TokenId> result;
    for (int i = 0; i < 50; ++i) result.push_back(sampler.sample(logits));
    return result;
  };
  EXPECT_EQ(tokens(7), tokens(7));
  EXPECT_NE(tokens(7), tokens(8));
}

TEST(Sampler, GreedyTakesTheFirstOfEqualMaxima) {
  SamplingParams params;
  params.temperature = 0;
  Sampler sampler = make(params);
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 2, 3}), 1);
  EXPECT_EQ(sampler.sample(std::vector<float>{kNan, kForbidden, -5, kNan, -5}), 2);
  EXPECT_EQ(sampler.sample(std::vector<float>{0, std::numeric_limits<float>::infinity(), 1}), 1);
  std::vector<float> logits(100000, -1.0f);
  logits[77777] = logits[88888] = 0.0f;
  EXPECT_EQ(sampler.sample(logits), 77777);
}

TEST(Sampler, GreedyComesAfterBiasPenaltiesAndDry) {
  SamplingParams params;
  params.temperature = 0;
  const std::vector<float> logits = {5, 4, 3};
  params.logit_bias = {{0, -3.0f}, {2, 1.0f}, {2, 1.0f}};
  EXPECT_EQ(make(params).sample(logits), 2) << "biases of one token add up";
  params.logit_bias.clear();
  params.presence_penalty = 1.5f;
  Sampler penalized = make(params);
  penalized.accept(0);
  EXPECT_EQ(penalized.sample(logits), 1);
  params.presence_penalty = 0;
  params.dry_multiplier = 2;
  Sampler dry(params, [](TokenId id) { return std::string(1, static_cast<char>('a' + id)); });
  for (const TokenId t : {1, 2, 0, 1, 2}) dry.accept(t);
  EXPECT_EQ(dry.sample(logits), 1);
}

TEST(Sampler, MirostatYieldsToGreedy) {
  SamplingParams params;
  params.temperature = 0;
  params.mirostat = 2;
  EXPECT_EQ(make(params).sample(std::vector<float>{1, 2}), 1);
}

TEST(Sampler, MirostatLeavesTheOtherTruncationsAside) {
  SamplingParams params;
  params.top_k = 1;
  params.mirostat = 2;
  params.mirostat_tau = 3;
  const auto counts = draw_many(params, std::vector<float>(8, 0.0f), 1000);  // 3 bits each
  EXPECT_EQ(std::count(counts.begin(), counts.end(), 0), 0);
}

TEST(Sampler, ForbiddenTokensAndNanNeverCome) {
  for (const bool top_k : {false, true}) {
    SamplingParams params = plain();
    params.top_k = top_k ? 4 : 0;
    params.logit_bias = {{3, kForbidden}};
    const auto counts = draw_many(params, {1, kForbidden, kNan, 9, 1, kNan}, 2000);
    EXPECT_GT(counts[0], 800);
    EXPECT_GT(counts[4], 800);
    EXPECT_EQ(counts[0] + counts[4], 2000);
  }
}

TEST(Sampler, TokensThatAreNotAllowedNeverCome) {
  for (const bool top_k : {false, true}) {
    SamplingParams params = plain();
    params.top_k = top_k ? 2 : 0;
    params.allowed_tokens = {0, 4};
    const auto counts = draw_many(params, {1, 9, 9, 9, 1}, 2000);
    EXPECT_GT(counts[0], 800);
    EXPECT_EQ(counts[0] + counts[4], 2000);
  }
  SamplingParams greedy;
  greedy.temperature = 0;
  greedy.allowed_tokens = {1, 2};
  greedy.logit_bias = {{2, 5.0f}};
  EXPECT_EQ(make(greedy).sample(std::vector<float>{9, 3, 1}), 2) << "a bias counts among them";
}

TEST(Sampler, TakesTheFirstBestRawLogitWhenNothingIsLeft) {
  for (const float temperature : {0.0f, 1.0f}) {
    SamplingParams params;
    params.temperature = temperature;
    params.logit_bias = {{0, kForbidden}, {1, kForbidden}, {2, kForbidden}};
    Sampler sampler = make(params);
    EXPECT_EQ(sampler.sample(std::vector<float>{1, 2, 2}), 1);
    EXPECT_EQ(sampler.sample(std::vector<float>{kForbidden, kForbidden, kForbidden}), 0);
    EXPECT_EQ(sampler.sample(std::vector<float>{kNan, kNan, kNan}), 0);
    EXPECT_EQ(sampler.sample(std::vector<float>{kNan, kForbidden, -3}), 2);
  }
}

TEST(Sampler, DoesNotChangeTheLogitsAndKeepsNothingFromOneCallToTheNext) {
  SamplingParams params;
  params.temperature = 0;
  params.repetition_penalty = 10;
  Sampler sampler = make(params);
  sampler.accept(0);
  const std::vector<float> logits = {5, 1};
  EXPECT_EQ(sampler.sample(logits), 1);
  EXPECT_EQ(logits[0], 5);
  EXPECT_EQ(sampler.sample(std::vector<float>{50, 1}), 0);
}

TEST(Sampler, InfinityIsCertain) {
  SamplingParams params = plain();
  Sampler sampler = make(params);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(sampler.sample(std::vector<float>{1, std::numeric_limits<float>::infinity(), 1e30f}), 1);
  }
}

// A record of what is drawn today: a change of it means that seeds do not reproduce across versions.
TEST(Sampler, SeedsReproduceAcrossVersions) {
  SamplingParams params;
  params.seed = 42;
  Sampler sampler = make(params);
  std::vector<float> logits(1000);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i * 7919 % 1000) / 250.0f;
  std::vector<TokenId> tokens;
  for (int i = 0; i < 8; ++i) tokens.push_back(sampler.sample(logits));
  EXPECT_EQ(tokens, (std::vector<TokenId>{136, 383, 667, 951, 988, 815, 741, 889}));
}

std::vector<uint32_t> bits_of(std::initializer_list<std::size_t> ids, std::size_t n) {
  std::vector<uint32_t> bits((n + 31) / 32);
  for (const std::size_t id : ids) bits[id / 32] |= 1u << (id % 32);
  return bits;
}

TEST(Sampler, NeverTakesATokenThatIsNotAllowed) {
  const std::vector<float> logits = normal_logits(100, 3, 5);
  const std::vector<uint32_t> allowed = bits_of({3, 31, 32, 64, 99}, 100);
  std::vector<SamplingParams> all(6, plain());
  all[0].temperature = 0;
  all[1].top_k = 2;
  all[2].mirostat = 2;
  all[3].typical_p = 0.5f;
  all[4].top_p = 0.3f;
  all[4].repetition_penalty = 1.5f;
  all[5].logit_bias = {{3, kForbidden}, {31, kForbidden}, {32, kForbidden}, {64, kForbidden}, {99, kForbidden}, {7, 50.0f}};
  for (const SamplingParams& params : all) {
    Sampler sampler = make(params);
    for (int i = 0; i < 50; ++i) {
      const auto token = static_cast<std::size_t>(sampler.sample(logits, allowed));
      ASSERT_TRUE(token < 100 && (allowed[token / 32] >> (token % 32) & 1u) != 0) << token;
      sampler.accept(static_cast<TokenId>(token));
    }
  }
}

TEST(Sampler, TakesTheFirstAllowedTokenWhenNoneHasALogit) {
  const std::vector<float> nothing(40, kForbidden), broken(40, kNan);
  Sampler sampler = make(plain());
  EXPECT_EQ(sampler.sample(nothing, bits_of({5, 9}, 40)), 5);
  EXPECT_EQ(sampler.sample(broken, bits_of({33}, 40)), 33);
  EXPECT_THROW(sampler.sample(broken, bits_of({}, 40)), Error);
}

TEST(Sampler, AMaskThatAllowsAllChangesNothing) {
  const std::vector<float> logits = normal_logits(200, 2, 8);
  const std::vector<uint32_t> all(7, ~0u);
  Sampler with = make(plain()), without = make(plain());
  for (int i = 0; i < 30; ++i) EXPECT_EQ(with.sample(logits, all), without.sample(logits));
}

TEST(Sampler, DrawsTheSameAfterARest) {
  SamplingParams params = plain();
  params.repetition_penalty = 1.1f;
  params.top_p = 0.9f;
  Sampler steady = make(params), resting = make(params);
  const std::vector<float> logits = normal_logits(1000, 2, 9);
  for (int i = 0; i < 20; ++i) {
    const TokenId token = steady.sample(logits);
    ASSERT_EQ(resting.sample(logits), token);
    for (Sampler* s : {&steady, &resting}) s->accept(token);
    resting.rest();
  }
}

}  // namespace
}  // namespace minnow
