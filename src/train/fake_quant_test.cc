#include "train/fake_quant.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "compress/quantize.h"
#include "cpu/executor.h"
#include "graph/passes.h"
#include "models/save.h"
#include "train/test_runs.h"

namespace minnow {
namespace {

using ::testing::HasSubstr;
using minnow::testing::TemporaryFolder;
using namespace test;

bool go_on(const StepRecord&) { return true; }

Model model_of(int64_t width, uint64_t seed = 1, bool tied = true) {
  return new_model({.n_layers = 1, .n_embd = width, .n_heads = 2, .n_kv_heads = 1, .n_ff = width, .n_ctx = 32, .tied = tied},
                   testing_chats::byte_spec(), seed);
}

Lesson lesson_of(const Model& model, const std::string& recipe) {
  Lesson lesson;
  add_fake_quant(lesson, model, fake_quant_options(recipe));
  return lesson;
}

TrainingBatch some_tokens() {
  TrainingBatch batch;
  Random random(4);
  batch.sequences = {{.first = 0, .count = 20}};
  for (int32_t i = 0; i < 20; ++i) {
    batch.tokens.push_back(static_cast<int32_t>(random.below(256)));
    batch.output_rows.push_back(i);
  }
  return batch;
}

std::vector<float> logits_of(const Graph& graph, int n_threads = 1) {
  const TrainingBatch batch = some_tokens();
  TrainExecutor executor(differentiate(graph, {.trains = {}, .loss = LossKind::kGiven}), {.n_threads = n_threads, .isa = chosen_isa(), .max_tokens = 32, .max_outputs = 32});
  const auto out = executor.run(batch);
  return {out.begin(), out.end()};
}

// As an engine computes them: quantized products with inputs in 8 bits.
std::vector<float> inferred_logits(const Model& model) {
  Executor executor(fuse(build_graph(model, 32)), {.n_threads = 1, .isa = chosen_isa(), .max_tokens = 32, .max_outputs = 32, .progress = {}});
  KvCache kv(kv_layers(executor.graph()), KvType::kF32, 1);
  const std::vector<int32_t> pages = {0};
  Batch batch = some_tokens();
  batch.sequences[0].pages = pages;
  const auto out = executor.run(batch, &kv);
  return {out.begin(), out.end()};
}

double mean_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

class FakeQuantOf : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(, FakeQuantOf, ::testing::Values("Q8_0", "Q4_0", "Q4_K_S", "Q3_K_M", "Q2_K", "IQ4_NL", "IQ4_XS", "TQ2_0", "BF16", "ternary"),
                         [](const auto& c) { return std::string(c.param); });

TEST_P(FakeQuantOf, ALessonHasTheVeryLogitsOfTheFileThatIsWritten) {
  const TemporaryFolder folder;
  const Model model = model_of(256, 7, false);
  FakeQuantOptions options = fake_quant_options(GetParam());
  options.rounds_inputs = false;  // the file is computed with inputs as they are
  Lesson lesson;
  add_fake_quant(lesson, model, options);
  const Graph graph = fuse(build_graph(model, 32)), adapted = lesson.adapt(graph);
  ThreadPool pool(3);
  lesson.weights_changed(pool);
  quantize(model, folder / "m.gguf", options.types);
  const std::vector<float> got = logits_of(adapted, 2), wanted = logits_of(fuse(build_graph(load_model(folder / "m.gguf"), 32)));
  EXPECT_EQ(got, wanted);
  EXPECT_NE(got, logits_of(graph));
}

TEST(FakeQuant, RunEndsWithWeightsThatQuantizeToWhatItMeasured) {
  const TemporaryFolder folder;
  const DataSet data = tiny_data(folder, 0.1);
  Model model = tiny_model();
  const QuantizeOptions types = fake_quant_options("Q4_0").types;
  Trainer trainer(model, data, tiny_options(12), folder.path() / "run", lesson_of(model, "Q4_0"));
  trainer.run(go_on);
  quantize(model, folder / "trained.gguf", types);
  save_gguf(model, folder / "masters.gguf");
  quantize(load_model(folder / "masters.gguf"), folder / "quantized.gguf", types);
  EXPECT_EQ(read_text_file(folder / "trained.gguf", 1 << 22), read_text_file(folder / "quantized.gguf", 1 << 22));
  Model written = load_model(folder / "trained.gguf");
  EXPECT_EQ(written.weights.require("blk.0.ffn_up.weight").dtype, DType::kQ4_0);
  own_weights(written);
  EXPECT_EQ(Trainer(written, data, tiny_options(12), folder.path() / "other").validation_loss(), trainer.validation_loss());
}

TEST(FakeQuant, TernaryModelsSeeInputsAsInferenceRoundsThem) {
  const TemporaryFolder folder;
  const Model model = model_of(128, 3);
  const Lesson lesson = lesson_of(model, "ternary");
  FakeQuantOptions unrounded = fake_quant_options("ternary");
  unrounded.rounds_inputs = false;
  Lesson plain;
  add_fake_quant(plain, model, unrounded);
  ThreadPool pool(1);
  lesson.weights_changed(pool);
  plain.weights_changed(pool);
  quantize(model, folder / "m.gguf", unrounded.types);
  const Model written = load_model(folder / "m.gguf");
  EXPECT_EQ(written.weights.require("blk.0.attn_q.weight").dtype, DType::kI2_S);
  const std::vector<float> wanted = inferred_logits(written);
  const Graph graph = fuse(build_graph(model, 32));
  const double rounded = mean_distance(logits_of(lesson.adapt(graph)), wanted), exact = mean_distance(logits_of(plain.adapt(graph)), wanted);
  EXPECT_LT(rounded, 0.1 * exact) << exact;
}

// The same number of steps from the same weights: with weights rounded after training, or in training.
struct Losses {
  double rounded_after = 0, trained = 0;
};
Losses compare(const TemporaryFolder& folder, const Model& start, const std::string& recipe, TrainerOptions options) {
  const DataSet data = tiny_data(folder, 0.1);
  Losses losses;
  const auto run = [&](const std::string& name, bool fake) {
    Model model = start;
    own_weights(model);
    Trainer trainer(model, data, options, folder.path() / name, fake ? lesson_of(model, recipe) : Lesson());
    trainer.run(go_on);
    if (fake) return trainer.validation_loss();
    return Trainer(model, data, options, folder.path() / (name + "-quantized"), lesson_of(model, recipe)).validation_loss();
  };
  losses.rounded_after = run(recipe + "-after", false);
  losses.trained = run(recipe, true);
  return losses;
}

TEST(FakeQuant, TernaryTrainingBeatsRoundingAfterwards) {
  const TemporaryFolder folder;
  const Losses losses = compare(folder, model_of(128), "ternary", tiny_options(40));
  EXPECT_LT(losses.trained, losses.rounded_after - 0.1) << losses.rounded_after;
}

TEST(FakeQuant, TrainingForThreeBitsBeatsRoundingAfterwards) {
  const TemporaryFolder folder;
  Model trained = model_of(256);
  TrainerOptions options = tiny_options(40);
  options.rate.peak = 3e-3;
  Trainer(trained, tiny_data(folder, 0.1), options, folder.path() / "before").run(go_on);
  options = tiny_options(12);
  options.rate = {.peak = 1e-3};
  const Losses losses = compare(folder, trained, "Q2_K", options);
  EXPECT_LT(losses.trained, losses.rounded_after) << losses.rounded_after;
}

TEST(FakeQuant, GoesOnBitForBitAndOnlyForTheSameTypes) {
  const TemporaryFolder folder;
  const DataSet data = tiny_data(folder);
  Model whole = tiny_model(), parts = tiny_model(), again = tiny_model(9);
  Trainer(whole, data, tiny_options(8), folder.path() / "whole", lesson_of(whole, "IQ4_NL")).run(go_on);
  const auto run = folder.path() / "parts";
  Trainer(parts, data, tiny_options(8), run, lesson_of(parts, "IQ4_NL")).run([](const StepRecord& r) { return r.step < 3; });
  Trainer resumed(again, data, tiny_options(8), run, lesson_of(again, "IQ4_NL"));
  ASSERT_TRUE(resumed.resume());
  resumed.run(go_on);
  EXPECT_EQ(all_weights(again), all_weights(whole));
  const auto resume = [&](Lesson lesson) { return Trainer(parts, data, tiny_options(8), run, std::move(lesson)).resume(); };
  minnow::testing::expect_refused([&] { resume(lesson_of(parts, "Q4_0")); }, ErrorCode::kInvalidInput, "quantization");
  FakeQuantOptions others = fake_quant_options("IQ4_NL");
  others.rounds_inputs = true;
  Lesson rounding;
  add_fake_quant(rounding, parts, others);
  minnow::testing::expect_refused([&] { resume(rounding); }, ErrorCode::kInvalidInput, "quantization");
}

TEST(FakeQuant, RefusesRecipesThatRoundNothingAndWeightsPastTheirRange) {
  const TemporaryFolder folder;
  Model model = tiny_model();
  minnow::testing::expect_refused([&] { lesson_of(model, "F32"); }, ErrorCode::kUsage, "leaves every weight");
  minnow::testing::expect_refused([&] { lesson_of(model, "Q4_Q"); }, ErrorCode::kUsage, "Q4_1");
  TrainerOptions options = tiny_options(5);
  options.rate = {.shape = RateShape::kConstant, .peak = 1e20};
  Trainer trainer(model, tiny_data(folder), options, folder.path() / "run", lesson_of(model, "Q8_0"));
  try {
    trainer.run(go_on);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), ::testing::AllOf(HasSubstr("after step 1"), HasSubstr(".weight"), HasSubstr("lower the learning rate")));
  }
}

}  // namespace
}  // namespace minnow
