// Element types of tensors, with the facts of their storage.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace minnow {

enum class DType : uint8_t {
  kF32, kF16, kBF16,
  kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ8_0,
  kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K,
  kIQ4_NL, kIQ4_XS,
  kIQ1_S, kIQ1_M, kIQ2_XXS, kIQ2_XS, kIQ2_S, kIQ3_XXS, kIQ3_S,
  kTQ1_0, kTQ2_0, kI2_S,
  kMXFP4, kNVFP4, kQ1_0, kQ2_0,
  kNF4,
  kI8, kI16, kI32, kI64, kF64
};
inline constexpr int kNumDTypes = 35;

// I2_S has no id upstream; the one that the BitNet fork gives it means other things elsewhere. NF4 is of memory only: GGUF has none.
inline constexpr uint32_t kNoGgufId = UINT32_MAX;

struct DTypeInfo {
  DType dtype;
  std::string_view name;  // as people write it: "F32", "Q4_0", "Q4_K"
  uint32_t gguf_id;       // ggml_type, or kNoGgufId
  uint32_t block_size;    // elements per block, along the innermost dimension
  uint32_t block_bytes;
  bool is_weight;  // has a codec: can be decoded to f32 and multiplied
};

const DTypeInfo& info(DType dtype);
inline std::string_view name(DType dtype) { return info(dtype).name; }
inline bool is_quantized(DType dtype) { return info(dtype).block_size > 1; }

// nullopt for ids that minnow does not read.
std::optional<DType> dtype_from_gguf(uint32_t gguf_id);
// Case does not matter; nullopt when unknown.
std::optional<DType> dtype_from_name(std::string_view name);
// The name of a ggml type, read by minnow or not; "unknown or retired" for other ids. For errors.
std::string_view gguf_type_name(uint32_t gguf_id);
// Whether GGUF files can hold tensors of this type.
bool is_in_gguf(DType dtype);

}  // namespace minnow
