// What the tests of training's kernels share.
#pragma once

#include <cstddef>
#include <vector>

#include "cpu/dense_matmul.h"
#include "cpu/test_values.h"

namespace minnow::test {

// A fixture per instruction set of this machine.
class EveryTrainIsa : public testing::TestWithParam<Isa> {
 protected:
  const TrainKernels& kernels() const { return train_kernels_for(GetParam()); }
};

// Memory aligned to 64 bytes, full of NaN, that ends where it says.
class AlignedMemory {
 public:
  explicit AlignedMemory(int64_t bytes) : memory_(static_cast<std::size_t>(bytes) + 64, std::byte{0xFF}) {
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    data_ = memory_.data() + (64 - address % 64) % 64;
    memory_.resize(static_cast<std::size_t>(data_ - memory_.data()) + static_cast<std::size_t>(bytes));
  }
  std::byte* data() { return data_; }
  float* floats() { return reinterpret_cast<float*>(data_); }

 private:
  std::vector<std::byte> memory_;
  std::byte* data_;
};

}  // namespace minnow::test
