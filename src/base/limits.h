// Every bound on what a stranger's bytes may ask for, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace minnow::limits {

inline constexpr uint64_t kMaxStringBytes = 64ull << 20;       // one metadata string
inline constexpr uint64_t kMaxKeyBytes = 64ull << 10;          // one metadata key or tensor name
inline constexpr uint64_t kMaxTensors = 1ull << 20;            // tensors of one model
inline constexpr uint64_t kMaxMetadataEntries = 64ull << 10;   // key-value pairs of one file (real ones have under 100)
inline constexpr uint64_t kMaxArrayElements = 4ull << 20;      // elements of one metadata array, as kMaxVocab
inline constexpr int kMaxDims = 4;                             // dimensions of a tensor
inline constexpr uint64_t kMaxAlignment = 64ull << 10;         // GGUF general.alignment
inline constexpr uint64_t kMaxSplits = 1024;                   // files of one split GGUF
inline constexpr uint64_t kMaxSafetensorsHeader = 100ull << 20;
inline constexpr uint64_t kMaxJsonFileBytes = 128ull << 20;    // config.json, tokenizer.json, prompts
inline constexpr int kMaxJsonDepth = 64;
inline constexpr std::size_t kMaxOrderedJsonKeys = 1024;       // of one object of a chat, a tool or a schema
inline constexpr uint64_t kMaxVocab = 4ull << 20;
inline constexpr uint64_t kMaxPieceBytes = 1024;               // a special token, or one that SentencePiece can split
inline constexpr uint64_t kMaxTextFileBytes = 4ull << 30;      // text given to perplexity and the like
inline constexpr uint64_t kMaxRecordBytes = 16ull << 20;       // one line of a data set
inline constexpr uint64_t kMaxRecords = 1ull << 32;            // records of a data set: their numbers have 32 bits
inline constexpr std::size_t kMaxDataFiles = 1u << 20;         // files of a data set
inline constexpr uint32_t kMaxLayers = 1024;
inline constexpr uint32_t kMaxExperts = 4096;
inline constexpr uint64_t kMaxStaticValues = 1ull << 30;    // tokens times width of static embeddings
inline constexpr uint32_t kMaxWidth = 1u << 20;                // n_embd, n_ff and the like
inline constexpr uint64_t kMaxContext = 1ull << 27;              // positions

inline constexpr uint64_t kMaxTemplateBytes = 1ull << 20;
inline constexpr uint64_t kMaxTemplateSteps = 1'000'000;
inline constexpr int kMaxTemplateDepth = 200;                 // nested syntax; macro calls within each other
inline constexpr int kMaxTemplateRecursion = 1000;            // nested steps of the evaluator: guards the stack
inline constexpr uint64_t kMaxTemplateMemory = 128ull << 20;  // values of one rendering
inline constexpr uint64_t kMaxTemplateOutput = 4ull << 20;

inline constexpr std::size_t kMaxToolCallBytes = 4u << 20;  // one tool call that a model generates
inline constexpr std::size_t kMaxToolNameBytes = 256;
inline constexpr std::size_t kMaxToolHeaderBytes = 1024;    // the text before its arguments

// Constrained decoding (text/grammar)
inline constexpr std::size_t kMaxGrammarBytes = 1u << 20;      // a grammar, a schema, an expression, all choices together
inline constexpr int kMaxGrammarNesting = 200;                 // groups within groups; nested steps of a schema
inline constexpr std::size_t kMaxGrammarExpressions = 1u << 20;
inline constexpr std::size_t kMaxGrammarNfaStates = 2u << 20;  // before they are made deterministic
inline constexpr std::size_t kMaxGrammarStates = 256u << 10;
inline constexpr uint64_t kMaxGrammarWork = 64ull << 20;       // steps of making it so, products of expressions included
inline constexpr uint32_t kMaxGrammarRepeats = 8192;           // {m,n}, minLength, maxItems and the like
inline constexpr uint32_t kMaxGrammarDepth = 512;              // rules open at once while a text is made
inline constexpr std::size_t kMaxGrammarStacks = 512;          // ways to read the text so far, equal ones merged
inline constexpr std::size_t kMaxGrammarMaskBytes = 16u << 20; // masks that one grammar keeps
inline constexpr std::size_t kMaxSchemaBranches = 256;         // of one place in a schema, after anyOf and allOf
inline constexpr std::size_t kMaxSchemaPlaces = 16u << 10;
inline constexpr std::size_t kMaxCachedConstraints = 32;       // compiled grammars that a responder keeps

inline constexpr std::size_t kMaxStopStrings = 16;
inline constexpr std::size_t kMaxDryBreakers = 64;       // dry_sequence_breakers of one request
inline constexpr std::size_t kMaxDryBreakerBytes = 256;  // each of them

inline constexpr std::size_t kMaxCommandOutput = 4u << 20;  // of a peer's benchmark, each stream
inline constexpr uint64_t kMaxRecordsFileBytes = 64ull << 20;  // of kept benchmark results

}  // namespace minnow::limits
