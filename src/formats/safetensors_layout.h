// The names and the type words of safetensors, shared by its reader and its writer.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "tensor/dtype.h"

namespace minnow::safetensors {

inline constexpr std::string_view kSingleName = "model.safetensors";
inline constexpr std::string_view kIndexName = "model.safetensors.index.json";
inline constexpr std::string_view kMetadataKey = "__metadata__";

struct TypeWord {
  std::string_view word;
  DType dtype;
};
// The first word of a dtype is the one that is written.
inline constexpr std::array<TypeWord, 10> kTypeWords = {{
    {"F32", DType::kF32},
    {"F16", DType::kF16},
    {"BF16", DType::kBF16},
    {"F64", DType::kF64},
    {"I64", DType::kI64},
    {"I32", DType::kI32},
    {"I16", DType::kI16},
    {"I8", DType::kI8},
    {"U8", DType::kI8},
    {"BOOL", DType::kI8},
}};

}  // namespace minnow::safetensors
