// Training whole models of several families on the CPU, against the float64 interpreter.
#include <gtest/gtest.h>

#include "cpu/test_training.h"
#include "graph/passes.h"
#include "graph/recompute.h"
#include "models/random_model.h"

namespace minnow {
namespace {

struct FamilyCase {
  const char* name;
  const Family* family;
  bool tied;
  int64_t window = 0;
};
void PrintTo(const FamilyCase& c, std::ostream* out) { *out << c.name; }

const FamilyCase kCases[] = {
    {"Llama", &kLlama, false},       {"LlamaTied", &kLlama, true},   {"Qwen2", &kQwen2, true},         {"Qwen3", &kQwen3, true},
    {"Gemma2", &kGemma2, true, 20},  {"Gemma3", &kGemma3, true, 20}, {"Phi2", &kPhi2, false},          {"Phi3", &kPhi3, false, 30},
    {"Gpt2", &kGpt2, true},          {"GptNeoX", &kGptNeoX, false},  {"Olmo2", &kOlmo2, false},        {"StableLM", &kStableLM, false},
    {"Bitnet", &kBitnetB158, true},  {"Lfm2", &kLfm2, true},         {"Qwen3Moe", &kQwen3Moe, false},
};

Model model_of(const FamilyCase& c) {
  return random_model({.family = c.family, .n_layers = 2, .n_embd = 48, .n_ff = 80, .n_heads = 4, .n_kv_heads = 2, .head_dim = 16,
                       .n_vocab = 300, .n_ctx = 128, .sliding_window = c.window, .tied = c.tied}, 5);
}

// Documents of these lengths; all rows have a target but each tenth.
TrainingBatch batch_of(std::initializer_list<int32_t> lengths, uint64_t seed = 1) {
  TrainingBatch batch;
  Random random(seed);
  for (const int32_t n : lengths) {
    batch.sequences.push_back({.first = static_cast<int32_t>(batch.tokens.size()), .count = n});
    for (int32_t i = 0; i < n; ++i) {
      batch.output_rows.push_back(static_cast<int32_t>(batch.tokens.size()));
      batch.tokens.push_back(static_cast<int32_t>(random.below(300)));
      batch.targets.push_back(i % 10 == 9 ? -1 : static_cast<int32_t>(random.below(300)));
      batch.loss_weights.push_back(0.02f);
    }
  }
  return batch;
}

bool train_all(const Node&) { return true; }
TrainExecutorOptions options_of(Multiplied numbers) {
  return {.isa = chosen_isa(), .max_tokens = 200, .max_outputs = 200, .numbers = numbers};
}

class TrainingOf : public testing::TestWithParam<FamilyCase> {};
INSTANTIATE_TEST_SUITE_P(, TrainingOf, testing::ValuesIn(kCases), [](const auto& c) { return std::string(c.param.name); });

TEST_P(TrainingOf, AModelGivesLossesAndGradientsOfFloat64) {
  const Model model = model_of(GetParam());
  const TrainingGraph training = differentiate(fuse(build_graph(model, 128)), {train_all});
  const TrainingBatch batch = batch_of({60, 1, 37});
  test::expect_training(training, batch, options_of(Multiplied::kF32), 1e-4);
  // Numbers of 8 bits through two layers. A router may then choose other experts, and the gradient of a bias of keys
  // without rotation is nothing but rounding.
  if (GetParam().family != &kQwen3Moe && GetParam().family != &kGpt2) test::expect_training(training, batch, options_of(Multiplied::kBf16), 0.1);
}

TEST(Training, InLessMemoryGivesTheSameBits) {
  const Model model = model_of(kCases[0]);
  const TrainingGraph plain = differentiate(fuse(build_graph(model, 128)), {train_all});
  const TrainingBatch batch = batch_of({60, 37});
  TrainExecutor all(plain, options_of(Multiplied::kF32)), less(recompute_most(plain, {200, 200}), options_of(Multiplied::kF32));
  const test::TrainingResult wanted = test::result_of(all, batch), got = test::result_of(less, batch);
  EXPECT_LT(less.memory_bytes(), all.memory_bytes());
  EXPECT_TRUE(test::same_bits(got.output, wanted.output));
  for (std::size_t i = 0; i < got.gradients.size(); ++i) EXPECT_TRUE(test::same_bits(got.gradients[i], wanted.gradients[i]));
}

TEST(Training, InMicroBatchesAddsUpToTheWholeBatch) {
  const Model model = model_of(kCases[1]);
  const TrainingGraph training = differentiate(fuse(build_graph(model, 128)), {train_all});
  TrainExecutor executor(training, options_of(Multiplied::kF32));
  const test::TrainingResult whole = test::result_of(executor, batch_of({60, 37, 50}));
  executor.clear_gradients();
  TrainingBatch all = batch_of({60, 37, 50});
  for (const SequenceSlice& s : all.sequences) {
    const auto part = [&](const auto& v) { return std::decay_t<decltype(v)>(v.begin() + s.first, v.begin() + s.first + s.count); };
    TrainingBatch one;
    one.tokens = part(all.tokens);
    one.targets = part(all.targets);
    one.loss_weights = part(all.loss_weights);
    one.sequences = {{.first = 0, .count = s.count}};
    for (int32_t i = 0; i < s.count; ++i) one.output_rows.push_back(i);
    executor.run(one);
  }
  for (std::size_t i = 0; i < whole.gradients.size(); ++i) {
    const std::vector<double> wanted(whole.gradients[i].begin(), whole.gradients[i].end());
    EXPECT_LT(test::relative_error({executor.gradient(i).begin(), executor.gradient(i).end()}, wanted), 1e-5);
  }
}

}  // namespace
}  // namespace minnow
