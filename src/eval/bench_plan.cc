// Which tests a plan stands for, and the engine that they need.
#include <algorithm>

#include "base/error.h"
#include "eval/bench.h"

namespace minnow {
namespace {

constexpr int64_t kMaxSequences = 512;
// Positions of the short prompt that holds the engine while sequences arrive (bench.cc).
constexpr int64_t kPlugPositions = kKvPage;

int64_t positions(const BenchTest& t) { return t.depth + t.n_prompt + t.n_generate + 2; }
int64_t whole_pages(int64_t n) { return (n + kKvPage - 1) / kKvPage * kKvPage; }

void check(const BenchPlan& plan) {
  for (const int64_t d : plan.depths) {
    if (d % kKvPage == 0) continue;
    throw Error(ErrorCode::kUsage, fmt::format("a depth of {} positions is not whole pages of {}", d, kKvPage),
                fmt::format("use {}", whole_pages(d)));
  }
  for (const int64_t s : plan.sequences) {
    if (s < 1 || s > kMaxSequences) fail(ErrorCode::kUsage, "{} sequences at once; 1 to {} are possible", s, kMaxSequences);
  }
}

}  // namespace

std::string BenchTest::name() const {
  if (start) return "start";
  std::string text = generates() ? fmt::format("tg{}", n_generate) : fmt::format("pp{}", n_prompt);
  if (depth > 0) text += fmt::format(" d{}", depth);
  if (n_sequences > 1) text += fmt::format(" x{}", n_sequences);
  return text;
}

std::vector<BenchTest> tests_of(const BenchPlan& plan) {
  check(plan);
  std::vector<BenchTest> tests;
  if (plan.start) tests.push_back({.start = true});
  for (const int64_t p : plan.prompts) {
    for (const int64_t d : plan.depths) {
      if (p > 0) tests.push_back({.n_prompt = p, .depth = d});
    }
  }
  for (const int64_t n : plan.generations) {
    for (const int64_t d : plan.depths) {
      for (const int64_t s : plan.sequences) {
        if (n > 0) tests.push_back({.n_generate = n, .depth = d, .n_sequences = s});
      }
    }
  }
  if (tests.empty()) fail(ErrorCode::kUsage, "nothing to measure: no prompt and no generated tokens");
  return tests;
}

EngineOptions engine_options_for(const std::vector<BenchTest>& tests, EngineOptions o) {
  int64_t n_ctx = kPlugPositions, all = 0, sequences = 1;
  for (const BenchTest& t : tests) {
    n_ctx = std::max(n_ctx, positions(t));
    all = std::max(all, t.n_sequences * whole_pages(positions(t)));
    sequences = std::max(sequences, t.n_sequences);
  }
  if (o.n_ctx > 0 && o.n_ctx < n_ctx) {
    throw Error(ErrorCode::kUsage, fmt::format("a context of {} positions is too short for these tests", o.n_ctx),
                fmt::format("they need {}; leave --ctx out to have what they need", n_ctx));
  }
  o.n_ctx = std::max(o.n_ctx, n_ctx);
  o.n_sequences = static_cast<int>(sequences) + 1;
  // One page more for each sequence and the plug, so that nothing is taken from a depth that is still wanted.
  o.kv_tokens = std::max(o.n_ctx, all) + (sequences + 1) * kKvPage;
  o.reuse_prefixes = true;
  return o;
}

}  // namespace minnow
