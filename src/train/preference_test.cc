#include "train/preference.h"

#include <gmock/gmock.h>

#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/file.h"
#include "graph/lora.h"
#include "graph/passes.h"
#include "graph/test_gradients.h"
#include "train/test_runs.h"

namespace minnow {
namespace {

using minnow::testing::TemporaryFolder;
using namespace test;

bool go_on(const StepRecord&) { return true; }

// Polite answers are chosen, rude ones rejected; they differ in length.
DataSet pairs(const TemporaryFolder& folder, double validation_share = 0, int n = 40) {
  std::string lines;
  Random random(5);
  const char* things[] = {"fish", "cat", "bird", "tree"};
  for (int i = 0; i < n; ++i) {
    const std::string a = things[random.below(4)], b = things[random.below(4)];
    lines += Json{{"prompt", a + " or " + b}, {"chosen", "please, " + a}, {"rejected", "no " + b + "!"}}.dump() + "\n";
  }
  DataSetOptions options;
  options.files = {folder.write("pairs.jsonl", lines)};
  options.validation_share = validation_share;
  return DataSet::open(options);
}

TrainerOptions pair_options(int64_t steps) {
  TrainerOptions o = tiny_options(steps);
  o.rate.peak = 2e-3;
  o.rate.warmup_steps = 0;
  return o;
}

Lesson lesson_of(PreferenceOptions options) {
  Lesson lesson;
  lesson.settings = settings(options);
  lesson.objective = std::make_shared<Preference>(std::move(options));
  return lesson;
}

TEST(PairLoss, IsWhatItsDefinitionSays) {
  const double d = 1.7, b = 0.3, s = 0.1;
  const auto sigma = [](double x) { return 1 / (1 + std::exp(-x)); };
  EXPECT_NEAR(pair_loss({.beta = b}, d).loss, -std::log(sigma(b * d)), 1e-12);
  EXPECT_NEAR(pair_loss({.beta = b, .label_smoothing = s}, d).loss, -(1 - s) * std::log(sigma(b * d)) - s * std::log(sigma(-b * d)), 1e-12);
  EXPECT_NEAR(pair_loss({.loss = PreferenceLoss::kHinge, .beta = b}, d).loss, 1 - b * d, 1e-12);
  EXPECT_EQ(pair_loss({.loss = PreferenceLoss::kHinge, .beta = b}, 4).loss, 0);
  EXPECT_NEAR(pair_loss({.loss = PreferenceLoss::kIpo, .beta = b}, d).loss, std::pow(d - 1 / (2 * b), 2), 1e-12);
  EXPECT_NEAR(pair_loss({}, -1e4).loss, 1000, 1e-9);  // finite far away from zero
  EXPECT_EQ(pair_loss({}, 1e5).loss, 0);
}

TEST(PairLoss, HasTheSlopeOfItsDifferences) {
  for (const auto loss : {PreferenceLoss::kSigmoid, PreferenceLoss::kHinge, PreferenceLoss::kIpo, PreferenceLoss::kLengthSigmoid}) {
    const bool smooth = loss == PreferenceLoss::kSigmoid || loss == PreferenceLoss::kLengthSigmoid;
    const PreferenceOptions o{.loss = loss, .beta = 0.4, .label_smoothing = smooth ? 0.2 : 0};
    for (const double d : {-7.0, -0.5, 0.0, 1.3, 6.0}) {
      const double h = 1e-5;
      EXPECT_NEAR(pair_loss(o, d).slope, (pair_loss(o, d + h).loss - pair_loss(o, d - h).loss) / (2 * h), 1e-8) << name(loss) << " at " << d;
    }
  }
}

TEST(Preference, BeginsAtLn2WhenAllWeightsAreTrained) {
  const TemporaryFolder folder;
  Model model = tiny_model();
  Trainer trainer(model, pairs(folder, 0.2), pair_options(1), folder.path() / "run", lesson_of({}));
  EXPECT_DOUBLE_EQ(trainer.validation_loss(), std::numbers::ln2);
  trainer.run([](const StepRecord& r) {
    EXPECT_DOUBLE_EQ(r.loss, std::numbers::ln2);
    EXPECT_EQ(r.figures["reward_margin"], 0);
    EXPECT_EQ(r.figures["reward_accuracy"], 0);
    EXPECT_GT(r.gradient_norm, 0);
    return true;
  });
}

// Adapters of rank 4 on all matrices of the layers: B is zero, A random.
Graph with_adapters(const Graph& graph) {
  Random random(8);
  return fuse(add_lora(graph, [&](const Node& w) -> std::optional<LoraWeights> {
    if (!w.name.starts_with("blk.")) return std::nullopt;
    const Shape a{4, w.shape[1]};
    std::vector<float> values(static_cast<std::size_t>(a.elements()));
    for (float& v : values) v = static_cast<float>(0.2 * random.normal());
    return LoraWeights{Tensor::from_f32(values, a), Tensor::allocate(DType::kF32, {w.shape[0], 4}, nullptr), 2, 0.1f};
  }));
}
bool is_adapter(const Node& w) { return w.name.find(".lora_") != std::string::npos; }

TEST(Preference, ComparesAdaptersWithTheModelBelowThem) {
  const TemporaryFolder folder;
  Model model = tiny_model();
  const std::vector<float> before = all_weights(model);
  Lesson lesson = lesson_of({.beta = 0.5});
  lesson.adapt = with_adapters;
  lesson.trains = is_adapter;
  TrainerOptions options = pair_options(30);
  options.rate.peak = 1e-2;
  Trainer trainer(model, pairs(folder, 0.2), options, folder.path() / "run", lesson);
  EXPECT_DOUBLE_EQ(trainer.validation_loss(), std::numbers::ln2);
  std::vector<StepRecord> steps;
  trainer.run([&](const StepRecord& r) { return steps.push_back(r), true; });
  EXPECT_DOUBLE_EQ(steps.front().loss, std::numbers::ln2);
  EXPECT_EQ(steps.front().figures["reward_margin"], 0);
  EXPECT_GT(steps.back().figures["reward_margin"], 1);
  EXPECT_EQ(steps.back().figures["reward_accuracy"], 1);
  EXPECT_EQ(all_weights(model), before);
}

TEST(Preference, GrowsTheMarginWithEveryLossAndTellsIt) {
  for (const auto loss : {PreferenceLoss::kSigmoid, PreferenceLoss::kHinge, PreferenceLoss::kIpo, PreferenceLoss::kLengthSigmoid}) {
    const TemporaryFolder folder;
    Model model = tiny_model();
    Trainer trainer(model, pairs(folder, 0.2), pair_options(25), folder.path() / "run", lesson_of({.loss = loss, .beta = 0.5}));
    const double before = trainer.validation_loss();
    const TrainerReport report = trainer.run(go_on);
    EXPECT_LT(report.validation_loss, 0.7 * before) << name(loss);
    const std::string log = read_text_file(folder.path() / "run/log.jsonl", 1 << 20);
    const std::string last = log.substr(log.rfind('\n', log.size() - 2) + 1);
    const Json line = Json::parse(last);
    EXPECT_GT(line["reward_margin"], 0.2) << name(loss);
    EXPECT_EQ(line["reward_accuracy"], 1) << name(loss);
    EXPECT_FALSE(line.contains("perplexity"));
  }
}

// The loss of all pairs in float64, from its definition, with a trained weight moved.
class PairsInFloat64 {
 public:
  PairsInFloat64(const Graph& policy, const Graph& reference, const TrainingBatch& batch, const TrainBatch& data, PreferenceOptions options)
      : policy_(differentiate(policy, {})), batch_(batch), data_(data), options_(std::move(options)),
        reference_(sums(Interpreter(differentiate(reference, {}).graph, batch).output())) {}

  double loss(const WeightValues& weights) const {
    const std::vector<double> own = sums(Interpreter(policy_.graph, batch_, weights).output());
    double sum = 0;
    for (std::size_t i = 0; i < own.size(); i += 2) {
      sum += pair_loss(options_, own[i] - reference_[i] - (own[i + 1] - reference_[i + 1])).loss;
    }
    return sum;
  }

 private:
  std::vector<double> sums(const std::vector<double>& losses) const {
    std::vector<double> all;
    for (const DocumentSpan& d : data_.documents) {
      double sum = 0, n = 0;
      for (std::size_t r = 0; r < batch_.output_rows.size(); ++r) {
        if (batch_.output_rows[r] < d.first || batch_.output_rows[r] >= d.first + d.count) continue;
        sum -= losses[r];
        ++n;
      }
      const bool mean = options_.loss == PreferenceLoss::kIpo || options_.loss == PreferenceLoss::kLengthSigmoid;
      all.push_back(mean ? sum / n : sum);
    }
    return all;
  }
  TrainingGraph policy_;
  TrainingBatch batch_;
  TrainBatch data_;
  PreferenceOptions options_;
  std::vector<double> reference_;
};

TEST(Preference, HasTheGradientOfThePairsLosses) {
  const TemporaryFolder folder;
  const Model model = tiny_model(1);
  const auto reference = std::make_shared<const Model>(tiny_model(2));
  const Graph graph = fuse(build_graph(model, 32)), other = fuse(build_graph(*reference, 32));
  DataStream stream(pairs(folder).train, Tokenizer::build(*model.tokenizer), {}, {.sequence_length = 32, .n_sequences = 2});
  TrainBatch data;
  ASSERT_TRUE(stream.next(data));
  const std::function<bool(const Node&)> trains = train_all;
  for (const auto loss : {PreferenceLoss::kSigmoid, PreferenceLoss::kIpo, PreferenceLoss::kLengthSigmoid}) {
    const PreferenceOptions options{.loss = loss, .beta = 0.2, .label_smoothing = loss == PreferenceLoss::kSigmoid ? 0.1 : 0, .reference = reference};
    Preference preference(options);
    const TrainExecutorOptions executor{.isa = chosen_isa(), .max_tokens = 128, .max_outputs = 128};
    preference.begin({graph, graph, trains, 32, executor});
    TrainingBatch batch = training_batch(data);
    preference.prepare(batch, data, 0);
    const PairsInFloat64 wanted(graph, other, batch, data, options);
    EXPECT_NEAR(preference.loss({}, batch), wanted.loss({}), 1e-4 * wanted.loss({}));
    TrainExecutor training(differentiate(graph, {trains}), executor);
    training.run(batch);
    Random random(4);
    for (const std::string name : {"blk.0.attn_q.weight", "blk.1.ffn_down.weight", "token_embd.weight"}) {
      const auto is = [&](const WeightGradient& g) { return training.graph().node(g.weight).name == name; };
      const auto at = std::find_if(training.gradients().begin(), training.gradients().end(), is) - training.gradients().begin();
      const std::span<const float> gradient = training.gradient(static_cast<std::size_t>(at));
      const Node& weight = training.graph().node(training.gradients()[static_cast<std::size_t>(at)].weight);
      Doubles values(weight.constant.f32(), weight.constant.f32() + gradient.size()), direction(values.size());
      double got = 0, size = 0;
      for (std::size_t i = 0; i < values.size(); ++i) {
        direction[i] = random.normal();
        got += static_cast<double>(gradient[i]) * direction[i];
        size += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
      }
      const auto moved = [&](double distance) {
        Doubles v = values;
        for (std::size_t i = 0; i < v.size(); ++i) v[i] += distance * direction[i];
        return wanted.loss({{key_of(weight), v}});
      };
      const double step = 1e-5, slope = (moved(step) - moved(-step)) / (2 * step);
      EXPECT_NEAR(got, slope, 1e-3 * std::sqrt(size)) << minnow::name(loss) << ' ' << name;
    }
  }
}

TEST(Preference, GoesOnBitForBitFromACheckpointWithTheReferenceOfItsBeginning) {
  const TemporaryFolder folder;
  const DataSet data = pairs(folder);
  Model whole = tiny_model(), parts = tiny_model(), again = tiny_model();
  Trainer(whole, data, pair_options(8), folder.path() / "whole", lesson_of({})).run(go_on);
  const auto run = folder.path() / "parts";
  Trainer(parts, data, pair_options(8), run, lesson_of({})).run([](const StepRecord& r) { return r.step < 4; });
  Trainer resumed(again, data, pair_options(8), run, lesson_of({}));
  ASSERT_TRUE(resumed.resume());
  resumed.run(go_on);
  EXPECT_EQ(all_weights(again), all_weights(whole));
  Model others = tiny_model();
  Trainer changed(others, data, pair_options(8), run, lesson_of({.beta = 0.3}));
  minnow::testing::expect_refused([&] { changed.resume(); }, ErrorCode::kInvalidInput, "beta");
}

TEST(Preference, AndItsDataWantEachOther) {
  const TemporaryFolder folder;
  Model model = tiny_model();
  minnow::testing::expect_refused([&] { Trainer(model, pairs(folder), pair_options(2), folder.path() / "a"); }, ErrorCode::kUsage, "preference");
  minnow::testing::expect_refused([&] { Trainer(model, tiny_data(folder), pair_options(2), folder.path() / "b", lesson_of({})); },
                                  ErrorCode::kUsage, "text");
}

TEST(Preference, RefusesOptionsOutOfRangeAndReferencesOfOtherVocabularies) {
  EXPECT_THROW(Preference({.beta = 0}), Error);
  EXPECT_THROW(Preference({.label_smoothing = 0.5}), Error);
  EXPECT_THROW(Preference({.loss = PreferenceLoss::kIpo, .label_smoothing = 0.1}), Error);
  const TemporaryFolder folder;
  Model model = tiny_model();
  TokenizerSpec larger = testing_chats::byte_spec();
  testing_specs::add(larger, "<|more|>", TokenType::kControl);
  const auto other = std::make_shared<const Model>(
      new_model({.n_layers = 1, .n_embd = 32, .n_heads = 2, .n_ff = 64, .n_ctx = 32}, larger, 1));
  minnow::testing::expect_refused([&] { Trainer(model, pairs(folder), pair_options(2), folder.path() / "a", lesson_of({.reference = other})); },
                                  ErrorCode::kInvalidInput, "vocabulary");
}

}  // namespace
}  // namespace minnow
