#include "tensor/dtype.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace minnow {
namespace {

constexpr std::array<DTypeInfo, kNumDTypes> kInfos = {{
    {DType::kF32, "F32", 0, 1, 4, true},
    {DType::kF16, "F16", 1, 1, 2, true},
    {DType::kBF16, "BF16", 30, 1, 2, true},
    {DType::kQ4_0, "Q4_0", 2, 32, 18, true},
    {DType::kQ4_1, "Q4_1", 3, 32, 20, true},
    {DType::kQ5_0, "Q5_0", 6, 32, 22, true},
    {DType::kQ5_1, "Q5_1", 7, 32, 24, true},
    {DType::kQ8_0, "Q8_0", 8, 32, 34, true},
    {DType::kQ2_K, "Q2_K", 10, 256, 84, true},
    {DType::kQ3_K, "Q3_K", 11, 256, 110, true},
    {DType::kQ4_K, "Q4_K", 12, 256, 144, true},
    {DType::kQ5_K, "Q5_K", 13, 256, 176, true},
    {DType::kQ6_K, "Q6_K", 14, 256, 210, true},
    {DType::kIQ4_NL, "IQ4_NL", 20, 32, 18, true},
    {DType::kIQ4_XS, "IQ4_XS", 23, 256, 136, true},
    {DType::kIQ1_S, "IQ1_S", 19, 256, 50, true},
    {DType::kIQ1_M, "IQ1_M", 29, 256, 56, true},
    {DType::kIQ2_XXS, "IQ2_XXS", 16, 256, 66, true},
    {DType::kIQ2_XS, "IQ2_XS", 17, 256, 74, true},
    {DType::kIQ2_S, "IQ2_S", 22, 256, 82, true},
    {DType::kIQ3_XXS, "IQ3_XXS", 18, 256, 98, true},
    {DType::kIQ3_S, "IQ3_S", 21, 256, 110, true},
    {DType::kTQ1_0, "TQ1_0", 34, 256, 54, true},
    {DType::kTQ2_0, "TQ2_0", 35, 256, 66, true},
    {DType::kI2_S, "I2_S", kNoGgufId, 128, 36, true},
    {DType::kMXFP4, "MXFP4", 39, 32, 17, true},
    {DType::kNVFP4, "NVFP4", 40, 64, 36, true},
    {DType::kQ1_0, "Q1_0", 41, 128, 18, true},
    {DType::kQ2_0, "Q2_0", 42, 64, 18, true},
    {DType::kNF4, "NF4", kNoGgufId, 64, 36, true},
    {DType::kI8, "I8", 24, 1, 1, false},
    {DType::kI16, "I16", 25, 1, 2, false},
    {DType::kI32, "I32", 26, 1, 4, false},
    {DType::kI64, "I64", 27, 1, 8, false},
    {DType::kF64, "F64", 28, 1, 8, false},
}};

// Index: ggml type id. Empty: retired upstream.
constexpr std::array<std::string_view, 43> kGgufNames = {
    "F32",   "F16",    "Q4_0",  "Q4_1", "",     "",        "Q5_0",   "Q5_1",    "Q8_0",  "Q8_1",   "Q2_K",
    "Q3_K",  "Q4_K",   "Q5_K",  "Q6_K", "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S",
    "IQ2_S", "IQ4_XS", "I8",    "I16",  "I32",  "I64",     "F64",    "IQ1_M",   "BF16",  "",       "",
    "",      "TQ1_0",  "TQ2_0", "",     "",     "",        "MXFP4",  "NVFP4",   "Q1_0",  "Q2_0"};

}  // namespace

const DTypeInfo& info(DType dtype) { return kInfos[static_cast<std::size_t>(dtype)]; }

std::optional<DType> dtype_from_gguf(uint32_t gguf_id) {
  if (gguf_id == kNoGgufId) return std::nullopt;
  const auto* it =
      std::find_if(kInfos.begin(), kInfos.end(), [&](const auto& i) { return i.gguf_id == gguf_id; });
  if (it == kInfos.end()) return std::nullopt;
  return it->dtype;
}

std::optional<DType> dtype_from_name(std::string_view text) {
  const auto same = [](char a, char b) {
    return std::toupper(static_cast<unsigned char>(a)) == std::toupper(static_cast<unsigned char>(b));
  };
  for (const auto& i : kInfos) {
    if (std::equal(i.name.begin(), i.name.end(), text.begin(), text.end(), same)) return i.dtype;
  }
  return std::nullopt;
}

bool is_in_gguf(DType dtype) { return info(dtype).gguf_id != kNoGgufId || dtype == DType::kI2_S; }

std::string_view gguf_type_name(uint32_t gguf_id) {
  if (gguf_id < kGgufNames.size() && !kGgufNames[gguf_id].empty()) return kGgufNames[gguf_id];
  return "unknown or retired";
}

}  // namespace minnow
