// The pre-tokenizers that GGUF files call by name (tokenizer.ggml.pre), as the expressions they stand for.
//
// Source of the names and expressions: llama.cpp's vocabulary loader and the tokenizer.json files of the
// models.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/tokenizer_spec.h"

namespace minnow {

// Expressions that src/text splits by hand-written code instead of PCRE2.
namespace split_patterns {
inline constexpr std::string_view kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kDigit = R"(\p{N})";
inline constexpr std::string_view kDigits = R"(\p{N}+)";
inline constexpr std::string_view kTrailingSpace = R"(\s+$)";
inline constexpr std::string_view kSpaces = R"(\s+)";
inline constexpr std::string_view kTwoOrMoreSpaces = " {2,}";
inline constexpr std::string_view kPunctuation = R"([\p{P}!-/:-@\[-`{-~])";
// Whitespace's: \w as Hugging Face's expressions understand it, and runs of the rest.
inline constexpr std::string_view kWordOrNot =
    R"([\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}]+|[^\s\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}]+)";
// Groups of three digits, counted from the end of a number; as expressions they look ahead over the whole number from
// each of its digits.
inline constexpr std::string_view kThreeDigitsFromEnd = R"((?=(\d{3})+(?!\d)))";
inline constexpr std::string_view kThreeDigitsFromWordEnd = R"(\d{1,3}(?=(?:\d{3})*\b))";
}  // namespace split_patterns

struct KnownPreTokenizer {
  std::vector<std::string_view>
      patterns;  // applied in order; matches and the gaps between them become pieces
  bool ignore_merges = false;
  bool add_bos = false;  // when the file does not say
  bool add_sep = false;  // likewise: texts end with the separator token
};

// Empty patterns when the name is not known.
KnownPreTokenizer find_pre_tokenizer(std::string_view name);

// The splits of a spec: its own, or those that its `pre` names. Empty when it has none or the name is not known.
std::vector<SplitStep> split_steps(const TokenizerSpec& spec);

// The GGUF name for these splits, whatever their spelling; empty when none fits.
std::string pre_tokenizer_name(std::span<const SplitStep> splits, bool ignore_merges);

// The same expression in the spelling used by find_pre_tokenizer(), where it is one with several spellings.
std::string canonical_split_pattern(std::string_view pattern);

}  // namespace minnow
