// What a run wrote down: a JSON line for each step and each evaluation, and a picture of the losses.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "train/loss_curve.h"

namespace minnow {

struct StepRecord {
  int64_t step = 0;  // from 1
  double loss = 0;   // mean over the step's tokens
  double learning_rate = 0;
  double gradient_norm = 0;  // before clipping
  int64_t tokens = 0;        // that the model saw so far
  double tokens_per_second = 0;
  uint64_t epoch = 0;
  Json figures = nullptr;  // an object of further figures of the step's objective, or null
};

class TrainLog {
 public:
  // Continues `folder`/log.jsonl: lines of later steps than `step`, of a run that went on after its last checkpoint, are
  // taken away. With step 0 the log begins anew. Throws kIo, kInvalidInput for a log that is not one.
  TrainLog(std::filesystem::path folder, int64_t step);

  void add(const StepRecord& record);
  // Without figures of an objective's own the loss is cross entropy, and its perplexity is told.
  void add_validation(int64_t step, double loss, const Json& figures = nullptr);
  // Writes loss.svg.
  void draw() const;

 private:
  void remember(const Json& line);
  void append(const Json& line);

  std::filesystem::path folder_;
  std::vector<LossPoint> training_, validation_;
};

}  // namespace minnow
