#include "engine/sampling_params.h"

#include <cfloat>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {
namespace {

constexpr double kIntMax = std::numeric_limits<int>::max();

// NaN is in no range.
void check(const char* field, double value, double lo, double hi) {
  if (value >= lo && value <= hi) return;
  fail(ErrorCode::kInvalidInput, "sampling: {} is {}, allowed: {} to {}", field, value, lo, hi);
}

void check_at_least(const char* field, double value, double lo) {
  if (value >= lo && std::isfinite(value)) return;
  fail(ErrorCode::kInvalidInput, "sampling: {} is {}, allowed: {} or more", field, value, lo);
}

void check_share(const char* field, double value) {
  if (value > 0 && value <= 1) return;
  fail(ErrorCode::kInvalidInput, "sampling: {} is {}, allowed: above 0, at most 1", field, value);
}

void check_breakers(const std::vector<std::string>& breakers) {
  check("the number of dry_sequence_breakers", static_cast<double>(breakers.size()), 0,
        limits::kMaxDryBreakers);
  for (const std::string& breaker : breakers) {
    check("the length of one of dry_sequence_breakers", static_cast<double>(breaker.size()), 1,
          limits::kMaxDryBreakerBytes);
  }
}

void check_bias(const std::vector<std::pair<TokenId, float>>& biases, int32_t n_vocab) {
  for (const auto& [token, bias] : biases) {
    check("a token of logit_bias", token, 0, n_vocab - 1.0);
    if (bias <= FLT_MAX) continue;  // false for NaN and +infinity
    fail(ErrorCode::kInvalidInput,
         "sampling: logit_bias of token {} is {}, allowed: a finite number or -infinity", token, bias);
  }
}

}  // namespace

void SamplingParams::validate(int32_t n_vocab) const {
  check_at_least("temperature", temperature, 0);
  check("top_k", top_k, 0, kIntMax);
  check_share("top_p", top_p);
  check("min_p", min_p, 0, 1);
  check_share("typical_p", typical_p);
  if (!(repetition_penalty > 0) || !std::isfinite(repetition_penalty)) {
    fail(ErrorCode::kInvalidInput, "sampling: repetition_penalty is {}, allowed: above 0",
         repetition_penalty);
  }
  check("presence_penalty", presence_penalty, -2, 2);
  check("frequency_penalty", frequency_penalty, -2, 2);
  check("penalty_last_n", penalty_last_n, -1, kIntMax);
  check_at_least("dry_multiplier", dry_multiplier, 0);
  check_at_least("dry_base", dry_base, 1);
  check("dry_allowed_length", dry_allowed_length, 1, kIntMax);
  check("dry_last_n", dry_last_n, -1, kIntMax);
  check_breakers(dry_sequence_breakers);
  check("xtc_probability", xtc_probability, 0, 1);
  check("xtc_threshold", xtc_threshold, 0, 1);
  check("mirostat", mirostat, 0, 2);
  check_at_least("mirostat_tau", mirostat_tau, 0);
  check("mirostat_eta", mirostat_eta, 0, 1);
  check_bias(logit_bias, n_vocab);
  for (const TokenId token : allowed_tokens) check("a token of allowed_token_ids", token, 0, n_vocab - 1.0);
}

}  // namespace minnow
