#include "train/distillation.h"

#include <gmock/gmock.h>

#include <cmath>

#include "train/test_runs.h"

namespace minnow {
namespace {

using minnow::testing::expect_refused;
using minnow::testing::TemporaryFolder;
using namespace test;

bool go_on(const StepRecord&) { return true; }

std::shared_ptr<const Model> shared(Model model) { return std::make_shared<const Model>(std::move(model)); }

Lesson lesson_of(const std::shared_ptr<Distillation>& distillation) {
  Lesson lesson;
  lesson.settings = distillation->settings();
  lesson.objective = distillation;
  return lesson;
}
Lesson lesson_of(DistillationOptions options, const Model& student) {
  return lesson_of(std::make_shared<Distillation>(std::move(options), student));
}

TEST(Distillation, FromAStudentThatIsItsTeacherIsNothing) {
  for (const Divergence divergence : {Divergence::kForward, Divergence::kReverse}) {
    const TemporaryFolder folder;
    Model student = tiny_model();
    const DistillationOptions options{.teachers = {shared(tiny_model())}, .alpha = 1, .divergence = divergence, .top_k = 1000, .steps = 1};
    Trainer trainer(student, tiny_data(folder), tiny_options(3), folder.path() / "run", lesson_of(options, student));
    StepRecord first;
    trainer.run([&](const StepRecord& r) { return first = r, false; });
    EXPECT_NEAR(first.loss, 0, 1e-9);
    EXPECT_LT(first.gradient_norm, 1e-5);
    EXPECT_GT(first.figures["cross_entropy"], 5);
  }
}

TEST(Distillation, WithAlphaZeroGivesTheBitsOfCrossEntropy) {
  const TemporaryFolder folder;
  const DataSet data = tiny_data(folder, 0.1);
  Model plain = tiny_model(), taught = tiny_model();
  const TrainerReport a = Trainer(plain, data, tiny_options(5), folder.path() / "a").run(go_on);
  const DistillationOptions options{.teachers = {shared(tiny_model(7))}, .alpha = 0, .steps = 5};
  const TrainerReport b = Trainer(taught, data, tiny_options(5), folder.path() / "b", lesson_of(options, taught)).run(go_on);
  EXPECT_EQ(all_weights(taught), all_weights(plain));
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(a.validation_loss, b.validation_loss);
}

TEST(Distillation, GivesTheSameBitsWithACacheAndAsksTheTeacherOnce) {
  const TemporaryFolder folder;
  const DataSet data = tiny_data(folder);
  DistillationOptions options{.teachers = {shared(tiny_model(7))}, .top_k = 16, .steps = 6};
  Model without = tiny_model(), first = tiny_model(), second = tiny_model();
  Trainer(without, data, tiny_options(6), folder.path() / "a", lesson_of(options, without)).run(go_on);
  options.cache_folder = folder.path() / "cache";
  const auto filling = std::make_shared<Distillation>(options, first), filled = std::make_shared<Distillation>(options, second);
  Trainer(first, data, tiny_options(6), folder.path() / "b", lesson_of(filling)).run(go_on);
  Trainer(second, data, tiny_options(6), folder.path() / "c", lesson_of(filled)).run(go_on);
  EXPECT_EQ(all_weights(first), all_weights(without));
  EXPECT_EQ(all_weights(second), all_weights(without));
  EXPECT_GT(filling->n_computed(), 0);
  EXPECT_EQ(filled->n_computed(), 0);
}

TEST(Distillation, GoesOnBitForBitFromACheckpoint) {
  const TemporaryFolder folder;
  const DataSet data = tiny_data(folder);
  const DistillationOptions options{.teachers = {shared(tiny_model(7)), shared(tiny_model(8))}, .weights = {7, 3}, .temperature = {TemperatureShape::kLinear, 3, 1}, .top_k = 16, .steps = 6};
  Model whole = tiny_model(), parts = tiny_model(), again = tiny_model(9);
  Trainer(whole, data, tiny_options(6), folder.path() / "a", lesson_of(options, whole)).run(go_on);
  Trainer(parts, data, tiny_options(6), folder.path() / "b", lesson_of(options, parts)).run([](const StepRecord& r) { return r.step < 3; });
  Trainer resumed(again, data, tiny_options(6), folder.path() / "b", lesson_of(options, again));
  ASSERT_TRUE(resumed.resume());
  resumed.run(go_on);
  EXPECT_EQ(all_weights(again), all_weights(whole));
  DistillationOptions others = options;
  others.teachers.pop_back();
  others.weights.pop_back();
  Trainer changed(again, data, tiny_options(6), folder.path() / "b", lesson_of(others, again));
  expect_refused([&] { changed.resume(); }, ErrorCode::kInvalidInput, "teacher");
}

TEST(Distillation, LowersTheTemperatureOverTheRun) {
  const TemperatureSchedule linear{TemperatureShape::kLinear, 4, 1}, cosine{TemperatureShape::kCosine, 4, 1}, constant{TemperatureShape::kConstant, 4, 1};
  EXPECT_EQ(linear.at(0, 11), 4);
  EXPECT_DOUBLE_EQ(linear.at(5, 11), 2.5);
  EXPECT_EQ(linear.at(10, 11), 1);
  EXPECT_EQ(cosine.at(0, 11), 4);
  EXPECT_DOUBLE_EQ(cosine.at(5, 11), 2.5);
  EXPECT_GT(cosine.at(2, 11), linear.at(2, 11));
  EXPECT_DOUBLE_EQ(cosine.at(10, 11), 1);
  EXPECT_EQ(constant.at(10, 11), 4);
  EXPECT_EQ(linear.at(0, 1), 4);
  const TemporaryFolder folder;
  Model student = tiny_model();
  const DistillationOptions options{.teachers = {shared(tiny_model(7))}, .temperature = linear, .top_k = 16, .steps = 4};
  std::vector<double> seen;
  Trainer(student, tiny_data(folder), tiny_options(4), folder.path() / "run", lesson_of(options, student)).run([&](const StepRecord& r) {
    return seen.push_back(r.figures["temperature"]), true;
  });
  EXPECT_THAT(seen, ::testing::ElementsAre(4, 3, 2, 1));
}

TEST(Distillation, OfTeachersInTurnHasTheFirstOneFirst) {
  const TemporaryFolder folder;
  const DataSet data = tiny_data(folder);
  const auto near = shared(tiny_model(1)), far = shared(tiny_model(8));
  const auto divergences = [&](bool in_turn, const std::string& run) {
    Model student = tiny_model(1);
    TrainerOptions course = tiny_options(4);
    course.rate.peak = 1e-9;  // the student stays what it is
    std::vector<double> seen;
    const DistillationOptions options{.teachers = {near, far}, .in_turn = in_turn, .top_k = 300, .steps = 4};
    Trainer(student, data, course, folder.path() / run, lesson_of(options, student)).run([&](const StepRecord& r) {
      return seen.push_back(r.figures["divergence"]), true;
    });
    return seen;
  };
  const std::vector<double> in_turn = divergences(true, "a"), mixed = divergences(false, "b");
  EXPECT_LT(in_turn[0], 1e-6);
  EXPECT_LT(in_turn[1], 1e-6);
  EXPECT_GT(in_turn[2], 1e-3);
  EXPECT_GT(in_turn[3], 1e-3);
  EXPECT_GT(mixed[0], 1e-4);
  EXPECT_LT(mixed[3], in_turn[3]);
}

// A teacher of many lines; students of few ones, measured on lines that none has seen.
TEST(Distillation, MakesABetterStudentThanItsDataAlone) {
  const TemporaryFolder folder;
  const std::string text = small_text(500);
  const auto lines = [&](std::size_t begin, std::size_t end, const std::string& name) {
    std::size_t from = 0, to = 0;
    for (std::size_t i = 0, at = 0; i < end; ++i) {
      if (i == begin) from = at;
      at = text.find('\n', at) + 1;
      to = at;
    }
    return folder.write(name, text.substr(from, to - from));
  };
  const auto held_out = lines(400, 460, "held.txt");
  const auto data_of = [&](const std::filesystem::path& file) {
    DataSetOptions options;
    options.files = {file};
    options.validation_files = {held_out};
    options.index.piece_bytes = 256;
    return DataSet::open(options);
  };
  Model teacher = tiny_model(1);
  const TrainerReport taught = Trainer(teacher, data_of(lines(0, 400, "many.txt")), tiny_options(150), folder.path() / "teacher").run(go_on);
  ASSERT_LT(taught.validation_loss, 1.5);
  const auto known = shared(std::move(teacher));
  const DataSet few = data_of(lines(460, 475, "few.txt"));
  for (const uint64_t seed : {11, 12, 13}) {
    const auto loss_of = [&](double alpha) {
      Model student = new_model({.n_layers = 1, .n_embd = 24, .n_heads = 2, .n_ff = 48, .n_ctx = 32}, testing_chats::byte_spec(), seed);
      TrainerOptions options = tiny_options(80);
      options.seed = seed;
      const DistillationOptions distillation{.teachers = {known}, .alpha = alpha, .steps = 80};
      const auto run = folder.path() / (std::to_string(seed) + "-" + std::to_string(alpha));
      return Trainer(student, few, options, run, lesson_of(distillation, student)).run(go_on).validation_loss;
    };
    const double alone = loss_of(0), with_teacher = loss_of(0.9);
    EXPECT_LT(with_teacher, alone) << "seed " << seed;
  }
}

TEST(Distillation, RefusesOptionsOutOfRangeAndOtherVocabularies) {
  const Model student = tiny_model();
  const auto teacher = shared(tiny_model(2));
  const auto refuses = [&](DistillationOptions o, const char* what) { expect_refused([&] { Distillation(std::move(o), student); }, ErrorCode::kUsage, what); };
  refuses({}, "no teacher");
  refuses({.teachers = {teacher}, .weights = {0.5, 0.5}}, "one weight for each");
  refuses({.teachers = {teacher, teacher}, .weights = {1, 0}}, "above 0");
  refuses({.teachers = {teacher, teacher}, .weights = {1, 1}, .in_turn = true}, "in turn");
  refuses({.teachers = {teacher}, .alpha = 1.5}, "alpha");
  refuses({.teachers = {teacher}, .temperature = {TemperatureShape::kConstant, 0}}, "temperatures");
  refuses({.teachers = {teacher}, .top_k = 0}, "tokens");
  Model other = tiny_model();
  other.tokenizer->kind = TokenizerKind::kUnigram;
  expect_refused([&] { Distillation({.teachers = {shared(std::move(other))}}, student); }, ErrorCode::kUnsupported, "synth");
}

}  // namespace
}  // namespace minnow
