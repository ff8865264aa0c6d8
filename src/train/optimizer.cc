#include "train/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/fast_hash.h"

namespace minnow {
namespace {

// Parameters that a thread takes at a time: whole blocks of 8-bit state.
constexpr int64_t kPiece = 128 * kStateBlock;

constexpr std::array<std::string_view, 4> kNames = {"adamw", "adamw8bit", "lion", "sgd"};

int64_t blocks_of(int64_t n) { return (n + kStateBlock - 1) / kStateBlock; }

std::size_t state_bytes(OptimizerKind kind, int64_t n) {
  int64_t bytes = 0;
  switch (kind) {
    case OptimizerKind::kAdamW: bytes = 8 * n; break;
    case OptimizerKind::kAdamW8: bytes = blocks_of(n) * (2 * kStateBlock + 8); break;
    case OptimizerKind::kLion:
    case OptimizerKind::kSgd: bytes = 4 * n; break;
  }
  return static_cast<std::size_t>((bytes + 63) / 64 * 64);
}

// They are what gradients suffer from, if there are any.
void refuse_weights_that_are_not_finite(const std::vector<TrainedTensor>& tensors, int64_t step) {
  for (const TrainedTensor& t : tensors) {
    const auto at = std::find_if(t.values.begin(), t.values.end(), [](float v) { return !std::isfinite(v); });
    if (at == t.values.end()) continue;
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("training: value {} of {} is {} in step {}", at - t.values.begin(), t.name, *at, step),
                "begin with a model that is whole, or resume from an earlier checkpoint with a lower learning rate");
  }
}

}  // namespace

std::optional<OptimizerKind> optimizer_from_name(std::string_view name) {
  const auto at = std::find(kNames.begin(), kNames.end(), name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<OptimizerKind>(at - kNames.begin());
}
std::string_view name(OptimizerKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

Optimizer::Optimizer(std::vector<TrainedTensor> tensors, const OptimizerOptions& options, const TrainKernels& kernels)
    : tensors_(std::move(tensors)), options_(options), kernels_(kernels) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const auto n = static_cast<int64_t>(tensors_[i].values.size());
    for (int64_t begin = 0; begin < n; begin += kPiece) pieces_.push_back({i, begin, std::min(n, begin + kPiece)});
    state_at_.push_back(bytes);
    bytes += state_bytes(options.kind, n);
  }
  state_.assign(bytes, std::byte{0});
}

double Optimizer::gradient_norm(ThreadPool& pool, double scale) const {
  std::vector<double> sums(pieces_.size());
  pool.parallel_for(static_cast<int64_t>(pieces_.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const Piece& p = pieces_[i];
      sums[i] = kernels_.sum_squares(tensors_[p.tensor].gradient.data() + p.begin, p.end - p.begin);
    }
  });
  double sum = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    if (!std::isfinite(sums[i])) {
      refuse_weights_that_are_not_finite(tensors_, steps_ + 1);
      throw Error(ErrorCode::kInvalidInput,
                  fmt::format("training: the gradient of {} is not finite in step {}", tensors_[pieces_[i].tensor].name, steps_ + 1),
                  "resume from an earlier checkpoint with a lower learning rate, a longer warm-up or f32 instead of bf16");
    }
    sum += sums[i];
  }
  return std::sqrt(sum) * scale;
}

void Optimizer::step(ThreadPool& pool, double learning_rate, double gradient_scale) {
  ++steps_;
  pool.parallel_for(static_cast<int64_t>(pieces_.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) update(pieces_[static_cast<std::size_t>(i)], learning_rate, gradient_scale);
  });
}

void Optimizer::update(const Piece& p, double learning_rate, double gradient_scale) {
  TrainedTensor& t = tensors_[p.tensor];
  const auto rate = static_cast<float>(learning_rate), scale = static_cast<float>(gradient_scale);
  const float decay = t.decays ? options_.decay : 0.0f;
  const int64_t n = p.end - p.begin, all = static_cast<int64_t>(t.values.size());
  float* w = t.values.data() + p.begin;
  const float* g = t.gradient.data() + p.begin;
  std::byte* state = state_.data() + state_at_[p.tensor];
  float* m = reinterpret_cast<float*>(state) + p.begin;
  const auto correction = [&](float beta) { return static_cast<float>(1 / (1 - std::pow(static_cast<double>(beta), static_cast<double>(steps_)))); };
  const AdamW adam{.learning_rate = rate, .beta1 = options_.beta1, .beta2 = options_.beta2, .eps = options_.eps, .decay = decay,
                   .correction1 = correction(options_.beta1), .correction2 = correction(options_.beta2), .gradient_scale = scale};
  switch (options_.kind) {
    case OptimizerKind::kAdamW: return kernels_.adamw(adam, g, m, m + all, w, n);
    case OptimizerKind::kAdamW8: {
      const int64_t blocks = blocks_of(all), first = p.begin / kStateBlock;
      auto* codes = reinterpret_cast<int8_t*>(state);
      auto* scales = reinterpret_cast<float*>(state + 2 * blocks * kStateBlock);
      const uint64_t seed = hash_number(static_cast<uint64_t>(steps_), hash_number(p.tensor, options_.seed));
      return kernels_.adamw8(adam, {codes + p.begin, codes + blocks * kStateBlock + p.begin, scales + first, scales + blocks + first, seed, first},
                             g, w, n);
    }
    case OptimizerKind::kLion:
      return kernels_.lion({.learning_rate = rate, .beta1 = options_.beta1, .beta2 = options_.beta2, .decay = decay, .gradient_scale = scale},
                           g, m, w, n);
    case OptimizerKind::kSgd:
      return kernels_.sgd({.learning_rate = rate, .momentum = options_.momentum, .decay = decay, .gradient_scale = scale, .nesterov = false},
                          g, m, w, n);
  }
}

}  // namespace minnow
