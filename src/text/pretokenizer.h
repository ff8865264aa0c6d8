// Cuts a text into the pieces inside which byte-level BPE merges: words with their leading space, numbers, …
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

// One expression: matches and the gaps between them become pieces.
class SplitRule {
 public:
  virtual ~SplitRule() = default;
  // Appends the end of each piece of `text`, plus `offset`; the last one is text.size() + offset. Any bytes
  // are accepted; what is not UTF-8 counts as punctuation.
  virtual void split(std::string_view text, uint32_t offset, PreTokenizerScratch& scratch,
                     std::vector<uint32_t>& ends) const = 0;
};

// Hand-written for the expressions of tokenizer_pre.h's split_patterns, else run by PCRE2. Throws
// kInvalidInput for an expression that PCRE2 cannot compile.
std::unique_ptr<SplitRule> make_split_rule(const std::string& pattern, const std::string& source);
// Always by PCRE2; its pieces are at most kMaxRegexPiece bytes long, which bounds the time of expressions
// that search the rest of the text from every position.
std::unique_ptr<SplitRule> make_regex_rule(const std::string& pattern, const std::string& source);
inline constexpr std::size_t kMaxRegexPiece = 16 << 10;

class PreTokenizer {
 public:
  // From spec.split_patterns, or else what spec.pre names; kUnsupported when that is unknown.
  explicit PreTokenizer(const TokenizerSpec& spec);

  // The ends of the pieces, in order; valid until the next call with this scratch. The text is under 4 GiB.
  const std::vector<uint32_t>& split(std::string_view text, PreTokenizerScratch& scratch) const;

 private:
  std::vector<std::unique_ptr<SplitRule>> rules_;
};

}  // namespace minnow
