// Learning from what larger models would say, beside what the data say (Hinton et al. 2015).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "train/lesson.h"
#include "train/teacher.h"

namespace minnow {

enum class TemperatureShape : uint8_t { kConstant, kLinear, kCosine };
std::optional<TemperatureShape> temperature_shape_from_name(std::string_view name);  // "constant", "linear", "cosine"

// The temperature at which student and teacher are compared, over a run.
struct TemperatureSchedule {
  TemperatureShape shape = TemperatureShape::kConstant;
  double first = 2, last = 1;  // kConstant stays at the first

  double at(int64_t step, int64_t steps) const;
};

std::optional<Divergence> divergence_from_name(std::string_view name);  // "forward", "reverse"

struct DistillationOptions {
  std::vector<std::shared_ptr<const Model>> teachers;
  std::vector<double> weights;  // of their mixture; empty: all alike. They are scaled to a sum of 1
  bool in_turn = false;         // one after another instead, each for the same share of the steps
  double alpha = 0.5;           // of the divergence, in [0, 1]; cross entropy has the rest
  Divergence divergence = Divergence::kForward;
  TemperatureSchedule temperature;
  int32_t top_k = 64;           // tokens that a teacher tells of each row
  int64_t steps = 1;            // of the run, for what changes in its course
  std::filesystem::path cache_folder;  // of what teachers said; empty: none
  uint64_t cache_bytes = uint64_t{4} << 30;  // of each teacher
};

// The loss of a token is alpha T^2 KL + (1 - alpha) CE, a mean over the tokens that carry loss. KL is taken among the teacher's top_k
// tokens, both sides renormalized. Validation stays cross entropy, which runs with and without teachers can be compared by.
class Distillation final : public Objective {
 public:
  // Throws kUsage for options out of range, kUnsupported for teachers of other vocabularies. The student must have a tokenizer.
  Distillation(DistillationOptions options, const Model& student);

  // For Lesson::settings.
  Json settings() const;

  void begin(const TrainingContext& context) override;
  TeacherAttrs teacher() const override;
  void prepare(TrainingBatch& batch, const TrainBatch& data, int64_t step) override;
  double loss(std::span<const float> losses, const TrainingBatch& batch) override;
  // "cross_entropy" and "divergence" of a token, "temperature"; "untold", the share of tokens that the teachers told nothing of, if any.
  Json figures() override;
  void save() override;
  // Documents that teachers worked out, and did not find in the cache.
  int64_t n_computed() const;

 private:
  std::vector<float> told(const TrainingBatch& batch, const TrainBatch& data, int64_t step);

  DistillationOptions options_;
  TokenizerSpec vocabulary_;  // the student's
  std::vector<std::unique_ptr<Teacher>> teachers_;
  int64_t n_vocab_ = 0;
  double cross_entropy_ = 0, divergence_ = 0, tokens_ = 0, untold_ = 0, temperature_ = 1;
};

}  // namespace minnow
