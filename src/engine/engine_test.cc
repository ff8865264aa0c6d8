#include "engine/engine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "base/random.h"
#include "models/family.h"
#include "models/random_model.h"
#include "models/save.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

std::shared_ptr<const Model> tiny(const Family& family, DType dtype = DType::kF32) {
  RandomModelShape shape{.family = &family, .dtype = dtype};
  if (family.window_pattern > 0) {
    shape.sliding_window = 16;
    shape.n_layers = 6;  // the sixth is global
  }
  return std::make_shared<const Model>(random_model(shape, 7));
}

EngineOptions small(int n_sequences = 1, int64_t n_batch = 512) {
  return {.n_ctx = 512, .n_sequences = n_sequences, .n_batch = n_batch, .kv_type = KvType::kF32, .n_threads = 2};
}

std::vector<TokenId> random_prompt(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<TokenId> tokens = {1};
  while (static_cast<int64_t>(tokens.size()) < n) tokens.push_back(static_cast<TokenId>(3 + random.below(297)));
  return tokens;
}

GenerateRequest greedy(std::vector<TokenId> prompt, int64_t n) {
  GenerateRequest r{.prompt = std::move(prompt), .max_tokens = n, .ignore_end = true};
  r.sampling.temperature = 0;
  return r;
}

std::vector<TokenId> generate(Engine& engine, const std::vector<TokenId>& prompt, int64_t n) {
  return engine.submit(greedy(prompt, n))->wait().tokens;
}

// Logits of every prompt position.
std::vector<float> prompt_logits(Engine& engine, const std::vector<TokenId>& prompt) {
  std::vector<float> all;
  GenerateRequest r{.prompt = prompt, .max_tokens = 0};
  r.on_prompt_logits = [&](int64_t, std::span<const float> row) { all.insert(all.end(), row.begin(), row.end()); };
  engine.submit(std::move(r))->wait();
  return all;
}

// Step 0 of training, and what was learned: beside the weights, or in them.
TEST(Engine, AnswersWithAnAdapterAsTheMergedModelDoesAndWithANewOneAsTheBase) {
  for (const Family* family : {&kLlama, &kPhi3}) {
    for (const bool magnitudes : {false, true}) {
      const auto base = tiny(*family);
      const std::vector<TokenId> prompt = random_prompt(40, 3);
      Engine plain(base, small());
      const std::vector<float> before = prompt_logits(plain, prompt);
      const auto with = [&](const Adapter& adapter) {
        EngineOptions options = small();
        options.adapter = std::make_shared<const Adapter>(adapter);
        Engine engine(base, options);
        return prompt_logits(engine, prompt);
      };
      Adapter adapter = new_adapter(*base, {.targets = TargetModules::parse("all-linear"), .rank = 3, .magnitudes = magnitudes}, 1);
      if (!magnitudes) {
        EXPECT_EQ(with(adapter), before);
      }
      Model merged = *base;
      Random random(9);
      for (AdapterMatrix& m : adapter.matrices) {
        std::vector<float> b(static_cast<std::size_t>(m.b.shape.elements()));
        for (float& v : b) v = static_cast<float>(0.05 * random.normal());
        m.b = Tensor::from_f32(b, m.b.shape);
        const Tensor& weight = base->weights.require(m.name);
        std::vector<float> sum(weight.f32(), weight.f32() + weight.shape.elements());
        for_delta_rows(weight, adapter, m, [&](int64_t r, std::span<const float> delta) {
          for (std::size_t c = 0; c < delta.size(); ++c) sum[static_cast<std::size_t>(r) * delta.size() + c] += delta[c];
        });
        merged.weights.set(m.name, Tensor::from_f32(sum, weight.shape));
      }
      const std::vector<float> beside = with(adapter);
      Engine inside(std::make_shared<const Model>(std::move(merged)), small());
      const std::vector<float> wanted = prompt_logits(inside, prompt);
      float largest = 0, changed = 0;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        largest = std::max(largest, std::abs(wanted[i]));
        changed = std::max(changed, std::abs(wanted[i] - before[i]));
      }
      EXPECT_GT(changed, 1e-2f * largest);
      for (std::size_t i = 0; i < wanted.size(); ++i) ASSERT_NEAR(beside[i], wanted[i], 1e-4f * largest) << family->gguf_name;
    }
  }
}

class EngineOfEachFamily : public testing::TestWithParam<std::tuple<const Family*, DType>> {
 protected:
  std::shared_ptr<const Model> model() const { return tiny(*std::get<0>(GetParam()), std::get<1>(GetParam())); }
};

TEST_P(EngineOfEachFamily, GivesTheSameTokensAloneInABatchAndInChunks) {
  const auto m = model();
  std::vector<std::vector<TokenId>> prompts;
  for (uint64_t i = 0; i < 16; ++i) prompts.push_back(random_prompt(5 + static_cast<int64_t>(i) * 11, i));

  std::vector<std::vector<TokenId>> alone;
  {
    Engine engine(m, small());
    for (const auto& p : prompts) alone.push_back(generate(engine, p, 12));
  }
  for (const int64_t chunk : {1, 7, 64}) {
    Engine engine(m, small(1, chunk));
    for (std::size_t i = 0; i < prompts.size(); i += 5) EXPECT_EQ(generate(engine, prompts[i], 12), alone[i]) << "chunks of " << chunk;
  }
  Engine engine(m, small(16));
  std::vector<std::unique_ptr<Generation>> running;
  for (const auto& p : prompts) running.push_back(engine.submit(greedy(p, 12)));
  for (std::size_t i = 0; i < running.size(); ++i) EXPECT_EQ(running[i]->wait().tokens, alone[i]) << "in a batch of 16: " << i;
}

TEST_P(EngineOfEachFamily, PromptLogitsDoNotDependOnChunksInASingleBit) {
  const auto m = model();
  const auto prompt = random_prompt(131, 3);
  Engine whole(m, small());
  const auto expected = prompt_logits(whole, prompt);
  for (const int64_t chunk : {1, 7, 64}) {
    Engine engine(m, small(1, chunk));
    EXPECT_EQ(prompt_logits(engine, prompt), expected) << "chunks of " << chunk;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EngineOfEachFamily,
                         testing::Combine(testing::Values(&kLlama, &kQwen3, &kGemma3, &kQwen3Moe, &kLfm2, &kPhi2, &kGpt2),
                                          testing::Values(DType::kF32, DType::kF16, DType::kQ8_0, DType::kQ4_0)),
                         [](const auto& p) {
                           return std::string(std::get<0>(p.param)->gguf_name) + "_" + std::string(name(std::get<1>(p.param)));
                         });

// Whatever a family's attention needs (windows, stretched positions, convolutions, experts), a prompt is read and answered.
TEST(Engine, RunsEveryFamilyThatMakesText) {
  for (const Family* family : kFamilies) {
    if (!family->causal) continue;
    SCOPED_TRACE(family->hf_architectures[0]);
    Engine engine(tiny(*family), small());
    const auto prompt = random_prompt(40, 9);
    const auto logits = prompt_logits(engine, prompt);
    EXPECT_TRUE(std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); }));
    EXPECT_EQ(generate(engine, prompt, 5), generate(engine, prompt, 5));
  }
}

TEST(Engine, RemembersACommonPrefixAndAnswersAsWithoutIt) {
  const auto m = tiny(kLlama);
  auto first = random_prompt(200, 1);
  auto second = first;
  second.resize(150);
  second.push_back(42);
  Engine fresh(m, small());
  const auto expected = generate(fresh, second, 10);
  Engine engine(m, small());
  generate(engine, first, 5);
  const Event end = engine.submit(greedy(second, 10))->wait();
  EXPECT_EQ(end.stats.reused_tokens, 128) << "two pages of 64";
  EXPECT_EQ(end.tokens, expected);
  EXPECT_EQ(engine.submit(greedy(second, 10))->wait().tokens, expected);
  const auto answer = engine.submit(greedy(second, 10));
  Event event = answer->next();
  const GenerationStats at_first = event.stats;
  while (!event.done) event = answer->next();
  EXPECT_EQ(at_first.prompt_tokens, 151) << "known from the first event on";
  EXPECT_GE(at_first.reused_tokens, 128);
  EXPECT_EQ(at_first.reused_tokens, event.stats.reused_tokens);
}

TEST(Engine, SaysThatTheContextIsFullInsteadOfCutting) {
  EngineOptions options = small();
  options.n_ctx = 32;
  Engine engine(tiny(kLlama), options);
  const Event end = engine.submit(greedy(random_prompt(20, 1), -1))->wait();
  EXPECT_EQ(end.reason, FinishReason::kContextFull);
  EXPECT_EQ(end.stats.generated_tokens, 32 - 20 + 1);
  EXPECT_THROW(engine.submit(greedy(random_prompt(33, 1), 1)), Error);
  EXPECT_EQ(engine.submit(greedy(random_prompt(32, 1), 1))->wait().tokens.size(), 1u);
}

TEST(Engine, RefusesBadRequestsAndGoesOn) {
  Engine engine(tiny(kLlama), small());
  EXPECT_THROW(engine.submit(greedy({}, 1)), Error);
  EXPECT_THROW(engine.submit(greedy({1, 300}, 1)), Error);
  EXPECT_THROW(engine.submit(greedy({-1}, 1)), Error);
  GenerateRequest bad = greedy({1}, 1);
  bad.sampling.top_p = 7;
  EXPECT_THROW(engine.submit(std::move(bad)), Error);
  EXPECT_EQ(generate(engine, {1, 5}, 3).size(), 3u);
}

TEST(Engine, CancelledRequestsEndAndLeaveTheOthersAsTheyWere) {
  const auto m = tiny(kLlama);
  const auto prompt = random_prompt(30, 9);
  Engine reference(m, small());
  const auto expected = generate(reference, prompt, 60);
  Engine engine(m, small(4));
  auto kept = engine.submit(greedy(prompt, 60));
  auto stopped = engine.submit(greedy(random_prompt(40, 2), -1));
  stopped->next();
  stopped->cancel();
  EXPECT_EQ(stopped->wait().reason, FinishReason::kCancelled);
  { auto dropped = engine.submit(greedy(random_prompt(50, 3), -1)); }
  EXPECT_EQ(kept->wait().tokens, expected);
}

TEST(Engine, SequencesThatDoNotFitTogetherTakeTurns) {
  const auto m = tiny(kLlama);
  EngineOptions options = small(4);
  options.kv_tokens = 512;  // eight pages for four sequences of up to four each
  Engine engine(m, options);
  Engine reference(m, small());
  std::vector<std::vector<TokenId>> prompts;
  std::vector<std::unique_ptr<Generation>> running;
  for (uint64_t i = 0; i < 6; ++i) {
    prompts.push_back(random_prompt(60 + static_cast<int64_t>(i), 20 + i));
    running.push_back(engine.submit(greedy(prompts.back(), 150)));
  }
  for (std::size_t i = 0; i < running.size(); ++i) EXPECT_EQ(running[i]->wait().tokens, generate(reference, prompts[i], 150)) << i;
}

TEST(Engine, StopStringsAreLeftOutAndEndTheAnswer) {
  Engine engine(tiny(kLlama), small());
  const auto prompt = random_prompt(10, 4);
  const std::string text = engine.submit(greedy(prompt, 40))->wait().text;
  ASSERT_GT(text.size(), 12u);
  GenerateRequest r = greedy(prompt, 40);
  r.stop = {text.substr(7, 4)};
  const Event end = engine.submit(std::move(r))->wait();
  EXPECT_EQ(end.reason, FinishReason::kStopString);
  EXPECT_EQ(end.text, text.substr(0, text.find(text.substr(7, 4))));
}

TEST(Engine, TheSameSeedGivesTheSameAnswerWhateverRunsBesideIt) {
  const auto m = tiny(kQwen3);
  GenerateRequest r{.prompt = random_prompt(12, 5), .max_tokens = 30, .ignore_end = true};
  r.sampling.seed = 99;
  Engine engine(m, small(8));
  const auto expected = engine.submit(r)->wait().tokens;
  std::vector<std::unique_ptr<Generation>> noise;
  for (uint64_t i = 0; i < 5; ++i) noise.push_back(engine.submit(greedy(random_prompt(70, i), 50)));
  EXPECT_EQ(engine.submit(r)->wait().tokens, expected);
  r.sampling.seed = 100;
  EXPECT_NE(engine.submit(r)->wait().tokens, expected);
}

TEST(Engine, EveryKvTypeStaysCloseToF32) {
  const auto m = tiny(kGemma3);
  const auto prompt = random_prompt(90, 6);
  Engine exact(m, small());
  const auto expected = prompt_logits(exact, prompt);
  for (const auto& [type, bound] : {std::pair{KvType::kF16, 0.02}, std::pair{KvType::kBf16, 0.1}, std::pair{KvType::kQ8_0, 0.4}}) {
    EngineOptions options = small();
    options.kv_type = type;
    Engine engine(m, options);
    const auto got = prompt_logits(engine, prompt);
    ASSERT_EQ(got.size(), expected.size());
    double worst = 0;
    for (std::size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(got[i]) - expected[i]));
    EXPECT_LT(worst, bound) << name(type);
    EXPECT_GT(worst, 0) << name(type) << " is said to be used but changes nothing";
  }
}

TEST(Engine, AnswersManyThreadsAtOnce) {
  Engine engine(tiny(kLlama), small(4));
  std::vector<std::thread> threads;
  std::atomic<int> done{0};
  for (uint64_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 4; ++i) done += generate(engine, random_prompt(8 + static_cast<int64_t>(t), i), 6).size() == 6;
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(done, 24);
}

TEST(Engine, GivesTheSameBitsWithPackedWeightsFromTheCache) {
  namespace fs = std::filesystem;
  std::string pattern = (fs::temp_directory_path() / "minnow-engine-test-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const fs::path folder = pattern;
  save_gguf(random_model({.family = &kQwen3, .n_embd = 256, .n_ff = 512, .dtype = DType::kQ4_K}, 7), folder / "m.gguf");
  const auto logits = [&](const fs::path& cache, bool found) {
    EngineOptions options = small();
    options.packed_cache = {.folder = cache, .min_bytes = 0, .keep_free = 0, .settled = std::chrono::seconds(0)};
    Engine engine(std::make_shared<const Model>(load_model(folder / "m.gguf")), options);
    EXPECT_EQ(engine.found_packed(), found);
    return prompt_logits(engine, random_prompt(40, 1));
  };
  const auto without = logits({}, false), first = logits(folder / "packed", false), second = logits(folder / "packed", true);
  fs::remove_all(folder);
  ASSERT_FALSE(without.empty());
  EXPECT_EQ(without, first);
  EXPECT_EQ(without, second);
}

}  // namespace
}  // namespace minnow
