// Changes weights by their gradients, step after step.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/train_kernels.h"

namespace minnow {

enum class OptimizerKind : uint8_t {
  kAdamW,   // 8 bytes of state for each parameter
  kAdamW8,  // the same with moments in 8 bits: about 2 bytes
  kLion,    // 4 bytes
  kSgd,     // 4 bytes
};
std::optional<OptimizerKind> optimizer_from_name(std::string_view name);  // "adamw", "adamw8bit", "lion", "sgd"
std::string_view name(OptimizerKind kind);

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kAdamW;
  float beta1 = 0.9f, beta2 = 0.95f, eps = 1e-8f;
  float decay = 0.1f;     // of matrices, times the learning rate; vectors (norms, biases) do not decay
  float momentum = 0.9f;  // kSgd
  uint64_t seed = 0;      // of the rounding of kAdamW8
};

struct TrainedTensor {
  std::string name;
  std::span<float> values;
  std::span<const float> gradient;
  bool decays = true;
};

class Optimizer {
 public:
  // The tensors' memory must outlive this. Work is shared by the pool's threads; results have the same bits for any number.
  Optimizer(std::vector<TrainedTensor> tensors, const OptimizerOptions& options, const TrainKernels& kernels);

  // The root of the sum of squares of all gradients times `scale`. Throws kInvalidInput naming the step and the tensor when a gradient is not finite.
  double gradient_norm(ThreadPool& pool, double scale) const;
  // One step with all gradients times gradient_scale.
  void step(ThreadPool& pool, double learning_rate, double gradient_scale);
  int64_t steps() const { return steps_; }

  // For checkpoints: the state, whose layout is that of the options and tensors, and the number of steps that made it.
  std::span<std::byte> state() { return state_; }
  void set_steps(int64_t steps) { steps_ = steps; }
  const std::vector<TrainedTensor>& tensors() const { return tensors_; }
  const OptimizerOptions& options() const { return options_; }

 private:
  struct Piece {
    std::size_t tensor;
    int64_t begin, end;
  };
  void update(const Piece& piece, double learning_rate, double gradient_scale);

  std::vector<TrainedTensor> tensors_;
  OptimizerOptions options_;
  const TrainKernels& kernels_;
  std::vector<Piece> pieces_;
  std::vector<std::size_t> state_at_;  // bytes, by tensor
  std::vector<std::byte> state_;
  int64_t steps_ = 0;
};

}  // namespace minnow
