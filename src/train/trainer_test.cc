#include "train/trainer.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "train/test_runs.h"

namespace minnow {
namespace {

using ::testing::HasSubstr;
using minnow::testing::TemporaryFolder;
using namespace test;

bool go_on(const StepRecord&) { return true; }

TEST(Trainer, LearnsASmallText) {
  const TemporaryFolder folder;
  Model model = tiny_model();
  Trainer trainer(model, tiny_data(folder, 0.1), tiny_options(150), folder.path() / "run");
  const double before = trainer.validation_loss();
  EXPECT_NEAR(before, std::log(261), 0.1);  // nothing is known yet
  const TrainerReport report = trainer.run(go_on);
  EXPECT_TRUE(report.finished);
  EXPECT_EQ(report.steps, 150);
  EXPECT_LT(report.loss, 1.5);
  EXPECT_LT(report.validation_loss, 1.5);
  EXPECT_DOUBLE_EQ(report.validation_loss, trainer.validation_loss());
}

TEST(Trainer, ThatWasStoppedGoesOnBitForBit) {
  const TemporaryFolder folder;
  const DataSet data = tiny_data(folder);
  for (const auto kind : {OptimizerKind::kAdamW, OptimizerKind::kAdamW8}) {
    const std::string name(minnow::name(kind));
    TrainerOptions options = tiny_options(14);
    options.optimizer.kind = kind;
    Model whole = tiny_model(), parts = tiny_model();
    Trainer(whole, data, options, folder.path() / (name + "-whole")).run(go_on);
    const auto run = folder.path() / (name + "-parts");
    const TrainerReport stopped = Trainer(parts, data, options, run).run([](const StepRecord& r) { return r.step < 6; });
    EXPECT_FALSE(stopped.finished);
    EXPECT_EQ(stopped.steps, 6);
    Model again = tiny_model(99);  // other weights, which the checkpoint replaces
    options.n_threads = 3;
    Trainer resumed(again, data, options, run);
    ASSERT_TRUE(resumed.resume());
    EXPECT_EQ(resumed.steps_done(), 6);
    EXPECT_TRUE(resumed.run(go_on).finished);
    EXPECT_EQ(all_weights(again), all_weights(whole)) << name;
  }
}

TEST(Trainer, AccumulatesBatchesToTheStepOfALargeOne) {
  const TemporaryFolder folder;
  const DataSet data = tiny_data(folder);
  TrainerOptions options = tiny_options(3), halves = options;
  options.optimizer.kind = halves.optimizer.kind = OptimizerKind::kSgd;
  halves.n_sequences = 2;
  halves.accumulation = 2;
  Model one = tiny_model(), two = tiny_model();
  const TrainerReport a = Trainer(one, data, options, folder.path() / "one").run(go_on);
  const TrainerReport b = Trainer(two, data, halves, folder.path() / "two").run(go_on);
  EXPECT_EQ(a.tokens, b.tokens);
  EXPECT_NEAR(a.loss, b.loss, 1e-5);
  const std::vector<float> w = all_weights(one), v = all_weights(two);
  for (std::size_t i = 0; i < w.size(); ++i) ASSERT_NEAR(w[i], v[i], 1e-6);
}

TEST(Trainer, StopsWhenGradientsAreNotFiniteAndSaysWhatToDo) {
  const TemporaryFolder folder;
  Model model = tiny_model();
  TrainerOptions options = tiny_options(50);
  options.rate = {.shape = RateShape::kConstant, .peak = 1e30};
  Trainer trainer(model, tiny_data(folder), options, folder.path() / "run");
  try {
    trainer.run(go_on);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), ::testing::AllOf(HasSubstr("not finite in step"), HasSubstr("learning rate")));
  }
}

TEST(Trainer, WritesALineForEachStepAndEachEvaluationOnce) {
  const TemporaryFolder folder;
  const DataSet data = tiny_data(folder, 0.1);
  TrainerOptions options = tiny_options(9);
  options.evaluate_every = 3;
  options.checkpoint_every = 4;
  const auto run = folder.path() / "run";
  Model model = tiny_model(), again = tiny_model();
  // Killed after step 6: the checkpoint is of step 4.
  struct Killed {};
  EXPECT_THROW(Trainer(model, data, options, run).run([](const StepRecord& r) { return r.step == 6 ? throw Killed() : true; }), Killed);
  Trainer resumed(again, data, options, run);
  ASSERT_TRUE(resumed.resume());
  EXPECT_EQ(resumed.steps_done(), 4);
  resumed.run(go_on);
  std::vector<int64_t> steps, evaluated;
  const std::string log = read_text_file(run / "log.jsonl", 1 << 20);
  for (std::size_t begin = 0; begin < log.size(); begin = log.find('\n', begin) + 1) {
    const Json line = Json::parse(log.substr(begin, log.find('\n', begin) - begin));
    (line.contains("loss") ? steps : evaluated).push_back(line["step"]);
  }
  EXPECT_THAT(steps, ::testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(evaluated, ::testing::ElementsAre(3, 6, 9));
  EXPECT_THAT(read_text_file(run / "loss.svg", 1 << 20), ::testing::AllOf(HasSubstr("<svg"), HasSubstr("training loss"), HasSubstr("validation loss")));
}

TEST(Trainer, RefusesToResumeWithOtherSettingsOrAFileThatIsDamaged) {
  const TemporaryFolder folder;
  const DataSet data = tiny_data(folder);
  TrainerOptions options = tiny_options(6);
  const auto run = folder.path() / "run";
  Model model = tiny_model();
  EXPECT_FALSE(Trainer(model, data, options, run).resume());
  options.checkpoint_every = 1;
  options.keep_checkpoints = 2;
  Trainer(model, data, options, run).run(go_on);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(run / "checkpoints"), {}), 2);
  TrainerOptions others = options;
  others.rate.peak = 1e-3;
  minnow::testing::expect_refused([&] { Trainer(model, data, others, run).resume(); }, ErrorCode::kInvalidInput, "learning_rate");
  const auto newest = *newest_checkpoint(run / "checkpoints");
  std::string bytes = read_text_file(newest, 1 << 24);
  bytes[bytes.size() / 2] ^= 1;
  folder.write("run/checkpoints/" + newest.filename().string(), bytes);
  minnow::testing::expect_refused([&] { Trainer(model, data, options, run).resume(); }, ErrorCode::kInvalidInput, "damaged");
  folder.write("run/checkpoints/" + newest.filename().string(), bytes.substr(0, bytes.size() - 5));
  minnow::testing::expect_refused([&] { Trainer(model, data, options, run).resume(); }, ErrorCode::kInvalidInput, "state");
}

TEST(Trainer, RefusesOptionsOutOfRange) {
  const TemporaryFolder folder;
  const DataSet data = tiny_data(folder);
  Model model = tiny_model();
  const auto refuses = [&](void (*spoil)(TrainerOptions&)) {
    TrainerOptions o = tiny_options(10);
    spoil(o);
    EXPECT_THROW(Trainer(model, data, o, folder.path() / "run"), Error);
  };
  refuses([](TrainerOptions& o) { o.steps = 0; });
  refuses([](TrainerOptions& o) { o.n_sequences = 0; });
  refuses([](TrainerOptions& o) { o.rate.peak = NAN; });
  refuses([](TrainerOptions& o) { o.rate.warmup_steps = 10; });
  refuses([](TrainerOptions& o) { o.optimizer.beta1 = 1; });
}

TEST(NewModel, HasTheShapeAndTheDeviationsThatWereAskedFor) {
  const Model model = new_model({.n_layers = 3, .n_embd = 96, .n_heads = 4, .n_kv_heads = 2, .tied = false}, testing_chats::byte_spec(), 5);
  const auto deviation = [&](const std::string& name) {
    const Tensor& t = model.weights.require(name);
    double squares = 0;
    for (int64_t i = 0; i < t.shape.elements(); ++i) squares += static_cast<double>(t.f32()[i]) * t.f32()[i];
    return std::sqrt(squares / static_cast<double>(t.shape.elements()));
  };
  EXPECT_EQ(model.config.n_ff, 256);
  EXPECT_EQ(model.weights.require("blk.2.attn_k.weight").shape, (Shape{48, 96}));
  EXPECT_NEAR(deviation("output.weight"), 0.02, 0.001);
  EXPECT_NEAR(deviation("blk.1.ffn_up.weight"), 0.02, 0.001);
  EXPECT_NEAR(deviation("blk.1.ffn_down.weight"), 0.02 / std::sqrt(6), 0.0005);
  EXPECT_NEAR(deviation("blk.1.attn_output.weight"), 0.02 / std::sqrt(6), 0.0005);
  EXPECT_EQ(deviation("output_norm.weight"), 1);
  EXPECT_NO_THROW(build_graph(model, 64));
  EXPECT_THROW(new_model({.n_embd = 90, .n_heads = 4}, testing_chats::byte_spec(), 5), Error);
  EXPECT_THROW(new_model({.family = &kGpt2}, testing_chats::byte_spec(), 5), Error);
}

}  // namespace
}  // namespace minnow
