#include "formats/packed/packed_layer.h"

#include <cmath>

#include "formats/quote_name.h"

namespace minnow::packed {

void PackedLayer::refuse(const std::string& what) const {
  throw Error(ErrorCode::kInvalidInput,
              fmt::format("{}: packed layer {}: {}", source_, quote_name(name_), what),
              "is the checkpoint whole, and does its config.json belong to it?");
}

const Tensor& PackedLayer::require(std::string_view part, DType dtype, int rank) const {
  const Tensor* t = find(part);
  if (t == nullptr) refuse(fmt::format("its tensor {} is missing", part.substr(1)));
  if (t->dtype != dtype || t->shape.rank() != rank) {
    refuse(fmt::format("{} is {} {}, it must be {} with {} dimensions", part.substr(1), name(t->dtype),
                       t->shape.text(), name(dtype), rank));
  }
  if (t->shape.elements() == 0)
    refuse(fmt::format("{} of shape {} is empty", part.substr(1), t->shape.text()));
  return *t;
}

const Tensor& PackedLayer::require(std::string_view part, DType dtype, const Shape& shape) const {
  const Tensor& t = require(part, dtype, shape.rank());
  if (t.shape != shape) {
    refuse(fmt::format("{} has shape {}, it must be {}", part.substr(1), t.shape.text(), shape.text()));
  }
  return t;
}

std::vector<float> PackedLayer::require_scales(std::string_view part, int64_t n) const {
  const Tensor* t = find(part);
  if (t == nullptr) refuse(fmt::format("its tensor {} is missing", part.substr(1)));
  if (t->dtype != DType::kF32 && t->dtype != DType::kF16 && t->dtype != DType::kBF16) {
    refuse(fmt::format("{} is {}, it must be F32, F16 or BF16", part.substr(1), name(t->dtype)));
  }
  if (t->shape.elements() != n) {
    refuse(fmt::format("{} has shape {}, {} values are needed", part.substr(1), t->shape.text(), n));
  }
  std::vector<float> values = to_f32(*t);
  for (const float v : values) {
    if (!std::isfinite(v)) refuse(fmt::format("{} holds a value that is not finite", part.substr(1)));
  }
  return values;
}

std::vector<int32_t> group_of_inputs(const PackedLayer& layer, std::string_view part, int64_t in,
                                     int64_t groups, int64_t group_size) {
  std::vector<int32_t> group(static_cast<std::size_t>(in));
  const Tensor* given = layer.find(part);
  if (given != nullptr && given->shape.elements() > 0) {
    const Tensor& t = layer.require(part, DType::kI32, Shape{in});
    const auto* indices = reinterpret_cast<const int32_t*>(t.data);
    for (int64_t k = 0; k < in; ++k) {
      if (indices[k] < 0 || indices[k] >= groups) {
        layer.refuse(
            fmt::format("{} puts input {} into group {} of {}", part.substr(1), k, indices[k], groups));
      }
      group[static_cast<std::size_t>(k)] = indices[k];
    }
    return group;
  }
  if (group_size == -1) group_size = in;
  if (group_size < 1 || (in + group_size - 1) / group_size != groups) {
    layer.refuse(fmt::format("{} inputs in groups of {} do not make the {} groups that have scales", in,
                             group_size, groups));
  }
  for (int64_t k = 0; k < in; ++k) group[static_cast<std::size_t>(k)] = static_cast<int32_t>(k / group_size);
  return group;
}

DType scale_dtype(const PackedLayer& layer, std::string_view part) {
  const Tensor* t = layer.find(part);
  return t == nullptr ? DType::kF16 : t->dtype;
}

DType dtype_of_torch(std::string_view word) {
  if (word.ends_with("bfloat16")) return DType::kBF16;
  if (word.ends_with("float32")) return DType::kF32;
  return DType::kF16;
}

}  // namespace minnow::packed
