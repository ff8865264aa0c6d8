// Adapters into the weights of their base, or several into one.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "models/adapter.h"
#include "models/save.h"

namespace minnow {

struct WeightedAdapter {
  const Adapter* adapter;
  double weight = 1;
};

// W becomes W plus the weighted sum of what the adapters add to it, in f32, then cast once to the type that `choose` gives for it.
// What no adapter touches stays. A tied output projection with an adapter gets a tensor of its own.
// Throws kUsage for types that cannot be encoded, kInvalidInput when a sum is past the range of its type.
void merge_adapters(Model& model, std::span<const WeightedAdapter> adapters, const ChooseDType& choose = keep_dtype);

enum class Combination : uint8_t {
  kCat,     // exact; ranks add up
  kSvd,     // the best approximation of the exact sum of that rank
  kLinear,  // sums of A and of B: cheap, but with cross terms; ranks must be equal
};
std::optional<Combination> combination_from_name(std::string_view name);

// One adapter for the weighted sum; alpha is its rank. `rank`: kSvd only; 0: the largest of the adapters'. Throws kUnsupported for
// magnitudes (DoRA), kUsage for ranks or matrices that differ where they must not.
Adapter combine_adapters(const Model& base, std::span<const WeightedAdapter> adapters, Combination how, int64_t rank = 0);

}  // namespace minnow
