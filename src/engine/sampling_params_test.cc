#include "engine/sampling_params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "base/error.h"

namespace minnow {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::string refusal(const std::function<void(SamplingParams&)>& change) {
  SamplingParams params;
  change(params);
  try {
    params.validate(100);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidInput);
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    return e.what();
  }
  return "";
}

TEST(SamplingParams, AcceptsTheDefaultsAndTheEdgesOfEveryRange) {
  EXPECT_NO_THROW(SamplingParams().validate(1));
  EXPECT_EQ(refusal([](auto& p) {
              p.temperature = 0, p.top_k = 0, p.top_p = 1, p.min_p = 0, p.typical_p = 1;
              p.presence_penalty = -2, p.frequency_penalty = 2, p.penalty_last_n = -1, p.dry_last_n = 0;
              p.dry_base = 1, p.dry_allowed_length = 1, p.xtc_probability = 1, p.xtc_threshold = 1,
              p.mirostat = 2;
              p.logit_bias = {{0, -kInfinity}, {99, 1e9f}};
            }),
            "");
}

TEST(SamplingParams, NamesTheFieldItsValueAndTheAllowedRange) {
  EXPECT_EQ(refusal([](auto& p) { p.top_p = 1.5f; }), "sampling: top_p is 1.5, allowed: above 0, at most 1");
  EXPECT_EQ(refusal([](auto& p) { p.min_p = -1; }), "sampling: min_p is -1, allowed: 0 to 1");
  EXPECT_EQ(refusal([](auto& p) { p.temperature = -0.5f; }),
            "sampling: temperature is -0.5, allowed: 0 or more");
  EXPECT_EQ(refusal([](auto& p) {
              p.logit_bias = {{100, 1.0f}};
            }),
            "sampling: a token of logit_bias is 100, allowed: 0 to 99");
}

TEST(SamplingParams, RefusesEveryFieldOutOfItsRange) {
  using Change = std::function<void(SamplingParams&)>;
  const std::vector<std::pair<std::string, Change>> cases = {
      {"temperature", [](auto& p) { p.temperature = kNan; }},
      {"temperature", [](auto& p) { p.temperature = kInfinity; }},
      {"top_k", [](auto& p) { p.top_k = -1; }},
      {"top_p", [](auto& p) { p.top_p = 0; }},
      {"top_p", [](auto& p) { p.top_p = kNan; }},
      {"min_p", [](auto& p) { p.min_p = 1.01f; }},
      {"typical_p", [](auto& p) { p.typical_p = 0; }},
      {"repetition_penalty", [](auto& p) { p.repetition_penalty = 0; }},
      {"repetition_penalty", [](auto& p) { p.repetition_penalty = kInfinity; }},
      {"presence_penalty", [](auto& p) { p.presence_penalty = 2.5f; }},
      {"frequency_penalty", [](auto& p) { p.frequency_penalty = -2.5f; }},
      {"penalty_last_n", [](auto& p) { p.penalty_last_n = -2; }},
      {"dry_multiplier", [](auto& p) { p.dry_multiplier = -1; }},
      {"dry_base", [](auto& p) { p.dry_base = 0.5f; }},
      {"dry_allowed_length", [](auto& p) { p.dry_allowed_length = 0; }},
      {"dry_last_n", [](auto& p) { p.dry_last_n = -2; }},
      {"dry_sequence_breakers", [](auto& p) { p.dry_sequence_breakers = {""}; }},
      {"dry_sequence_breakers", [](auto& p) { p.dry_sequence_breakers = {std::string(1000, 'x')}; }},
      {"dry_sequence_breakers", [](auto& p) { p.dry_sequence_breakers.resize(1000, "x"); }},
      {"xtc_probability", [](auto& p) { p.xtc_probability = 2; }},
      {"xtc_threshold", [](auto& p) { p.xtc_threshold = -0.1f; }},
      {"mirostat", [](auto& p) { p.mirostat = 3; }},
      {"mirostat_tau", [](auto& p) { p.mirostat_tau = -1; }},
      {"mirostat_eta", [](auto& p) { p.mirostat_eta = kNan; }},
      {"logit_bias",
       [](auto& p) {
         p.logit_bias = {{-1, 0.0f}};
       }},
      {"allowed_token_ids", [](auto& p) { p.allowed_tokens = {3, 100}; }},
      {"logit_bias",
       [](auto& p) {
         p.logit_bias = {{5, kNan}};
       }},
      {"logit_bias",
       [](auto& p) {
         p.logit_bias = {{5, kInfinity}};
       }},
  };
  for (const auto& [field, change] : cases) EXPECT_THAT(refusal(change), testing::HasSubstr(field));
}

}  // namespace
}  // namespace minnow
