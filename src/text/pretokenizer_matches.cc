// Split expressions that match a part of the text: digits, white space, punctuation, words.
#include "formats/tokenizer_pre.h"
#include "text/pretokenizer.h"
#include "text/pretokenizer_scanner.h"

namespace minnow {
namespace {

// match_end gives the end of the match that begins at `at`, or `at` when none does.
template <typename MatchEnd>
class MatchRule final : public SplitRule {
 public:
  MatchRule(MatchEnd match_end, PieceFlags flags) : match_end_(match_end), flags_(flags) {}
  void split(std::string_view text, uint32_t offset, PreTokenizerScratch&,
             std::vector<uint32_t>& ends) const override {
    const Scanner scanner(text);
    uint32_t begin = 0;
    for (uint32_t at = 0; !scanner.at_end(at);) {
      const uint32_t end = match_end_(scanner, at);
      if (end == at) {
        at += scanner.look(at).length;
        continue;
      }
      if (at > begin) ends.push_back((at + offset) | flags_.between);
      ends.push_back((end + offset) | flags_.match);
      begin = at = end;
    }
    if (begin < scanner.size()) ends.push_back((scanner.size() + offset) | flags_.between);
  }

 private:
  MatchEnd match_end_;
  PieceFlags flags_;
};

// \p{N} and \p{N}+
template <bool kOne>
uint32_t digits_end(const Scanner& s, uint32_t at) {
  const Scanner::Char c = s.look(at);
  if (c.type != CharClass::kNumber) return at;
  return kOne ? at + c.length : s.run(at, CharClass::kNumber);
}

// \s+
uint32_t space_run_end(const Scanner& s, uint32_t at) { return s.run(at, CharClass::kSpace); }

// Two or more of U+0020
uint32_t plain_spaces_end(const Scanner& s, uint32_t at) {
  uint32_t end = at;
  while (!s.at_end(end) && s.byte(end) == ' ') ++end;
  return end - at > 1 ? end : at;
}

uint32_t punctuation_end(const Scanner& s, uint32_t at) {
  const Utf8Char c = s.decode(at);
  return c.valid && is_punctuation(c.code_point) ? at + c.length : at;
}

// A run of \w, or of what is neither that nor white space.
uint32_t word_or_not_end(const Scanner& s, uint32_t at) {
  const auto kind = [&](const Utf8Char& c) {
    if (!c.valid) return 1;
    return is_word_character(c.code_point) ? 2 : is_unicode_space(c.code_point) ? 0 : 1;
  };
  const int first = kind(s.decode(at));
  while (first != 0 && !s.at_end(at) && kind(s.decode(at)) == first) at += s.decode(at).length;
  return at;
}

// Groups of three digits, counted from the end of each number.
class DigitGroupsRule final : public SplitRule {
 public:
  // Of the word's end: numbers before a letter are left alone, and the groups are matches with text between
  // them. Else the text is cut before each group of three and nowhere else.
  DigitGroupsRule(bool of_word_end, PieceFlags flags) : of_word_end_(of_word_end), flags_(flags) {}

  void split(std::string_view text, uint32_t offset, PreTokenizerScratch&,
             std::vector<uint32_t>& ends) const override {
    const Scanner scanner(text);
    uint32_t last = 0;
    const auto end_piece = [&](uint32_t at, uint32_t flag) {
      if (at > last) ends.push_back((at + offset) | flag);
      last = at;
    };
    for (uint32_t at = 0; !scanner.at_end(at);) {
      uint32_t n = 0, end = at;
      for (; is_digit(scanner, end); ++n) end += scanner.decode(end).length;
      if (n == 0) {
        at += scanner.look(at).length;
        continue;
      }
      const bool in_word = !scanner.at_end(end) && is_word_character(scanner.decode(end).code_point);
      if (of_word_end_ && in_word) {
        at = end;
        continue;
      }
      if (of_word_end_) end_piece(at, flags_.between);
      for (; n > 0; --n) {
        if (n % 3 == 0) end_piece(at, of_word_end_ ? flags_.match : flags_.between);
        at += scanner.decode(at).length;
      }
      if (of_word_end_) end_piece(at, flags_.match);
    }
    end_piece(scanner.size(), flags_.between);
  }

 private:
  static bool is_digit(const Scanner& scanner, uint32_t at) {
    return !scanner.at_end(at) &&
           utf8proc_category(static_cast<utf8proc_int32_t>(scanner.decode(at).code_point)) ==
               UTF8PROC_CATEGORY_ND;
  }

  bool of_word_end_;
  PieceFlags flags_;
};

// \s+$ ; as an expression it would look at every space of a long run again and again.
class TrailingSpaceRule final : public SplitRule {
 public:
  explicit TrailingSpaceRule(PieceFlags flags) : flags_(flags) {}
  void split(std::string_view text, uint32_t offset, PreTokenizerScratch&,
             std::vector<uint32_t>& ends) const override {
    const Scanner scanner(text);
    uint32_t spaces_begin = 0;
    for (uint32_t at = 0; !scanner.at_end(at);) {
      const Scanner::Char c = scanner.look(at);
      at += c.length;
      if (c.type != CharClass::kSpace) spaces_begin = at;
    }
    if (spaces_begin > 0) ends.push_back((spaces_begin + offset) | flags_.between);
    if (spaces_begin < scanner.size()) ends.push_back((scanner.size() + offset) | flags_.match);
  }

 private:
  PieceFlags flags_;
};

template <typename F>
std::unique_ptr<SplitRule> match_rule(F f, PieceFlags flags) {
  return std::make_unique<MatchRule<F>>(f, flags);
}

}  // namespace

std::unique_ptr<SplitRule> make_match_rule(std::string_view pattern, PieceFlags flags) {
  if (pattern == split_patterns::kDigit) return match_rule(digits_end<true>, flags);
  if (pattern == split_patterns::kDigits) return match_rule(digits_end<false>, flags);
  if (pattern == split_patterns::kSpaces) return match_rule(space_run_end, flags);
  if (pattern == split_patterns::kTwoOrMoreSpaces) return match_rule(plain_spaces_end, flags);
  if (pattern == split_patterns::kPunctuation) return match_rule(punctuation_end, flags);
  if (pattern == split_patterns::kWordOrNot) return match_rule(word_or_not_end, flags);
  if (pattern == split_patterns::kTrailingSpace) return std::make_unique<TrailingSpaceRule>(flags);
  if (pattern == split_patterns::kThreeDigitsFromEnd) return std::make_unique<DigitGroupsRule>(false, flags);
  if (pattern == split_patterns::kThreeDigitsFromWordEnd)
    return std::make_unique<DigitGroupsRule>(true, flags);
  return nullptr;
}

}  // namespace minnow
