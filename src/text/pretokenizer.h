// Cuts a text into the pieces inside which tokens are looked for: words with their leading space, numbers, …
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/tokenizer_spec.h"

namespace minnow {

// Buffers of one thread, kept between calls.
class PreTokenizerScratch {
 public:
  PreTokenizerScratch();
  ~PreTokenizerScratch();
  PreTokenizerScratch(const PreTokenizerScratch&) = delete;
  PreTokenizerScratch& operator=(const PreTokenizerScratch&) = delete;

  std::vector<uint32_t> ends, other_ends;
  struct Regex;                  // match data and stack of PCRE2
  std::unique_ptr<Regex> regex;  // made when first needed
};

// Ends of pieces are below this bit; where it is set, the piece is left out.
inline constexpr uint32_t kLeftOut = 1u << 31;
inline constexpr std::size_t kMaxSplitText = kLeftOut - 1;  // bytes

// One expression and what becomes of its matches.
class SplitRule {
 public:
  virtual ~SplitRule() = default;
  // Appends the end of each piece of `text`, plus `offset`; the last one is text.size() + offset. Any bytes
  // are accepted; what is not UTF-8 counts as punctuation.
  virtual void split(std::string_view text, uint32_t offset, PreTokenizerScratch& scratch,
                     std::vector<uint32_t>& ends) const = 0;
};

// Bits that a rule sets in the ends of its matches, and of what lies between them.
struct PieceFlags {
  uint32_t match = 0, between = 0;
};

// Hand-written for the expressions of tokenizer_pre.h's split_patterns, else run by PCRE2. Throws
// kInvalidInput for an expression that PCRE2 cannot compile.
std::unique_ptr<SplitRule> make_split_rule(const SplitStep& step, const std::string& source);
// nullptr when there is none for this expression.
std::unique_ptr<SplitRule> make_word_rule(std::string_view pattern, PieceFlags flags);
// Always by PCRE2; its pieces are at most kMaxRegexPiece bytes long, which bounds the time of expressions
// that search the rest of the text from every position.
std::unique_ptr<SplitRule> make_regex_rule(const std::string& pattern, PieceFlags flags, const std::string& source);
inline constexpr std::size_t kMaxRegexPiece = 16 << 10;

class PreTokenizer {
 public:
  // From spec.splits, or else, for byte-level BPE, what spec.pre names; kUnsupported when that is unknown.
  explicit PreTokenizer(const TokenizerSpec& spec);

  // The ends of the pieces, in order; valid until the next call with this scratch. At most kMaxSplitText bytes.
  const std::vector<uint32_t>& split(std::string_view text, PreTokenizerScratch& scratch) const;

 private:
  std::vector<std::unique_ptr<SplitRule>> rules_;
};

}  // namespace minnow
