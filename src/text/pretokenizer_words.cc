// The split expressions of the common model families, by hand: one pass, a table lookup for each ASCII byte.
#include <utf8proc.h>

#include <array>

#include "base/utf8.h"
#include "formats/tokenizer_pre.h"
#include "text/pretokenizer.h"
#include "text/unicode_class.h"

namespace minnow {
namespace {

enum class CharClass : uint8_t { kLetter, kNumber, kSpace, kOther, kNotAscii };

constexpr std::array<CharClass, 256> make_byte_classes() {
  std::array<CharClass, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    CharClass& entry = classes[static_cast<std::size_t>(c)];
    if (c >= 0x80) {
      entry = CharClass::kNotAscii;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      entry = CharClass::kLetter;
    } else if (c >= '0' && c <= '9') {
      entry = CharClass::kNumber;
    } else if (c == ' ' || (c >= '\t' && c <= '\r')) {
      entry = CharClass::kSpace;
    } else {
      entry = CharClass::kOther;
    }
  }
  return classes;
}
constexpr std::array<CharClass, 256> kByteClasses = make_byte_classes();

CharClass unicode_class(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) return CharClass::kLetter;
  if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) return CharClass::kNumber;
  return is_unicode_space(c) ? CharClass::kSpace : CharClass::kOther;
}

// Walks over one text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  struct Char {
    CharClass type;
    uint32_t length;
  };
  bool at_end(uint32_t at) const { return at >= text_.size(); }
  uint32_t size() const { return static_cast<uint32_t>(text_.size()); }
  char byte(uint32_t at) const { return text_[at]; }
  bool is_newline(uint32_t at) const { return text_[at] == '\n' || text_[at] == '\r'; }

  Char look(uint32_t at) const {
    const CharClass type = kByteClasses[static_cast<uint8_t>(text_[at])];
    if (type != CharClass::kNotAscii) return {type, 1};
    const Utf8Char c = decode_utf8(text_.substr(at));
    return {c.valid ? unicode_class(c.code_point) : CharClass::kOther, c.length};
  }
  Utf8Char decode(uint32_t at) const { return decode_utf8(text_.substr(at)); }
  bool is(uint32_t at, CharClass type) const { return !at_end(at) && look(at).type == type; }

  // The end of the run of characters of this class that begins at `at`.
  uint32_t run(uint32_t at, CharClass type) const {
    while (!at_end(at)) {
      const Char c = look(at);
      if (c.type != type) break;
      at += c.length;
    }
    return at;
  }

  // 's 't 're 've 'm 'll 'd after an apostrophe at `at`: the end, or `at` when there is none.
  uint32_t contraction(uint32_t at, bool any_case) const {
    const auto letter = [&](uint32_t i) -> char {
      if (at_end(i)) return '\0';
      const char c = text_[i];
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    const char a = letter(at + 1), b = letter(at + 2);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return at + 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return at + 3;
    return at;
  }

  // \s+(?!\S)|\s+ : the run without its last character, which belongs to what follows, unless nothing
  // follows.
  uint32_t spaces(uint32_t at) const {
    uint32_t end = at, last = at;
    while (!at_end(end)) {
      const Char c = look(end);
      if (c.type != CharClass::kSpace) return last > at ? last : end;
      last = end;
      end += c.length;
    }
    return end;
  }

 private:
  std::string_view text_;
};

// For expressions that match everything: next_end gives the end of the match that begins at `at`.
template <typename NextEnd>
class WordRule final : public SplitRule {
 public:
  WordRule(NextEnd next_end, PieceFlags flags) : next_end_(next_end), flags_(flags) {}
  void split(std::string_view text, uint32_t offset, PreTokenizerScratch&,
             std::vector<uint32_t>& ends) const override {
    const Scanner scanner(text);
    for (uint32_t at = 0; !scanner.at_end(at);) {
      at = next_end_(scanner, at);
      ends.push_back((at + offset) | flags_.match);
    }
  }

 private:
  NextEnd next_end_;
  PieceFlags flags_;
};

// For others: match_end gives the end of the match that begins at `at`, or `at` when none does.
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

uint32_t gpt2_end(const Scanner& s, uint32_t at) {
  if (s.byte(at) == '\'') {
    if (const uint32_t end = s.contraction(at, false); end > at) return end;
  }
  const Scanner::Char first = s.look(at);
  if (first.type != CharClass::kSpace) return s.run(at + first.length, first.type);
  if (s.byte(at) == ' ' && !s.at_end(at + 1)) {
    const Scanner::Char second = s.look(at + 1);
    if (second.type != CharClass::kSpace) return s.run(at + 1 + second.length, second.type);
  }
  return s.spaces(at);
}

// The family of Llama 3 (max_digits 3) and Qwen 2 (max_digits 1).
struct Llama3End {
  int max_digits;

  uint32_t operator()(const Scanner& s, uint32_t at) const {
    if (s.byte(at) == '\'') {
      if (const uint32_t end = s.contraction(at, true); end > at) return end;
    }
    const Scanner::Char first = s.look(at);
    if (first.type == CharClass::kLetter) return s.run(at + first.length, CharClass::kLetter);
    if (first.type == CharClass::kNumber) return number_end(s, at);
    // One character that is no newline, letter or number goes with the letters after it.
    if (!s.is_newline(at) && s.is(at + first.length, CharClass::kLetter)) {
      return s.run(at + first.length, CharClass::kLetter);
    }
    if (first.type == CharClass::kOther) return other_end(s, at);
    if (s.byte(at) == ' ' && s.is(at + 1, CharClass::kOther)) return other_end(s, at + 1);
    return spaces_end(s, at);
  }

  uint32_t number_end(const Scanner& s, uint32_t at) const {
    for (int i = 0; i < max_digits && s.is(at, CharClass::kNumber); ++i) at += s.look(at).length;
    return at;
  }
  static uint32_t other_end(const Scanner& s, uint32_t at) {
    at = s.run(at, CharClass::kOther);
    while (!s.at_end(at) && s.is_newline(at)) ++at;
    return at;
  }
  // \s*[\r\n]+ : up to the last newline of the run, else as in spaces().
  static uint32_t spaces_end(const Scanner& s, uint32_t at) {
    uint32_t after_newline = at;
    for (uint32_t end = at; !s.at_end(end);) {
      const Scanner::Char c = s.look(end);
      if (c.type != CharClass::kSpace) break;
      end += c.length;
      if (s.is_newline(end - c.length)) after_newline = end;
    }
    return after_newline > at ? after_newline : s.spaces(at);
  }
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
  // Of the word's end: numbers before a letter are left alone, and the groups are matches with text between them. Else
  // the text is cut before each group of three and nowhere else.
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
           utf8proc_category(static_cast<utf8proc_int32_t>(scanner.decode(at).code_point)) == UTF8PROC_CATEGORY_ND;
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

template <template <typename> typename Rule, typename F>
std::unique_ptr<SplitRule> rule_of(F f, PieceFlags flags) {
  return std::make_unique<Rule<F>>(f, flags);
}

}  // namespace

std::unique_ptr<SplitRule> make_word_rule(std::string_view pattern, PieceFlags flags) {
  if (pattern == split_patterns::kGpt2) return rule_of<WordRule>(gpt2_end, flags);
  if (pattern == split_patterns::kLlama3) return rule_of<WordRule>(Llama3End{3}, flags);
  if (pattern == split_patterns::kQwen2) return rule_of<WordRule>(Llama3End{1}, flags);
  if (pattern == split_patterns::kDigit) return rule_of<MatchRule>(digits_end<true>, flags);
  if (pattern == split_patterns::kDigits) return rule_of<MatchRule>(digits_end<false>, flags);
  if (pattern == split_patterns::kSpaces) return rule_of<MatchRule>(space_run_end, flags);
  if (pattern == split_patterns::kTwoOrMoreSpaces) return rule_of<MatchRule>(plain_spaces_end, flags);
  if (pattern == split_patterns::kPunctuation) return rule_of<MatchRule>(punctuation_end, flags);
  if (pattern == split_patterns::kWordOrNot) return rule_of<MatchRule>(word_or_not_end, flags);
  if (pattern == split_patterns::kTrailingSpace) return std::make_unique<TrailingSpaceRule>(flags);
  if (pattern == split_patterns::kThreeDigitsFromEnd) return std::make_unique<DigitGroupsRule>(false, flags);
  if (pattern == split_patterns::kThreeDigitsFromWordEnd) return std::make_unique<DigitGroupsRule>(true, flags);
  return nullptr;
}

}  // namespace minnow
