#include "train/distillation.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/error.h"
#include "models/digest.h"

namespace minnow {
namespace {

void check(const DistillationOptions& o) {
  const auto expect = [](bool good, const char* what) {
    if (!good) fail(ErrorCode::kUsage, "distillation: {}", what);
  };
  expect(!o.teachers.empty(), "there is no teacher");
  expect(o.weights.empty() || o.weights.size() == o.teachers.size(), "there must be one weight for each teacher");
  expect(o.weights.empty() || !o.in_turn, "teachers in turn have no weights");
  expect(std::ranges::all_of(o.weights, [](double w) { return w > 0 && std::isfinite(w); }), "weights must be above 0");
  expect(o.alpha >= 0 && o.alpha <= 1, "alpha is a share, 0 to 1");
  const auto is_temperature = [](double t) { return t > 0 && t <= 100; };
  expect(is_temperature(o.temperature.first) && is_temperature(o.temperature.last), "temperatures must be above 0 and at most 100");
  expect(o.top_k >= 1 && o.top_k <= 1 << 16, "a teacher tells 1 to 65536 tokens");
  expect(o.steps >= 1, "the number of steps must be at least 1");
}

}  // namespace

std::optional<TemperatureShape> temperature_shape_from_name(std::string_view name) {
  if (name == "constant") return TemperatureShape::kConstant;
  if (name == "linear") return TemperatureShape::kLinear;
  if (name == "cosine") return TemperatureShape::kCosine;
  return std::nullopt;
}

double TemperatureSchedule::at(int64_t step, int64_t steps) const {
  if (shape == TemperatureShape::kConstant || steps <= 1) return first;
  const double way = std::clamp(static_cast<double>(step) / static_cast<double>(steps - 1), 0.0, 1.0);
  return first + (last - first) * (shape == TemperatureShape::kLinear ? way : (1 - std::cos(std::numbers::pi * way)) / 2);
}

std::optional<Divergence> divergence_from_name(std::string_view name) {
  if (name == "forward") return Divergence::kForward;
  if (name == "reverse") return Divergence::kReverse;
  return std::nullopt;
}

Distillation::Distillation(DistillationOptions options, const Model& student) : options_(std::move(options)) {
  check(options_);
  if (!student.tokenizer) fail(ErrorCode::kNotFound, "{}: a student without a tokenizer cannot read texts", student.path.string());
  vocabulary_ = *student.tokenizer;
  for (const auto& teacher : options_.teachers) {
    if (!teacher->tokenizer) fail(ErrorCode::kNotFound, "{}: a teacher without a tokenizer", teacher->path.string());
    map_vocabularies(vocabulary_, *teacher->tokenizer, teacher->path.string());
  }
  if (options_.weights.empty()) options_.weights.assign(options_.teachers.size(), 1.0);
  const double sum = std::accumulate(options_.weights.begin(), options_.weights.end(), 0.0);
  for (double& w : options_.weights) w /= sum;
  options_.top_k = static_cast<int32_t>(std::min<int64_t>(options_.top_k, student.config.n_vocab));
}

Json Distillation::settings() const {
  Json teachers = Json::array();
  for (const auto& teacher : options_.teachers) teachers.push_back(model_digest(*teacher));
  const TemperatureSchedule& t = options_.temperature;
  Json settings = {{"teachers", teachers}, {"teacher_weights", options_.weights}, {"in_turn", options_.in_turn}, {"alpha", options_.alpha},
          {"divergence", static_cast<int>(options_.divergence)}, {"temperature", {static_cast<int>(t.shape), t.first, t.last}}, {"top_k", options_.top_k}};
  if (options_.in_turn || t.shape != TemperatureShape::kConstant) settings["teaching_steps"] = options_.steps;
  return settings;
}

TeacherAttrs Distillation::teacher() const {
  return {.top_k = options_.top_k, .alpha = static_cast<float>(options_.alpha), .divergence = options_.divergence};
}

void Distillation::begin(const TrainingContext& context) {
  teachers_.clear();
  const TeacherOptions options{.top_k = options_.top_k, .sequence_length = context.sequence_length, .executor = context.executor,
                               .cache_folder = options_.cache_folder, .cache_bytes = options_.cache_bytes};
  for (const auto& model : options_.teachers) teachers_.push_back(std::make_unique<Teacher>(model, vocabulary_, options));
}

std::vector<float> Distillation::told(const TrainingBatch& batch, const TrainBatch& data, int64_t step) {
  const auto n = static_cast<int64_t>(teachers_.size());
  if (n == 1) return teachers_.front()->tell(batch, data);
  if (options_.in_turn) return teachers_[static_cast<std::size_t>(std::min(n - 1, step * n / options_.steps))]->tell(batch, data);
  std::vector<std::vector<float>> all;
  for (const auto& teacher : teachers_) all.push_back(teacher->tell(batch, data));
  return mixture(all, options_.weights, options_.top_k);
}

void Distillation::prepare(TrainingBatch& batch, const TrainBatch& data, int64_t step) {
  temperature_ = options_.temperature.at(step, options_.steps);
  batch.teacher_temperature = static_cast<float>(temperature_);
  batch.teacher = told(batch, data, step);
  const auto width = static_cast<std::size_t>(2 * options_.top_k);
  for (std::size_t row = 0; row < batch.teacher.size(); row += width) untold_ += batch.teacher[row] < 0 ? 1 : 0;
}

double Distillation::loss(std::span<const float> losses, const TrainingBatch& batch) {
  double hard = 0, soft = 0;
  for (std::size_t r = 0; r + 1 < losses.size(); r += 2) {
    hard += losses[r];
    soft += losses[r + 1];
  }
  cross_entropy_ += hard;
  divergence_ += soft;
  tokens_ += static_cast<double>(batch.output_rows.size());
  return options_.alpha * soft + (1 - options_.alpha) * hard;
}

Json Distillation::figures() {
  if (tokens_ == 0) return nullptr;
  Json j = {{"cross_entropy", cross_entropy_ / tokens_}, {"divergence", divergence_ / tokens_}, {"temperature", temperature_}};
  if (untold_ > 0) j["untold"] = untold_ / tokens_;
  cross_entropy_ = divergence_ = tokens_ = untold_ = 0;
  return j;
}

void Distillation::save() {
  for (const auto& teacher : teachers_) teacher->save();
}

int64_t Distillation::n_computed() const {
  return std::accumulate(teachers_.begin(), teachers_.end(), int64_t{0}, [](int64_t n, const auto& t) { return n + t->n_computed(); });
}

}  // namespace minnow
