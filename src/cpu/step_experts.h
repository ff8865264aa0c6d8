// Mixture of experts: which tokens go to which expert is known only when a step runs. Pairs (token, one of its experts)
// are sorted by expert, so that every expert multiplies one contiguous block of rows.
#pragma once

#include <memory>
#include <vector>

#include "cpu/step.h"

namespace minnow {

// The routing of one run. Values of shape [T, k, N] hold the rows of the pairs in sorted order: what lies between two
// products of experts works element by element and does not mind.
struct ExpertPlan {
  ExpertPlan(int64_t experts, int64_t used) : n_experts(experts), n_used(used) {}

  int64_t n_experts, n_used;
  std::vector<int32_t> token_of;  // [pairs] by sorted place
  std::vector<int32_t> place_of;  // [token * n_used + slot]
  struct Group {
    int32_t expert;
    int64_t begin, end;  // sorted places
  };
  std::vector<Group> groups;  // experts with at least one token, ascending
};

// softmax over the router's logits, the n_used largest (the lower number first on ties), largest first.
std::unique_ptr<Step> make_route_step(const RouteAttrs& attrs, Value logits, Value route);
// Fills the plan from the route; one member works.
std::unique_ptr<Step> make_expert_plan_step(Value route, std::shared_ptr<ExpertPlan> plan);

// Rows of x for the products: of [T, K] gathered into sorted order, of [T, k, K] as they lie (`sorted`). In the form
// that the products read. `out` has room for T * k rows.
struct ExpertInput {
  Value x;
  int64_t k;
  bool sorted;
  MatMulInput form;
  std::byte* out;
};
std::unique_ptr<Step> make_expert_input_step(const ExpertInput& input, std::shared_ptr<const ExpertPlan> plan);

// `weights` has one matrix per expert, all of one shape; x from make_expert_input_step.
std::unique_ptr<Step> make_expert_matmul_step(const std::vector<PackedMatrix>& weights, const std::byte* x, Value y,
                                              std::shared_ptr<const ExpertPlan> plan);
std::unique_ptr<Step> make_expert_sum_step(Value x, Value route, Value y, std::shared_ptr<const ExpertPlan> plan);

}  // namespace minnow
