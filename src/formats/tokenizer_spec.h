// What a tokenizer file says, as typed data without behaviour: the common form of GGUF metadata, tokenizer.json,
// tokenizer.model (SentencePiece) and llama2.c's tokenizer.bin. src/text builds a Tokenizer from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace minnow {

using TokenId = int32_t;
inline constexpr TokenId kNoToken = -1;

enum class TokenizerKind { kSpmBpe, kByteBpe };

// The values are those of GGUF's tokenizer.ggml.token_type and SentencePiece's piece types.
enum class TokenType : uint8_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

struct TokenEntry {
  std::string text;  // SPM: piece with U+2581 for space; byte-level BPE: as in vocab.json (bytes mapped to letters)
  float score = 0;   // SPM only
  TokenType type = TokenType::kNormal;
};

struct TokenizerSpec {
  TokenizerKind kind = TokenizerKind::kByteBpe;
  std::string source;  // path, for errors
  std::vector<TokenEntry> tokens;
  std::vector<std::string> merges;  // "left right", best first; byte-level BPE only
  // GGUF's tokenizer.ggml.pre ("llama-bpe", "qwen2", "gpt-2", …); for other files worked out from the pattern.
  std::string pre = "default";
  // Split expressions of a tokenizer.json, applied in order; empty when `pre` names a known one.
  std::vector<std::string> split_patterns;

  TokenId bos = kNoToken, eos = kNoToken, unk = kNoToken, pad = kNoToken, eot = kNoToken;
  std::vector<TokenId> extra_eog;  // further ids that end generation
  bool add_bos = false, add_eos = false;
  bool add_space_prefix = true;           // SPM
  bool remove_extra_whitespaces = false;  // SPM
  bool ignore_merges = false;             // a pre-token that is in the vocabulary is taken whole
  std::string chat_template;              // empty when the file has none
};

}  // namespace minnow
