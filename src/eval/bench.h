// How fast a model runs here: tests as llama-bench has them, measured on an engine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cpu/machine.h"
#include "engine/engine.h"

namespace minnow {

// One thing to measure. Either n_prompt or n_generate is positive, or the test is of the start.
struct BenchTest {
  int64_t n_prompt = 0;    // tokens read at once
  int64_t n_generate = 0;  // tokens made one after the other, by each sequence
  int64_t depth = 0;       // positions filled before, not timed; whole pages of the cache
  int64_t n_sequences = 1; // that generate at once
  bool start = false;      // a whole process, from its start through one token to its end (eval/compare.h)

  bool generates() const { return n_generate > 0; }
  // "pp512", "tg128", "tg128 d4096", "tg128 x8", "start"
  std::string name() const;
  friend bool operator==(const BenchTest&, const BenchTest&) = default;
};

struct BenchPlan {
  std::vector<int64_t> prompts = {512}, generations = {128}, depths = {0}, sequences = {1};  // 0 tokens: none of that kind
  bool start = false;
};
// Every prompt at every depth, then every generation at every depth with every number of sequences. Throws kUsage for a
// depth that is not a whole number of pages, more sequences than an engine has, or nothing to do.
std::vector<BenchTest> tests_of(const BenchPlan& plan);

// Fills in what an engine needs to run the tests; a context that was asked for is kept, or refused (kUsage) when it is
// too short. Prefixes are reused: so a depth is computed once for all runs. What is measured is made of random tokens,
// which no engine can know.
EngineOptions engine_options_for(const std::vector<BenchTest>& tests, EngineOptions options);

struct BenchRun {
  double tokens_per_second = 0;      // of all sequences together
  double limit_share = 0;            // of what the tighter limit of the machine allows
  double read_bytes_per_second = 0;  // beside this run: mean of a probe before and one after; 0 for prompts
};

struct BenchResult {
  std::vector<BenchRun> runs;
  MachineLimits limits;       // measured beside the runs
  bool memory_bound = false;  // which of them is the tighter one for this test; else multiplication
  uint64_t peak_rss = 0;      // bytes, after the warm-up
};

struct BenchOptions {
  int repetitions = 5;  // after one warm-up
  uint64_t seed = 1;
  std::function<void(int run)> progress;  // before each run; 0: the warm-up
};
// Throws kInternal when a depth was not found in the cache again.
BenchResult bench(Engine& engine, const BenchTest& test, const BenchOptions& options);

// Seconds from the submission of a prompt of one token to the first answer's token: on a fresh engine, what is left of
// the time to the first token after loading.
double first_token_seconds(Engine& engine);

}  // namespace minnow
