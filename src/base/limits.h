// Every bound on what a stranger's bytes may ask for, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace minnow::limits {

inline constexpr uint64_t kMaxStringBytes = 64ull << 20;       // one metadata string
inline constexpr uint64_t kMaxKeyBytes = 64ull << 10;          // one metadata key or tensor name
inline constexpr uint64_t kMaxTensors = 1ull << 20;            // tensors of one model
inline constexpr uint64_t kMaxMetadataEntries = 1ull << 20;    // key-value pairs of one GGUF file
inline constexpr int kMaxDims = 4;                             // dimensions of a tensor
inline constexpr int kMaxArrayDepth = 4;                       // nested arrays in GGUF metadata
inline constexpr uint64_t kMaxAlignment = 64ull << 10;         // GGUF general.alignment
inline constexpr uint64_t kMaxSplits = 1024;                   // files of one split GGUF
inline constexpr uint64_t kMaxSafetensorsHeader = 100ull << 20;
inline constexpr uint64_t kMaxJsonFileBytes = 128ull << 20;    // config.json, tokenizer.json, prompts
inline constexpr int kMaxJsonDepth = 64;
inline constexpr uint64_t kMaxVocab = 4ull << 20;
inline constexpr uint64_t kMaxTextFileBytes = 4ull << 30;      // text given to perplexity and the like
inline constexpr uint32_t kMaxLayers = 1024;
inline constexpr uint32_t kMaxWidth = 1u << 20;                // n_embd, n_ff and the like

inline constexpr uint64_t kMaxTemplateBytes = 1ull << 20;
inline constexpr uint64_t kMaxTemplateSteps = 1'000'000;
inline constexpr int kMaxTemplateDepth = 200;                 // nested syntax; macro calls within each other
inline constexpr int kMaxTemplateRecursion = 1000;            // nested steps of the evaluator: guards the stack
inline constexpr uint64_t kMaxTemplateMemory = 128ull << 20;  // values of one rendering
inline constexpr uint64_t kMaxTemplateOutput = 4ull << 20;

inline constexpr std::size_t kMaxStopStrings = 16;

}  // namespace minnow::limits
