// Steps of training for mixtures of experts. Values of shape [T, k, N] hold the rows of pairs sorted by expert, as in
// step_experts.h.
#pragma once

#include "cpu/step_experts.h"
#include "cpu/train_steps.h"

namespace minnow {

enum class ExpertProduct : uint8_t { kForward, kGradient, kWeightGradient };

struct TrainExpertStep {
  ExpertProduct product;
  const DenseKernels& dense;
  const float* weight;  // [E, n, k]; not of kWeightGradient
  int64_t n, k;
  Value x;              // [T, k_used, k] or [T, k]; not of kGradient
  Value y;              // [T, k_used, n]: the result of kForward, else dy
  Value dx;             // [T, k_used, k], of kGradient: of pairs, summed by make_pair_sum_step where experts share x
  bool x_of_pairs;
  float* d_weight;      // [E, n, k], of kWeightGradient
  std::byte* memory = nullptr;  // train_expert_bytes() of it, aligned to 64
};
int64_t train_expert_bytes(const TrainExpertStep& step, int team);
std::unique_ptr<Step> make_train_expert_step(const TrainExpertStep& step, std::shared_ptr<const ExpertPlan> plan);

// y [T, D] = sum over a token's pairs of x.
std::unique_ptr<Step> make_pair_sum_step(Value x, Value y, std::shared_ptr<const ExpertPlan> plan);
std::unique_ptr<Step> make_expert_sum_gradient_step(Value dy, Value route, Value dx, std::shared_ptr<const ExpertPlan> plan);
std::unique_ptr<Step> make_expert_sum_route_gradient_step(Value dy, Value x, Value d_route, std::shared_ptr<const ExpertPlan> plan);
std::unique_ptr<Step> make_route_gradient_step(const RouteAttrs& attrs, const std::vector<Value>& inputs, Value d_logits);

}  // namespace minnow
