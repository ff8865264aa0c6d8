#include "eval/bench.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "models/family.h"
#include "models/random_model.h"

namespace minnow {
namespace {

std::unique_ptr<Engine> tiny_engine(const std::vector<BenchTest>& tests) {
  EngineOptions options;
  options.n_threads = 1;
  options.n_batch = 64;
  return std::make_unique<Engine>(std::make_shared<const Model>(random_model({.family = &kLlama}, 4)), engine_options_for(tests, options));
}

std::vector<std::string> names(const BenchPlan& plan) {
  std::vector<std::string> all;
  for (const BenchTest& t : tests_of(plan)) all.push_back(t.name());
  return all;
}

TEST(BenchPlan, IsEveryCombinationPromptsFirst) {
  EXPECT_EQ(names({}), (std::vector<std::string>{"pp512", "tg128"}));
  EXPECT_EQ(names({.prompts = {512, 2048}, .generations = {128}, .depths = {0, 4096}, .sequences = {1, 4}}),
            (std::vector<std::string>{"pp512", "pp512 d4096", "pp2048", "pp2048 d4096", "tg128", "tg128 x4", "tg128 d4096", "tg128 d4096 x4"}));
  EXPECT_EQ(names({.prompts = {0}, .generations = {0}, .start = true}), (std::vector<std::string>{"start"}));
}

TEST(BenchPlan, RefusesWhatCannotBeMeasured) {
  EXPECT_THROW(tests_of({.prompts = {0}, .generations = {0}}), Error);
  EXPECT_THROW(tests_of({.depths = {100}}), Error);
  EXPECT_THROW(tests_of({.sequences = {100'000}}), Error);
  EXPECT_THROW(engine_options_for({{.n_prompt = 512}}, {.n_ctx = 100}), Error);
}

TEST(Bench, MeasuresEveryKindOfTest) {
  const std::vector<BenchTest> tests = tests_of({.prompts = {100}, .generations = {6}, .depths = {0, 128}, .sequences = {1, 3}});
  ASSERT_EQ(tests.size(), 6u);
  const auto engine = tiny_engine(tests);
  for (const BenchTest& test : tests) {
    std::vector<int> told;
    const BenchResult r = bench(*engine, test, {.repetitions = 2, .progress = [&](int run) { told.push_back(run); }});
    EXPECT_EQ(told, (std::vector<int>{0, 1, 2}));
    ASSERT_EQ(r.runs.size(), 2u) << test.name();
    for (const BenchRun& run : r.runs) {
      EXPECT_GT(run.tokens_per_second, 0) << test.name();
      EXPECT_GT(run.limit_share, 0) << test.name();
      EXPECT_EQ(run.read_bytes_per_second > 0, test.generates()) << test.name();
    }
    EXPECT_GT(r.limits.read_bytes_per_second, 0);
    EXPECT_GT(r.peak_rss, 0u);
  }
  EXPECT_GT(first_token_seconds(*engine), 0);
}

TEST(Bench, TellsWhenTheCacheHasNoRoomForTheDepth) {
  EngineOptions options = engine_options_for({{.n_prompt = 8}}, {});
  options.n_threads = 1;
  options.reuse_prefixes = false;
  options.n_ctx = 256;
  Engine engine(std::make_shared<const Model>(random_model({.family = &kLlama}, 4)), options);
  EXPECT_THROW(bench(engine, {.n_prompt = 8, .depth = 64}, {.repetitions = 1}), Error);
}

}  // namespace
}  // namespace minnow
