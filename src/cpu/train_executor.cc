#include "cpu/train_executor.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "cpu/executor.h"
#include "cpu/train_compiler.h"

namespace minnow {

TrainExecutor::TrainExecutor(const TrainingGraph& training, TrainExecutorOptions options)
    : options_(options),
      kernels_(kernels_for(options.isa)),
      train_kernels_(train_kernels_for(options.isa)),
      pool_(options.n_threads, team_bindings(this_machine(), options.n_threads)) {
  GatheredProducts gathered = gather_products(training);
  training_ = std::move(gathered.training);
  int64_t floats = 0;
  for (const WeightGradient& g : training_.gradients) {
    const Node& weight = training_.graph.node(g.weight);
    if (weight.constant.dtype != DType::kF32) {
      fail(ErrorCode::kUnsupported, "training: {} is of type {}; trained weights must be f32 in memory", weight.name,
           name(weight.constant.dtype));
    }
    gradient_at_.push_back(floats);
    floats += (weight.shape.elements() + 15) / 16 * 16;
  }
  gradient_at_.push_back(floats);
  gradients_ = PageMemory::allocate(static_cast<uint64_t>(std::max<int64_t>(floats, 16)) * sizeof(float), "gradients");
  TrainCompiler(*this, gathered).compile();
}

TrainExecutor::~TrainExecutor() = default;

std::span<float> TrainExecutor::all_gradients() {
  return {reinterpret_cast<float*>(gradients_->data()), static_cast<std::size_t>(gradient_at_.back())};
}
std::span<float> TrainExecutor::gradient(std::size_t i) {
  const auto n = static_cast<std::size_t>(training_.graph.node(training_.gradients[i].weight).shape.elements());
  return all_gradients().subspan(static_cast<std::size_t>(gradient_at_[i]), n);
}
void TrainExecutor::clear_gradients() {
  constexpr int64_t kFloats = 1 << 16;
  const std::span<float> all = all_gradients();
  pool_.parallel_for(static_cast<int64_t>(all.size()), kFloats, [&](int64_t begin, int64_t end) {
    std::memset(all.data() + begin, 0, static_cast<std::size_t>(end - begin) * sizeof(float));
  });
}

void TrainExecutor::check(const TrainingBatch& batch) const {
  const auto n = static_cast<int64_t>(batch.tokens.size());
  if (n == 0 || n > options_.max_tokens || static_cast<int64_t>(batch.output_rows.size()) > options_.max_outputs) {
    fail(ErrorCode::kInvalidInput, "training: a batch of {} tokens and {} rows with a loss, made for 1 to {} and {}", n,
         batch.output_rows.size(), options_.max_tokens, options_.max_outputs);
  }
  int64_t covered = 0;
  for (const SequenceSlice& s : batch.sequences) {
    if (s.first != covered || s.count <= 0 || s.past != 0) fail(ErrorCode::kInvalidInput, "training: a batch with a bad document");
    covered += s.count;
  }
  if (covered != n) fail(ErrorCode::kInvalidInput, "training: documents cover {} of {} tokens", covered, n);
  for (std::size_t i = 0; i < batch.output_rows.size(); ++i) {
    const int32_t row = batch.output_rows[i];
    if (row < (i == 0 ? 0 : batch.output_rows[i - 1] + 1) || row >= n) fail(ErrorCode::kInvalidInput, "training: output rows that do not rise");
  }
  for (const Node& node : training_.graph.nodes()) {
    if (node.op == Op::kEmbed && training_.graph.node(node.inputs[1]).op == Op::kTokens) {
      const int64_t n_vocab = training_.graph.node(node.inputs[0]).shape[0];
      for (const int32_t t : batch.tokens) {
        if (t < 0 || t >= n_vocab) fail(ErrorCode::kInvalidInput, "training: token {} of a vocabulary of {}", t, n_vocab);
      }
    }
    if (node.op == Op::kHeadLoss) check_losses(batch, node);
  }
}

void TrainExecutor::check_losses(const TrainingBatch& batch, const Node& loss) const {
  const bool selected = loss.shape[0] == kOutputsDim;
  const std::size_t rows = selected ? batch.output_rows.size() : batch.tokens.size();
  const auto top_k = static_cast<std::size_t>(loss.get<HeadLossAttrs>().teacher.top_k);
  if (batch.targets.size() != rows || batch.loss_weights.size() != rows || batch.teacher.size() != 2 * top_k * rows) {
    fail(ErrorCode::kInvalidInput, "training: {} targets, {} weights and {} numbers of a teacher for {} rows", batch.targets.size(),
         batch.loss_weights.size(), batch.teacher.size(), rows);
  }
  if (!(batch.teacher_temperature >= 0)) {
    fail(ErrorCode::kInvalidInput, "training: a teacher's temperature of {}; it must not be negative", batch.teacher_temperature);
  }
  const int64_t n_vocab = training_.graph.node(loss.inputs[1]).shape[0];
  for (const int32_t t : batch.targets) {
    if (t >= n_vocab) fail(ErrorCode::kInvalidInput, "training: target {} of a vocabulary of {}", t, n_vocab);
  }
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t j = 0; j < top_k; ++j) {
      if (!(batch.teacher[2 * top_k * r + j] < static_cast<float>(n_vocab))) fail(ErrorCode::kInvalidInput, "training: a teacher's token outside of the vocabulary");
    }
  }
}

std::span<const float> TrainExecutor::run(const TrainingBatch& batch) {
  check(batch);
  positions_.clear();
  segments_.clear();
  for (const SequenceSlice& s : batch.sequences) {
    for (int32_t i = 0; i < s.count; ++i) {
      positions_.push_back(i);
      segments_.push_back(s.second_segment >= 0 && i >= s.second_segment ? 1 : 0);
    }
  }
  const StepSize size{static_cast<int64_t>(batch.tokens.size()), static_cast<int64_t>(batch.output_rows.size())};
  const auto n_out = static_cast<std::size_t>((output_rows_ == kOutputsDim ? size.outputs : size.tokens) * output_width_);
  if (output_grad_ != nullptr) {
    if (batch.output_grad.size() != n_out) {
      fail(ErrorCode::kInvalidInput, "training: a gradient of {} numbers for an output of {}", batch.output_grad.size(), n_out);
    }
    std::memcpy(output_grad_, batch.output_grad.data(), n_out * sizeof(float));
  }
  const TrainRun train{train_kernels_, batch, pool_};
  const RunContext run{kernels_, batch, positions_, segments_, size, nullptr, pool_.size(), &train};
  for (const auto& step : steps_) step->begin(run);
  pool_.run([&](int member) {
    for (std::size_t s = 0; s < steps_.size(); ++s) {
      if (s > 0) pool_.barrier();
      steps_[s]->work(run, member);
    }
  });
  return {output_, n_out};
}

}  // namespace minnow
