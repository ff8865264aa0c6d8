// A compiled graph is a list of steps. All threads of a team walk through the list together; each step says how its
// work is divided among them.
#pragma once

#include <algorithm>
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

struct TrainRun;  // train_steps.h

// What is the same for all steps of one run.
struct RunContext {
  const Kernels& kernels;
  const Batch& batch;
  const std::vector<int32_t>& positions;  // by token
  const std::vector<int32_t>& segments;   // by token
  StepSize size;
  KvCache* kv;
  int team;
  const TrainRun* train = nullptr;  // when the graph is one of training
};

class Step {
 public:
  virtual ~Step() = default;
  // Called once before the team starts on a run.
  virtual void begin(const RunContext&) {}
  // Called by each member of the team, 0 <= member < run.team, when all members have done the step before.
  virtual void work(const RunContext& run, int member) = 0;
  // A member that waits before a step that reads weights, or before an earlier one, brings piece 0, 1, ... of what it will
  // read first into its cache. False when there is no such piece.
  virtual bool reads_weights() const { return false; }
  virtual bool fetch(const RunContext&, int /*member*/, int /*piece*/) const { return false; }
};

// The contiguous share of n rows that a member of the team owns.
struct Share {
  int64_t begin, end;
};
inline Share share_of(int64_t n, int member, int team) { return {n * member / team, n * (member + 1) / team}; }

// A step that goes by tokens and reads, of other steps' values, only the same tokens.
class TokenStep : public Step {
 public:
  virtual void tokens(const RunContext& run, int64_t begin, int64_t end) = 0;
  void work(const RunContext& run, int member) override {
    const Share share = share_of(run.size.tokens, member, run.team);
    if (share.begin < share.end) tokens(run, share.begin, share.end);
  }
};

// Token steps in a row: a few tokens pass through all of them, in the nearest cache, before the next few.
class TokenChain final : public TokenStep {
 public:
  explicit TokenChain(std::unique_ptr<TokenStep> first) { add(std::move(first)); }
  void add(std::unique_ptr<TokenStep> next) { steps_.push_back(std::move(next)); }
  void begin(const RunContext& run) override {
    for (const auto& step : steps_) step->begin(run);
  }
  void tokens(const RunContext& run, int64_t begin, int64_t end) override {
    constexpr int64_t kFew = 4;
    for (int64_t t = begin; t < end; t += kFew) {
      for (const auto& step : steps_) step->tokens(run, t, t + kFew < end ? t + kFew : end);
    }
  }

 private:
  std::vector<std::unique_ptr<TokenStep>> steps_;
};

// Calls f(sequence, token) for the tokens [begin, end) of a batch.
template <typename F>
void for_tokens(const Batch& batch, int64_t begin, int64_t end, F f) {
  if (begin >= end) return;
  const auto starts_after = [](int64_t t, const SequenceSlice& slice) { return t < slice.first; };
  auto s = std::upper_bound(batch.sequences.begin(), batch.sequences.end(), begin, starts_after) - 1;
  for (int64_t t = begin; t < end; ++t) {
    while (t >= s->first + s->count) ++s;
    f(*s, t);
  }
}

// Where a node's value lies: f32, [rows, width] with the token (or output) dimension outermost.
struct Value {
  float* data = nullptr;
  int64_t width = 0;  // product of the inner dimensions

  float* row(int64_t r) const { return data + r * width; }
};

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

// Writing keys and values to the cache (token by token), and attention over it.
std::unique_ptr<Step> make_kv_store_step(const AttentionAttrs& attrs, Value k, Value v, int64_t n_kv_heads);
std::unique_ptr<Step> make_attention_step(const AttentionAttrs& attrs, Value q, Value out, int64_t n_heads,
                                          int64_t n_kv_heads, int team);

// Inputs of a short convolution to the cache (token by token), and the convolution over them. weight: [D, n_taps].
std::unique_ptr<Step> make_conv_store_step(int32_t layer, Value x);
std::unique_ptr<Step> make_conv_step(int32_t layer, Value weight, int64_t n_taps, Value y);

}  // namespace minnow
