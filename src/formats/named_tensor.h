// Tensors under their names: what every reader of this room gives and every writer takes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace minnow {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// Tensors of unique names in file order, found by name in O(log n).
class TensorList {
 public:
  TensorList() = default;
  // Throws kInvalidInput, beginning with `source`, when two have the same name.
  TensorList(std::vector<NamedTensor> tensors, const std::string& source);

  const std::vector<NamedTensor>& all() const { return tensors_; }
  // nullptr when absent.
  const Tensor* find(std::string_view name) const;

 private:
  std::vector<NamedTensor> tensors_;
  std::vector<uint32_t> by_name_;  // indices of tensors_, sorted by name
};

using ByteSink = std::function<void(std::span<const std::byte>)>;

// A tensor whose bytes are made while a file is written, so that only one at a time is in memory: `produce`
// is called once per write and hands all bytes, in pieces of any size, to the sink it is given.
struct TensorSource {
  std::string name;
  DType dtype;
  Shape shape;
  std::function<void(const ByteSink&)> produce;

  uint64_t bytes() const;
};

// A source that copies the tensor's bytes as they are; it keeps the tensor's storage alive.
TensorSource tensor_source(std::string name, const Tensor& tensor);

// Throws kInvalidInput, beginning with `target`, for an empty, overlong, non-UTF-8 or repeated name, more
// tensors than limits::kMaxTensors, or a shape whose size does not fit: what the readers would refuse.
void check_sources(const std::vector<TensorSource>& sources, const std::string& target);

// Runs source.produce into `sink`. Throws kInternal unless it hands over exactly source.bytes().
void produce_all(const TensorSource& source, const ByteSink& sink);

}  // namespace minnow
