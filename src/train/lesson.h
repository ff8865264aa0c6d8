// What a run of training teaches beside the plain way (all weights, cross entropy of the next token): which weights of which
// graph are trained, and by which loss.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "base/json.h"
#include "base/thread_pool.h"
#include "graph/batch.h"
#include "graph/differentiate.h"
#include "train/sample.h"
#include "train/train_batch.h"

namespace minnow {

// A loss of its own. The trainer asks in this order, for every batch: prepare, then (after the graph has run) loss. Everything is
// called on one thread. The default is the mean cross entropy over the tokens that carry loss.
class Objective {
 public:
  virtual ~Objective() = default;

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
