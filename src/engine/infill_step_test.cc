#include "engine/infill_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/sampler.h"

namespace minnow {
namespace {

using Ids = std::vector<TokenId>;
constexpr float kNever = -std::numeric_limits<float>::infinity();

std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> logits;
  for (const double p : probabilities) logits.push_back(p > 0 ? static_cast<float>(std::log(p)) : kNever);
  return logits;
}

// What stays of all tokens.
Ids left_of(const std::vector<double>& probabilities, Ids ends, InfillStep::PieceOf piece_of = {}) {
  const std::vector<float> logits = logits_of(probabilities);
  Candidates candidates;
  candidates.take_from(logits, -std::numeric_limits<float>::max());
  InfillStep(std::move(ends), std::move(piece_of)).apply(candidates, logits);
  Ids ids;
  for (const Candidate& c : candidates.list()) ids.push_back(c.id);
  return ids;
}

TEST(InfillStep, KeepsWhatTheModelIsSureOf) {
  EXPECT_EQ(left_of({0.45, 0.4, 0.05, 0.05, 0.05, 1e-9}, {5}), (Ids{0, 1, 5})) << "and the ends, whose own probability is as it is";
  EXPECT_EQ(left_of({0.7, 0.22, 0.08, 1e-9}, {3}), (Ids{0, 3})) << "the second has less than an equal share of what was left";
}

TEST(InfillStep, EndsWhereItIsNotSure) {
  EXPECT_EQ(left_of({0.15, 0.15, 0.15, 0.15, 0.15, 0.15, 0.1, 1e-9}, {7}), Ids{7});
}

TEST(InfillStep, EndsWhereAnEndIsLikelyEnough) {
  EXPECT_EQ(left_of({0.6, 0.2, 0.2}, {1}), Ids{1});
  EXPECT_EQ(left_of({0.6, 0.2, 0.1, 0.1}, {2, 3}), (Ids{2, 3}));
}

TEST(InfillStep, CountsTokensTogetherOfWhichOneBeginsAsTheOther) {
  const std::vector<std::string> texts = {"re", "return", "a", "b", "c", "d", "</s>"};
  const auto piece_of = [&](TokenId id) { return texts[static_cast<std::size_t>(id)]; };
  const std::vector<double> p = {0.15, 0.14, 0.18, 0.18, 0.18, 0.17, 1e-9};
  EXPECT_EQ(left_of(p, {6}, piece_of), (Ids{0, 6}));
  EXPECT_EQ(left_of(p, {6}), Ids{6}) << "none of them is sure alone";
}

TEST(InfillStep, LeavesTheLikeliestWhereTheAnswerCannotEnd) {
  const std::vector<double> p = {0.16, 0.17, 0.17, 0.18, 0.16, 0.16, 0};
  EXPECT_EQ(left_of(p, {6}), Ids{3});
  EXPECT_EQ(left_of(p, {}), Ids{3});
}

TEST(InfillStep, IsThereAtEveryTemperatureAndOnlyWhenAskedFor) {
  const std::vector<float> logits = logits_of({0.15, 0.15, 0.15, 0.15, 0.15, 0.15, 0.1, 1e-9});
  SamplingParams params{.top_k = 0, .top_p = 1, .min_p = 0};
  for (const float temperature : {0.0f, 0.8f, 1.0f}) {
    params.temperature = temperature;
    params.infill = true;
    EXPECT_EQ(Sampler(params, nullptr, {7}).sample(logits), 7) << temperature;
    params.infill = false;
    EXPECT_NE(Sampler(params, nullptr, {7}).sample(logits), 7) << temperature;
  }
}

TEST(InfillStep, DrawsNothingThatAConstraintForbids) {
  const std::vector<float> logits = logits_of({0.15, 0.15, 0.15, 0.15, 0.15, 0.15, 0.1, 1e-9});
  const std::vector<uint32_t> allowed = {0b00110111};
  const TokenId token = Sampler({.temperature = 1, .top_k = 0, .infill = true}, nullptr, {7}).sample(logits, allowed);
  EXPECT_TRUE((allowed[0] >> token & 1) != 0) << token;
}

}  // namespace
}  // namespace minnow
