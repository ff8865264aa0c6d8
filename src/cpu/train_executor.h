// Runs training graphs on the CPU: compiled once into steps with memory, then run for batch after batch. Gradients add up
// in buffers that outlive runs.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/page_memory.h"
#include "base/thread_pool.h"
#include "cpu/dense_matmul.h"
#include "cpu/kernels.h"
#include "graph/batch.h"
#include "graph/differentiate.h"

namespace minnow {

class Step;

struct TrainExecutorOptions {
  int n_threads = 1;
  Isa isa = Isa::kBaseline;
  int64_t max_tokens = 2048;   // largest batch, in tokens
  int64_t max_outputs = 2048;  // most rows with a loss in one batch
  Multiplied numbers = Multiplied::kF32;  // kBf16: f32 where the instruction set has no unit for it
};

class TrainExecutor {
 public:
  // Weights of type f32 are read in every run where they lie (rounded ones where Node::rounded lies): whoever owns their memory
  // may change them between runs. Frozen weights of other types are decoded where they are multiplied. Throws kUnsupported for trained weights that are not f32 and
  // for operations without a step, kLimit for lack of memory.
  TrainExecutor(const TrainingGraph& training, TrainExecutorOptions options);
  ~TrainExecutor();

  // Computes the graph's output, of kHeadLoss [rows, losses of a row], and adds to the gradients. The result stays valid until
  // the next run. The same bits for any number of threads. Throws kInvalidInput for a batch that does not fit the graph.
  std::span<const float> run(const TrainingBatch& batch);

  // As they were given, in the same order; node numbers are those of graph().
  const std::vector<WeightGradient>& gradients() const { return training_.gradients; }
  const Graph& graph() const { return training_.graph; }
  std::span<float> gradient(std::size_t i);
  // All of them, one after another, with zeros between.
  std::span<float> all_gradients();
  void clear_gradients();

  ThreadPool& pool() { return pool_; }
  const TrainKernels& kernels() const { return train_kernels_; }
  // Bytes of values, packed operands and gradients.
  uint64_t memory_bytes() const { return values_->size() + gradients_->size(); }

 private:
  friend class TrainCompiler;
  void check(const TrainingBatch& batch) const;
  void check_losses(const TrainingBatch& batch, const Node& loss) const;

  TrainingGraph training_;
  TrainExecutorOptions options_;
  const Kernels& kernels_;
  const TrainKernels& train_kernels_;
  ThreadPool pool_;
  std::shared_ptr<PageMemory> values_, gradients_;
  std::vector<int64_t> gradient_at_;  // floats, by gradient
  std::vector<Tensor> vectors_;       // by node: small weights that are not f32
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<int32_t> positions_, segments_;
  float* output_grad_ = nullptr;      // of kOutputGrad
  const float* output_ = nullptr;
  int64_t output_width_ = 0, output_rows_ = 0;
};

}  // namespace minnow
