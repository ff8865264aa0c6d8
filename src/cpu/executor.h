// Runs a graph on the CPU: compiled once into steps with memory and packed weights, then run for batch after batch.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/page_memory.h"
#include "base/thread_pool.h"
#include "cpu/isa.h"
#include "cpu/kernels.h"
#include "cpu/kv_cache.h"
#include "cpu/packed_cache.h"
#include "graph/batch.h"
#include "graph/graph.h"

namespace minnow {

class Step;
class PackedMatrix;
enum class MatMulInput : uint8_t;
class PackedWeights;

const Kernels& kernels_for(Isa isa);

struct ExecutorOptions {
  int n_threads = 1;
  Isa isa = Isa::kBaseline;
  int64_t max_tokens = 512;  // largest batch, in tokens
  int64_t max_outputs = 32;  // most output rows in one batch
  // F16 and BF16 weights are multiplied in f32 even where the CPU has a faster unit for bf16, which rounds inputs (and
  // F16 weights) to 8 bits of mantissa.
  bool exact = false;
  // Told how many bytes of weights are ready so far; may be empty.
  std::function<void(uint64_t)> progress;
  PackedCacheSettings cache = {};  // of packed weights
};

class Executor {
 public:
  // Packs the weights. Throws kInvalidInput or kUnsupported for weights that cannot be used, kLimit for lack of memory.
  Executor(const Graph& graph, ExecutorOptions options);
  ~Executor();

  // Computes the graph's output for a batch within the limits given to the constructor: [output rows, width].
  // The result stays valid until the next run. `kv` may be null when the graph has no attention.
  // One run at a time.
  std::span<const float> run(const Batch& batch, KvCache* kv);

  const Graph& graph() const { return graph_; }
  ThreadPool& pool() { return pool_; }
  // Bytes of packed weights and of values between steps.
  uint64_t packed_bytes() const;
  // Whether they were found in the cache.
  bool found_packed() const;
  uint64_t scratch_bytes() const;

 private:
  void pack_weights();
  void compile();
  MatMulInput input_form(NodeId weight) const;
  void validate(const Batch& batch, const KvCache* kv) const;

  Graph graph_;  // fused
  ExecutorOptions options_;
  const Kernels& kernels_;
  ThreadPool pool_;
  std::unique_ptr<PackedWeights> packed_;
  std::shared_ptr<PageMemory> values_;
  std::vector<std::unique_ptr<PackedMatrix>> matrices_;  // by node; null for nodes that are not matmul weights
  std::vector<std::vector<PackedMatrix>> experts_;       // by node: the matrices of a weight [E, N, K]
  std::vector<Tensor> vectors_;                          // by node: small weights as f32
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<int32_t> positions_, segments_;
  const float* output_ = nullptr;
  int64_t output_width_ = 0;
};

}  // namespace minnow
