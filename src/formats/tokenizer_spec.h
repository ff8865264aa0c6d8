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

enum class TokenizerKind { kSpmBpe, kByteBpe, kUnigram, kWordPiece };

// "SentencePiece BPE", "byte-level BPE", "unigram", "WordPiece".
const char* tokenizer_kind_name(TokenizerKind kind);

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
  // Normal tokens: the piece with U+2581 for space (SPM, unigram), as in vocab.json with bytes mapped to
  // letters (byte-level BPE), or with the prefix of continuations (WordPiece). Control and user-defined
  // tokens: the text itself, in all kinds.
  std::string text;
  float score = 0;  // SPM: higher merges earlier; unigram: logarithm of the probability
  TokenType type = TokenType::kNormal;
  // Control and user-defined tokens: white space before (after) the token is part of it and lost in decoding.
  bool lstrip = false, rstrip = false;
  bool single_word = false;  // only where no letter, mark, digit or underscore stands beside it
  bool normalized = false;   // looked for, in normalized form, after the text is normalized
};

// A step that changes a text before it is cut, named as in tokenizer.json.
struct NormalizerStep {
  enum class Kind {
    kNfc,
    kNfd,
    kNfkc,
    kNfkd,
    kLowercase,
    kStripAccents,
    kStrip,
    kPrepend,
    kReplace,
    kReplaceRegex,
    kBert,
    kPrecompiled
  };
  Kind kind = Kind::kNfc;
  std::string pattern;  // kReplace: a text, not empty; kReplaceRegex: an expression
  std::string
      content;  // what it becomes; kPrepend: what is put before; kPrecompiled: SentencePiece's charsmap
  bool left = true, right = true;  // kStrip
  // kBert
  bool clean_text = true, handle_chinese_chars = true, strip_accents = true, lowercase = true;

  bool operator==(const NormalizerStep&) const = default;
};

// What becomes of the matches of a split expression, and of the text between them.
enum class SplitBehavior {
  kIsolated,            // each is a piece
  kRemoved,             // matches are left out
  kKept,                // the text between is left out
  kMergedWithPrevious,  // a match ends the piece before it
  kMergedWithNext,      // a match begins the piece after it
  kContiguous           // matches that touch are one piece
};

struct SplitStep {
  std::string pattern;
  SplitBehavior behavior = SplitBehavior::kIsolated;

  bool operator==(const SplitStep&) const = default;
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
  // Splits of a tokenizer.json, applied in order; empty when `pre` names known ones (tokenizer_pre.h) or, but
  // for byte-level BPE, when nothing is split.
  std::vector<SplitStep> splits;
  std::vector<NormalizerStep> normalizers;  // in order, before anything else

  TokenId bos = kNoToken, eos = kNoToken, unk = kNoToken, pad = kNoToken, eot = kNoToken;
  std::vector<TokenId> extra_eog;  // further ids that end generation
  bool add_bos = false, add_eos = false;
  std::vector<TokenId> after_bos, before_eos;  // further tokens around a text, with the same conditions

  // SPM and unigram
  bool add_space_prefix = true;           // a space is put before a text, …
  bool prefix_after_special = true;       // … and before what follows a special token, …
  bool prefix_unless_space = false;       // … but not before a space
  bool remove_extra_whitespaces = false;  // at the ends, and all but one inside
  bool split_at_spaces = false;           // every space begins a new piece, a second one too
  bool fuse_unknown = true;               // neighbouring unknown characters are one token
  bool byte_fallback = true;              // unigram: unknown characters become byte tokens

  // Byte-level BPE
  bool ignore_merges = false;      // a pre-token that is in the vocabulary is taken whole
  bool byte_prefix_space = false;  // a space is put before a text that does not begin with one

  // WordPiece
  std::string continuing_prefix = "##";  // of tokens that do not begin a word
  int max_word_chars = 100;              // longer words are unknown
  bool decode_cleanup = false;           // no space before . , ? ! and English contractions
  bool decode_as_wordpiece = false;      // tokens of another kind are put together as WordPiece's are

  std::string chat_template;  // empty when the file has none
  // The one named "tool_use", for chats with tools; empty when there is no other for them. Further names ("rag", …) are not kept.
  std::string tool_template;
};

}  // namespace minnow
