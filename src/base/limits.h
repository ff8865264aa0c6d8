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
inline constexpr std::size_t kMaxStopBytes = 4096;       // each of those of a request
inline constexpr int kMaxLogprobs = 20;                  // alternatives of each token, as OpenAI has it
inline constexpr int64_t kMaxPromptLogprobs = 2 << 20;   // of the prompts of one request, over tokens, alternatives and choices
inline constexpr std::size_t kMaxDryBreakers = 64;       // dry_sequence_breakers of one request
inline constexpr std::size_t kMaxDryBreakerBytes = 256;  // each of them

inline constexpr std::size_t kMaxCommandOutput = 4u << 20;  // of a peer's benchmark, each stream
inline constexpr uint64_t kMaxRecordsFileBytes = 64ull << 20;  // of kept benchmark results

// Serving: keys, limits, settings, logs
inline constexpr uint64_t kMaxKeyFileBytes = 16ull << 20;
inline constexpr std::size_t kMaxKeys = 10'000;              // of one server, revoked ones included
inline constexpr std::size_t kMaxKeyTextBytes = 256;         // what a client sends as its key; ours have 59
inline constexpr std::size_t kMaxKeyNameBytes = 128;         // a key's name, id or tenant, and each of its models
inline constexpr std::size_t kMaxKeyModels = 256;            // that one key may use
inline constexpr int64_t kMaxRatePerMinute = 1'000'000'000;  // requests or tokens
inline constexpr std::size_t kMaxRateEntries = 16'384;       // addresses whose requests are counted at the same time
inline constexpr std::size_t kMaxForwardedBytes = 2048;      // of X-Forwarded-For that is read, from its end
inline constexpr uint64_t kMaxConfigBytes = 1ull << 20;      // minnow.toml
inline constexpr std::size_t kMaxConfigItems = 1024;         // of one list in it
inline constexpr std::size_t kMaxLogQueue = 8192;            // lines that wait to be written
inline constexpr std::size_t kMaxServerAnswerBytes = 16u << 20;  // that minnow ps and stop read
inline constexpr std::size_t kMaxMetricModels = 256;         // names of models in metrics; more are counted as "other"

// Serving: bodies of requests in the OpenAI dialect
inline constexpr std::size_t kMaxChatMessages = 4096;          // of one request; items of /v1/responses as well
inline constexpr std::size_t kMaxContentParts = 1024;          // of one message
inline constexpr std::size_t kMaxTools = 256;                  // of one request
inline constexpr std::size_t kMaxContextEdits = 16;            // likewise
inline constexpr std::size_t kMaxToolCalls = 256;              // of one message
inline constexpr int64_t kMaxChoices = 128;                    // n, and prompts times n of /v1/completions
inline constexpr std::size_t kMaxPromptTokens = 4u << 20;      // ids that a request gives; the context's bound comes on top
inline constexpr std::size_t kMaxLogitBias = 1024;             // entries
inline constexpr std::size_t kMaxAllowedTokens = 16u << 10;    // allowed_token_ids
inline constexpr std::size_t kMaxStopTokens = 64;
inline constexpr std::size_t kMaxEmbeddingInputs = 2048;       // as OpenAI has it
inline constexpr std::size_t kMaxRerankDocuments = 2048;
inline constexpr std::size_t kMaxStoredResponses = 4096;       // of /v1/responses, all tenants together
inline constexpr std::size_t kMaxStoredBytes = 64u << 20;      // their texts
inline constexpr std::size_t kMaxStoredResponseBytes = 8u << 20;  // one of them, with what it answers
inline constexpr std::size_t kMaxMetadataPairs = 16;           // as OpenAI has it
inline constexpr std::size_t kMaxMetadataKeyBytes = 256, kMaxMetadataValueBytes = 4096;

// Serving: connections
inline constexpr std::size_t kMaxHeadBytes = 16u << 10;            // request line and headers; also what waits behind a request
inline constexpr std::size_t kMaxHeaders = 100;                    // of one request
inline constexpr std::size_t kMaxBodyBytes = 8u << 20;             // of one request
inline constexpr std::size_t kMaxBodiesBytes = 256u << 20;         // of all requests that are being received
inline constexpr std::size_t kMaxRequestIdBytes = 64;              // of x-request-id as clients send it
inline constexpr std::size_t kMaxConnections = 4096;               // open at the same time
inline constexpr std::size_t kMaxRequestsInProgress = 1536;        // being answered or waiting for it; more are told 503
inline constexpr std::size_t kMaxWaitingQueries = 256;             // GET requests that wait for a thread
// These three bound what a client costs that reads a stream slowly: 64 KB, twice kSocketSendBytes in the kernel included.
inline constexpr std::size_t kMaxStreamWriteBytes = 8u << 10;      // of a stream written at a time; events wait meanwhile
inline constexpr std::size_t kMaxUnreadAnswerBytes = 16u << 10;    // of these events; the answer is not gone on with until they are read
inline constexpr int kSocketSendBytes = 8 << 10;                   // of a connection in the kernel, which counts its own part as well
inline constexpr int kSocketBulkBytes = 64 << 10;                  // instead, while a whole response is sent that is larger
inline constexpr int kMaxHeadSeconds = 10;                         // from a request's first byte until its head is whole
inline constexpr int kMaxBodySeconds = 30;                         // likewise until its body is whole: slow at both is no longer than slow at one
inline constexpr int kMaxWriteSeconds = 30;                        // until a client has taken what was sent, 64 KB of it at a time
inline constexpr int kMaxAnswerSeconds = 3600;                     // of a model's answer, waiting included
inline constexpr int kMaxIdleSeconds = 75;                         // between two requests of a connection
inline constexpr int kMaxDrainSeconds = 30;                        // from SIGTERM until answers that still run are ended

// Serving: the Ollama, Anthropic and llama-server dialects
inline constexpr std::size_t kMaxModelSummaries = 4096;        // kept for lists of models
inline constexpr std::size_t kMaxSamplers = 32;                // names in "samplers"
inline constexpr std::size_t kMaxResponseFields = 64;          // names in "response_fields"
inline constexpr std::size_t kMaxTokenizeBytes = 32u << 20;    // of an answer of /tokenize

}  // namespace minnow::limits
