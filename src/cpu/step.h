// A compiled graph is a list of steps. All threads of a team walk through the list together; each step says how its
// work is divided among them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/kv_cache.h"
#include "cpu/pack.h"
#include "graph/batch.h"
#include "graph/graph.h"

namespace minnow {

// What is the same for all steps of one run.
struct RunContext {
  const Kernels& kernels;
  const Batch& batch;
  const std::vector<int32_t>& positions;  // by token
  const std::vector<int32_t>& segments;   // by token
  StepSize size;
  KvCache* kv;
  int team;
};

class Step {
 public:
  virtual ~Step() = default;
  // Called once before the team starts on a run.
  virtual void begin(const RunContext&) {}
  // Called by each member of the team, 0 <= member < run.team.
  virtual void work(const RunContext& run, int member) = 0;
  // A row-wise step divides the tokens among the members always in the same way and reads, of other steps' values,
  // only the same tokens: between two of them no barrier is needed.
  virtual bool row_wise() const { return false; }
  // A member that waits before a step that reads weights, or before an earlier one, brings piece 0, 1, ... of what it will
  // read first into its cache. False when there is no such piece.
  virtual bool reads_weights() const { return false; }
  virtual bool fetch(const RunContext&, int /*member*/, int /*piece*/) const { return false; }
};

// Where a node's value lies: f32, [rows, width] with the token (or output) dimension outermost.
struct Value {
  float* data = nullptr;
  int64_t width = 0;  // product of the inner dimensions

  float* row(int64_t r) const { return data + r * width; }
};

// The contiguous share of n rows that a member of the team owns.
struct Share {
  int64_t begin, end;
};
inline Share share_of(int64_t n, int member, int team) { return {n * member / team, n * (member + 1) / team}; }

// Rows of a table, which `row` writes, by token, position or segment.
std::unique_ptr<Step> make_embed_step(Op by, std::function<void(int64_t r, float* y)> row, Value y);

// Steps for every other op but matmul and attention, which come in their own files.
std::unique_ptr<Step> make_rowwise_step(const Graph& graph, const Node& node, const std::vector<Value>& inputs,
                                        Value output);

// x in the form that a product reads. row_dim (kTokensDim or kOutputsDim) says how many rows it has.
std::unique_ptr<Step> make_input_step(Value x, int64_t row_dim, MatMulInput form, std::byte* y);

struct MatMulOutput {
  const PackedMatrix* weight;
  Value y;
};
// Several products with the same input, in the form that all of the weights want.
std::unique_ptr<Step> make_matmul_step(const void* x, int64_t row_dim, std::vector<MatMulOutput> outputs);

// Writing keys and values to the cache (row-wise), and attention over it.
std::unique_ptr<Step> make_kv_store_step(const AttentionAttrs& attrs, Value k, Value v, int64_t n_kv_heads);
std::unique_ptr<Step> make_attention_step(const AttentionAttrs& attrs, Value q, Value out, int64_t n_heads,
                                          int64_t n_kv_heads, int team);

// Inputs of a short convolution to the cache (row-wise), and the convolution over them. weight: [D, n_taps].
std::unique_ptr<Step> make_conv_store_step(int32_t layer, Value x);
std::unique_ptr<Step> make_conv_step(int32_t layer, Value weight, int64_t n_taps, Value y);

}  // namespace minnow
