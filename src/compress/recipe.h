// Recipes of quantization: which type each kind of tensor gets, as a table.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tensor/dtype.h"

namespace minnow {

// What a tensor is for, as far as recipes care.
enum class TensorKind : uint8_t {
  kKept,       // not a matrix, or one that stays as it is: norms, router inputs, positions, small convolutions
  kOutput,     // the output projection, also when the token embedding is it
  kEmbedding,  // a token embedding of its own
  kAttnV, kAttnOutput, kAttnQkv, kFfnDown,
  kExperts,    // any stack of expert matrices
  kOther
};

// Where among the tensors of its kind a rule holds. With i the number of the tensor and n how many there are:
enum class When : uint8_t {
  kNever,
  kAlways,
  kMore,            // i < n/8, or i >= 7n/8, or every third in between: where more bits pay
  kFirst2, kFirst4,
  kFirstSixteenth, kFirstEighth,
  kFirstEighthUnweighted,  // without importance weights
  kFirstEighthWeighted,    // with them
  kSharedKv         // four or more query heads share a key and value head
};

struct Rule {
  TensorKind kind = TensorKind::kKept;
  When when = When::kNever;
  DType dtype = DType::kF32;
};

struct Recipe {
  std::string_view name;   // as people know it: "Q4_K_M"
  uint32_t file_type;      // general.file_type of the ecosystem
  DType base;              // where no rule holds
  DType output;            // of TensorKind::kOutput
  std::array<Rule, 6> rules;  // the first that holds counts
};

std::span<const Recipe> recipes();
// Case does not matter; Q3_K, Q4_K and Q5_K are their _M. Throws kUsage with the nearest name when unknown.
const Recipe& find_recipe(std::string_view name);

// Where a tensor stands.
struct TensorPlace {
  TensorKind kind = TensorKind::kOther;
  int64_t i = 0, n = 1;     // among those of its kind
  bool shared_kv = false;   // four or more query heads share a key and value head
  bool weighted = false;    // importance weights are known
  bool in_experts = false;  // a stack of expert matrices
};
// The type of a tensor that is not kKept, whatever its shape.
DType recipe_dtype(const Recipe& recipe, const TensorPlace& place);

// What rows of `n` elements can have: `wanted`, or what takes its place when they are not whole blocks, F16 in the end.
DType fitting_dtype(DType wanted, int64_t n);

}  // namespace minnow
