// The weight matrices of a graph as kernels read them, and the memory they lie in: packed here, or mapped from a file of the
// cache. Packed, they go straight into such a file where there can be one, so that there is never a second copy.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/page_memory.h"
#include "base/thread_pool.h"
#include "cpu/packed_cache.h"
#include "tensor/tensor.h"

namespace minnow {

struct WeightMatrix {
  std::string name;
  Tensor tensor;  // [n_rows, k]
};

// What packed panels depend on: the files that the weights come from, each matrix with samples of its blocks, and the layout
// of panels. Two manifests are equal only when the panels are. Empty when the weights do not all lie in mapped files, or
// in files that changed less than `settled` ago.
std::string packed_manifest(const std::vector<WeightMatrix>& matrices, std::chrono::seconds settled);

class PackedWeights {
 public:
  // `progress` (may be empty) is told how many bytes of the matrices' files are done; one call at a time.
  // Throws as PackedMatrix does, and kLimit for lack of memory.
  PackedWeights(const std::vector<WeightMatrix>& matrices, ThreadPool& pool, const PackedCacheSettings& cache,
                const std::function<void(uint64_t)>& progress);
  ~PackedWeights();
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

  // Where the panels of matrices[i] begin; meaningless for float types.
  const std::byte* panels(std::size_t i) const { return data_ + offsets_[i]; }
  uint64_t bytes() const { return bytes_; }
  // Whether nothing had to be packed.
  bool found() const { return found_; }

 private:
  std::vector<uint64_t> offsets_;  // by matrix
  uint64_t bytes_ = 0;
  const std::byte* data_ = nullptr;
  bool found_ = false;
  std::shared_ptr<const std::byte> mapped_;
  std::shared_ptr<PageMemory> memory_;
  std::unique_ptr<PackedDraft> draft_;
  std::thread publisher_;  // waits for the disk
};

}  // namespace minnow
