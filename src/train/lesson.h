// What a run of training teaches beside the plain way (all weights, cross entropy of the next token): which weights of which
// graph are trained, and by which loss.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "base/json.h"
#include "base/thread_pool.h"
#include "cpu/train_executor.h"
#include "train/sample.h"
#include "train/train_batch.h"

namespace minnow {

// What a run works with; all of it outlives the objective's use. Weights are as the run finds them, before a checkpoint is read.
struct TrainingContext {
  const Graph& model;    // fused, as build_graph lays it
  const Graph& trained;  // what the lesson made of it
  const std::function<bool(const Node&)>& trains;
  int64_t sequence_length;
  TrainExecutorOptions executor;  // large enough for any batch
};

// A loss of its own. The trainer asks in this order: begin, then for every batch prepare and (after the graph has run) loss.
// Everything is called on one thread. The default is the mean cross entropy over the tokens that carry loss.
class Objective {
 public:
  struct Measured {
    double loss = 0;   // sum
    double count = 0;  // what it is divided by
  };

  virtual ~Objective() = default;

  virtual void begin(const TrainingContext& context) { (void)context; }
  // Cross entropy would teach the rejected answer of a pair as well as the chosen one.
  virtual bool learns_from(RecordKind kind) const { return kind != RecordKind::kPreference; }

  // What the fused head computes beside cross entropy.
  virtual TeacherAttrs teacher() const { return {}; }
  // May set loss weights, a teacher's logits: whatever the loss needs and the data do not hold. `step` counts from 0.
  virtual void prepare(TrainingBatch& batch, const TrainBatch& data, int64_t step) { (void)batch, (void)data, (void)step; }
  // The batch's summed loss to be shown; `losses` is the output of kHeadLoss, [rows, 1 or 2].
  virtual double loss(std::span<const float> losses, const TrainingBatch& batch);
  // What losses and gradients of a window are divided by, summed over its batches: its targets, or for example its pairs.
  virtual double count(const TrainBatch& data) const { return static_cast<double>(data.n_loss_tokens); }
  // Further figures since the last call, for the log: means over the step; null when there are none.
  virtual Json figures() { return nullptr; }
  // A checkpoint is being written: what was worked out and would take long again is worth keeping.
  virtual void save() {}

  // Of a batch of validation records: cross entropy of tokens unless it is said otherwise. `evaluator` computes that of each row
  // with the weights of now, without dropout.
  virtual Measured measure(const TrainingBatch& batch, const TrainBatch& data, TrainExecutor& evaluator);
  // As figures(), of what was measured.
  virtual Json measured_figures() { return nullptr; }
};

struct Lesson {
  // Makes of the model's fused graph the one that is trained: adapters, fake quantization. Empty: it is trained as it is.
  std::function<Graph(const Graph&)> adapt = {};
  // Called before weights are used that changed: at the beginning, after a step, after a checkpoint was loaded.
  std::function<void(ThreadPool&)> weights_changed = {};
  std::function<bool(const Node& weight)> trains = {};  // empty: every weight
  std::shared_ptr<Objective> objective = {};            // empty: Objective itself
  SampleOptions samples = {};
  Json settings = Json::object();  // whatever of the above has a part in the numbers: runs resume with equal settings only
};

}  // namespace minnow
