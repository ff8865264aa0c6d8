#include "formats/named_tensor.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "formats/quote_name.h"

namespace minnow {
namespace {

// Indices of `items` sorted by name. Throws when two names are the same.
template <typename Items>
std::vector<uint32_t> sort_by_name(const Items& items, const std::string& source) {
  std::vector<uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return items[a].name < items[b].name; });
  const auto twin = std::adjacent_find(
      order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return items[a].name == items[b].name; });
  if (twin != order.end()) {
    fail(ErrorCode::kInvalidInput, "{}: two tensors are named {}", source, quote_name(items[*twin].name));
  }
  return order;
}

}  // namespace

TensorList::TensorList(std::vector<NamedTensor> tensors, const std::string& source)
    : tensors_(std::move(tensors)), by_name_(sort_by_name(tensors_, source)) {}

const Tensor* TensorList::find(std::string_view name) const {
  const auto it =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [&](uint32_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  if (it == by_name_.end() || tensors_[*it].name != name) return nullptr;
  return &tensors_[*it].tensor;
}

uint64_t TensorSource::bytes() const {
  return checked_tensor_bytes(dtype, shape, "tensor " + quote_name(name));
}

TensorSource tensor_source(std::string name, const Tensor& tensor) {
  return {std::move(name), tensor.dtype, tensor.shape,
          [tensor](const ByteSink& sink) { sink(tensor.span()); }};
}

void check_sources(const std::vector<TensorSource>& sources, const std::string& target) {
  if (sources.size() > limits::kMaxTensors) {
    fail(ErrorCode::kInvalidInput, "{}: {} tensors, at most {} are allowed", target, sources.size(),
         limits::kMaxTensors);
  }
  for (const TensorSource& source : sources) {
    if (source.name.empty() || source.name.size() > limits::kMaxKeyBytes || !is_valid_utf8(source.name)) {
      fail(ErrorCode::kInvalidInput, "{}: {} cannot be a tensor's name", target, quote_name(source.name));
    }
    checked_tensor_bytes(source.dtype, source.shape,
                         fmt::format("{}: tensor {}", target, quote_name(source.name)));
  }
  sort_by_name(sources, target);
}

void produce_all(const TensorSource& source, const ByteSink& sink) {
  const uint64_t expected = source.bytes();
  uint64_t made = 0;
  source.produce([&](std::span<const std::byte> piece) {
    made += piece.size();
    if (made <= expected) sink(piece);
  });
  if (made != expected) {
    fail(ErrorCode::kInternal, "tensor {} was to have {} bytes but {} were made", quote_name(source.name),
         expected, made);
  }
}

}  // namespace minnow
