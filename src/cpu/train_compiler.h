// Compiles a training graph to the steps of a TrainExecutor.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "cpu/gather_products.h"
#include "cpu/schedule.h"
#include "cpu/step_train_experts.h"
#include "cpu/train_executor.h"
#include "cpu/train_steps.h"
#include "graph/passes.h"

namespace minnow {

class TrainCompiler {
 public:
  TrainCompiler(TrainExecutor& made, const GatheredProducts& gathered);
  void compile();

 private:
  // One node, or several that follow it: gives the last.
  std::size_t compile(std::size_t i);
  std::size_t products(std::size_t i);
  std::size_t weight_products(std::size_t i);
  void sum_of_products(const std::vector<NodeId>& terms, NodeId id);
  void embed(const Node& n, NodeId id);
  void row_norms(const Node& n, NodeId id);
  void attention(const Node& n, NodeId id);
  void attention_gradient(const Node& n, NodeId id);
  void head_loss(const Node& n, NodeId id);
  void norm_gradient(const Node& n, Value dx, const Moments& moments);
  std::size_t norm_weight(std::size_t i);
  Moments new_moments(const Node& n);
  void column_sum(const Node& n, const Moments& moments = nullptr);
  void conv(const Node& n, NodeId id);
  void expert_node(const Node& n, NodeId id);
  void expert_product(const Node& n, NodeId id);
  void row_by_row(const Node& n, NodeId id);

  const Node& node(NodeId id) const { return graph_.node(id); }
  Value value(NodeId id);
  Value value_or_scratch(const Shape& shape, Value v);
  Value part(NodeId id, int32_t index);  // null without that node
  std::vector<Value> inputs(const Node& n);
  float* gradient(NodeId weight);
  // The f32 values of a matrix; others are decoded to scratch in a step before.
  const float* matrix(NodeId weight);
  void add(std::unique_ptr<Step> step, const std::vector<Value>& reads = {}, const std::vector<Value>& writes = {});
  void check_apart(const DenseProducts& products) const;
  void add_products(DenseProducts products);
  // Memory of a step, or of those that are compiled together; the next ones get the same.
  std::byte* scratch(int64_t bytes);
  void compile_all(std::byte* memory);

  TrainExecutor& made_;
  const GatheredProducts& gathered_;
  const Graph& graph_;
  StepSize max_;
  const DenseKernels& dense_;
  bool bf16_attention_;
  MemoryPlan plan_;
  // Values, then the output's gradient, then scratch. A first pass with an address that is not memory learns how much.
  std::byte* memory_ = nullptr;
  int64_t output_grad_bytes_ = 0, scratch_used_ = 0, scratch_bytes_ = 0;
  std::optional<Schedule> schedule_;
  std::map<NodeId, std::shared_ptr<ExpertPlan>> experts_;  // by route
};

}  // namespace minnow
