// Cross entropy and distillation on rows of logits, at every instruction set of this machine, against float64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu/test_train.h"

namespace minnow {
namespace {

using test::between;
using test::normals;

class CrossEntropy : public test::EveryTrainIsa {};
INSTANTIATE_TEST_SUITE_P(, CrossEntropy, testing::ValuesIn(available_isas()), test::isa_name);

// A teacher's ids and log-probabilities with the memory of a row.
struct Teacher {
  std::vector<int32_t> ids;
  std::vector<float> log_probs, scratch;
};

struct Row {
  std::vector<float> logits;
  Teacher teacher;
  CrossEntropyRow r = {};

  RowLoss run(const TrainKernels& kernels, std::vector<float>* logits_or_gradient) {
    *logits_or_gradient = logits;
    CrossEntropyRow row = r;
    row.logits = logits_or_gradient->data();
    row.n = static_cast<int64_t>(logits.size());
    row.soft.ids = teacher.ids.data();
    row.soft.log_probs = teacher.log_probs.data();
    row.soft.scratch = teacher.scratch.data();
    return kernels.cross_entropy(row);
  }
};

Row any_row(Random& random, int64_t n) {
  Row row;
  row.logits = normals(random, n, 2);
  row.r.target = static_cast<int32_t>(random.below(static_cast<uint64_t>(n)));
  row.r.weight = static_cast<float>(0.1 + random.uniform());
  row.r.scale = random.below(2) == 0 ? 1.0f : static_cast<float>(0.3 + random.uniform());
  row.r.softcap = random.below(2) == 0 ? 0.0f : static_cast<float>(3 + 20 * random.uniform());
  row.r.gradient = true;
  return row;
}

void add_teacher(Random& random, Row* row) {
  const int64_t n = between(random, 1, static_cast<int64_t>(row->logits.size()));
  std::vector<int32_t> ids(row->logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) std::swap(ids[i], ids[i + random.below(ids.size() - i)]);
  ids.resize(static_cast<std::size_t>(n));
  row->teacher.ids = ids;
  row->teacher.log_probs = normals(random, n, 2);
  for (float& x : row->teacher.log_probs) x -= 12;
  row->teacher.scratch.resize(ids.size());
  row->r.soft.n = n;
  row->r.soft.temperature = static_cast<float>(0.5 + 3 * random.uniform());
  row->r.soft.alpha = static_cast<float>(random.uniform());
}

double capped(const CrossEntropyRow& r, double x) {
  return r.softcap > 0 ? r.softcap * std::tanh(x * r.scale / r.softcap) : x * r.scale;
}

// ln of the sum of e^(x / temperature).
double log_sum(const std::vector<double>& x, double temperature) {
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const double v : x) sum += std::exp((v - top) / temperature);
  return std::log(sum) + top / temperature;
}

// The two losses as functions of the logits.
RowLoss losses(const Row& row, const std::vector<double>& logits) {
  std::vector<double> z;
  for (const double x : logits) z.push_back(capped(row.r, x));
  RowLoss loss{log_sum(z, 1) - z[static_cast<std::size_t>(row.r.target)], 0};
  if (row.r.soft.n == 0) return loss;
  const double t = row.r.soft.temperature;
  const std::vector<double> p(row.teacher.log_probs.begin(), row.teacher.log_probs.end());
  const double ln_p = log_sum(p, t), ln_q = log_sum(z, t);
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double lp = p[i] / t - ln_p, lq = z[static_cast<std::size_t>(row.teacher.ids[i])] / t - ln_q;
    loss.distillation += t * t * std::exp(lp) * (lp - lq);
  }
  return loss;
}
double total(const Row& row, const std::vector<double>& logits) {
  const RowLoss loss = losses(row, logits);
  const double alpha = row.r.soft.n > 0 ? row.r.soft.alpha : 0.0f;
  return row.r.weight * ((1 - alpha) * loss.cross_entropy + alpha * loss.distillation);
}

void expect_row(const TrainKernels& kernels, Row row) {
  std::vector<float> gradient;
  const RowLoss loss = row.run(kernels, &gradient);
  std::vector<double> logits(row.logits.begin(), row.logits.end());
  const RowLoss want = losses(row, logits);
  ASSERT_NEAR(loss.cross_entropy, want.cross_entropy, 2e-6 * (1 + want.cross_entropy));
  ASSERT_NEAR(loss.distillation, want.distillation, 1e-5 * (1 + want.distillation));
  for (std::size_t i = 0; i < logits.size(); ++i) {
    constexpr double kStep = 1e-4;
    const double x = logits[i];
    logits[i] = x + kStep;
    const double above = total(row, logits);
    logits[i] = x - kStep;
    const double below = total(row, logits);
    logits[i] = x;
    ASSERT_NEAR(gradient[i], (above - below) / (2 * kStep), 3e-6) << "at " << i << " of " << logits.size();
  }
}

TEST_P(CrossEntropy, GradientsAreDifferencesOfTheLoss) {
  Random random(1);
  for (int t = 0; t < test::tries(60); ++t) expect_row(kernels(), any_row(random, between(random, 1, 90)));
}

TEST_P(CrossEntropy, GradientsOfDistillationAreDifferencesOfTheLoss) {
  Random random(2);
  for (int t = 0; t < test::tries(60); ++t) {
    Row row = any_row(random, between(random, 1, 60));
    add_teacher(random, &row);
    expect_row(kernels(), row);
  }
}

TEST_P(CrossEntropy, OfALargeVocabularyKeepsItsDigits) {
  Random random(3);
  Row row = any_row(random, 150'001);
  std::vector<float> gradient;
  const RowLoss loss = row.run(kernels(), &gradient);
  const RowLoss want = losses(row, {row.logits.begin(), row.logits.end()});
  EXPECT_NEAR(loss.cross_entropy, want.cross_entropy, 3e-6 * want.cross_entropy);
  double sum = 0;  // without cap a gradient moves no mass
  row.r.softcap = 0;
  row.run(kernels(), &gradient);
  for (const float g : gradient) sum += g;
  EXPECT_NEAR(sum, 0, 1e-5);
}

TEST_P(CrossEntropy, ARowWithoutTargetGivesZero) {
  Random random(4);
  Row row = any_row(random, 37);
  row.r.target = -100;
  std::vector<float> gradient;
  const RowLoss loss = row.run(kernels(), &gradient);
  EXPECT_EQ(loss.cross_entropy, 0);
  for (const float g : gradient) EXPECT_EQ(g, 0);
}

TEST_P(CrossEntropy, AllTheSameWithAlphaZeroAsWithoutTeacher) {
  Random random(5);
  for (int t = 0; t < 20; ++t) {
    Row row = any_row(random, 50), plain = row;
    add_teacher(random, &row);
    row.r.soft.alpha = 0;
    std::vector<float> a, b;
    EXPECT_EQ(row.run(kernels(), &a).cross_entropy, plain.run(kernels(), &b).cross_entropy);
    EXPECT_TRUE(test::same_bits(a, b));
  }
}

TEST_P(CrossEntropy, DistillationOfAStudentThatIsItsTeacherIsNothing) {
  Random random(6);
  Row row = any_row(random, 64);
  row.r.scale = 1, row.r.softcap = 0;
  add_teacher(random, &row);
  row.teacher.ids.resize(64);
  std::iota(row.teacher.ids.begin(), row.teacher.ids.end(), 0);
  row.teacher.log_probs = row.logits;
  row.teacher.scratch.resize(64);
  row.r.soft.n = 64, row.r.soft.alpha = 1;
  std::vector<float> gradient;
  EXPECT_NEAR(row.run(kernels(), &gradient).distillation, 0, 1e-6);
  for (const float g : gradient) EXPECT_NEAR(g, 0, 1e-7);
}

TEST_P(CrossEntropy, LogitsFarFromZeroStayFinite) {
  for (const float shift : {-300.0f, 300.0f, 1e5f}) {
    Row row;
    row.logits = {shift, shift + 1, shift + 2};
    row.r = {.target = 0, .weight = 1, .scale = 1, .gradient = true};
    std::vector<float> gradient;
    EXPECT_NEAR(row.run(kernels(), &gradient).cross_entropy, 2.40760596, 1e-5);
    EXPECT_NEAR(gradient[0], 0.09003057 - 1, 1e-6);
  }
}

}  // namespace
}  // namespace minnow
