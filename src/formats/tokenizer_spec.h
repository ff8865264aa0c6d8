// What a tokenizer file says, as typed data without behaviour: the common form of GGUF metadata,
// tokenizer.json, tokenizer.model (SentencePiece) and llama2.c's tokenizer.bin. src/text builds a Tokenizer
// from it.
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
enum class TokenType : uint8_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

struct TokenEntry {
  // Normal tokens: the piece with U+2581 for space (SPM), or as in vocab.json with bytes mapped to letters
  // (byte-level BPE). Control and user-defined tokens: the text itself, in both kinds.
  std::string text;
  float score = 0;  // SPM only; higher merges earlier
  TokenType type = TokenType::kNormal;
  // Control and user-defined tokens: white space before (after) the token is part of it and lost in decoding.
  bool lstrip = false, rstrip = false;
};

struct TokenizerSpec {
  TokenizerKind kind = TokenizerKind::kByteBpe;
  std::string source;  // path, for errors
  std::vector<TokenEntry> tokens;
  // "left right", best first. Byte-level BPE needs them; SPM takes them when there are any and else merges by
  // score.
  std::vector<std::string> merges;
  // GGUF's tokenizer.ggml.pre ("llama-bpe", "qwen2", "gpt-2", …); for other files worked out from the
  // pattern.
  std::string pre = "default";
  // Split expressions of a tokenizer.json, applied in order; empty when `pre` names a known one
  // (tokenizer_pre.h).
  std::vector<std::string> split_patterns;

  TokenId bos = kNoToken, eos = kNoToken, unk = kNoToken, pad = kNoToken, eot = kNoToken;
  std::vector<TokenId> extra_eog;  // further ids that end generation
  bool add_bos = false, add_eos = false;
  bool add_space_prefix = true;           // SPM
  bool remove_extra_whitespaces = false;  // SPM
  bool ignore_merges = false;             // a pre-token that is in the vocabulary is taken whole
  bool normalize_nfc = false;             // text is brought to Unicode NFC first
  std::string chat_template;              // empty when the file has none
};

}  // namespace minnow
