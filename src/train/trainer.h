// The loop of training: batches from a data stream, losses and gradients, steps of an optimizer; what happened is written to a log, and
// checkpoints let a run go on after it was killed.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "cpu/train_executor.h"
#include "models/model.h"
#include "train/checkpoint.h"
#include "train/data_set.h"
#include "train/data_stream.h"
#include "train/learning_rate.h"
#include "train/lesson.h"
#include "train/optimizer.h"
#include "train/train_log.h"

namespace minnow {

struct TrainerOptions {
  int64_t steps = 1000;
  int64_t sequence_length = 256;  // tokens
  int64_t n_sequences = 8;        // computed at a time
  int64_t accumulation = 1;       // such batches for each step
  LearningRate rate;              // total_steps is set to `steps`
  OptimizerOptions optimizer;
  double clip = 1;                // largest norm of the gradient; 0: any
  int64_t evaluate_every = 0;     // steps; 0: at the end only
  int64_t evaluation_batches = 32;  // at most
  int64_t checkpoint_every = 0;   // steps; 0: at the end only
  int keep_checkpoints = 3;
  Multiplied numbers = Multiplied::kBf16;
  bool less_memory = false;       // values of layers are computed twice
  int n_threads = 0;              // 0: one for each core that pays
  bool shuffle = true;            // records; false: as they lie in the files
  uint64_t seed = 0;              // of the order of the data
};

struct TrainerReport {
  int64_t steps = 0, tokens = 0;
  double loss = 0;             // mean of the last steps, at most 20
  double validation_loss = 0;  // 0 without validation
  double seconds = 0, tokens_per_second = 0;  // of this process, without evaluations
  bool finished = false;
};

class Trainer {
 public:
  // Trains all weights of the model, or those that the lesson names. They must be f32 in memory of their own (own_weights) that
  // outlives this, and the model must have a tokenizer. `folder` (made if needed) gets log.jsonl, loss.svg and checkpoints. Throws
  // kUsage for options out of range, and what the executor and the data throw.
  Trainer(Model& model, const DataSet& data, const TrainerOptions& options, std::filesystem::path folder, Lesson lesson = {});

  // Goes on from the newest checkpoint in the folder; false when there is none. Throws as load_checkpoint does. The number of steps may
  // be another than before when the learning rate is constant.
  bool resume();
  // To the last step, or until `on_step`, which is called after every step, gives false: then a checkpoint is written. Throws
  // kInvalidInput when loss or gradients are not finite; checkpoints from before stay.
  TrainerReport run(const std::function<bool(const StepRecord&)>& on_step);

  // The objective's mean loss of the validation records (of a token, or of a pair); 0 without them.
  double validation_loss();
  int64_t steps_done() const { return optimizer_->steps(); }
  int64_t n_parameters() const;
  // All that has a part in the numbers that come out.
  Json settings() const;

 private:
  struct Window {
    double loss = 0;   // sum
    double count = 0;  // what it is divided by
    int64_t tokens = 0;
  };
  Window accumulate();
  StepRecord step();
  void weights_changed();
  void evaluate();
  void save();
  Checkpoint checkpoint();

  TrainerOptions options_;
  Lesson lesson_;
  std::filesystem::path folder_;
  std::unique_ptr<DataStream> stream_, validation_;
  std::unique_ptr<TrainExecutor> executor_, evaluator_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<TrainLog> log_;
  uint64_t data_digest_ = 0, tokenizer_digest_ = 0;
  int64_t tokens_ = 0;
  double last_validation_ = 0;
  int64_t validated_step_ = -1;
  Json validation_figures_;
};

// The rows with a target have a loss.
TrainingBatch training_batch(const TrainBatch& batch);

}  // namespace minnow
