// The split expressions of the common model families, by hand: one pass, a table lookup for each ASCII byte.
#include <utf8proc.h>

#include <array>

#include "base/utf8.h"
#include "formats/tokenizer_pre.h"
#include "text/pretokenizer.h"

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

// Unicode's White_Space beyond ASCII.
bool is_unicode_space(char32_t c) {
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

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

// Gives the end of the piece that begins at `at`, for a whole family of rules.
template <typename NextEnd>
class WordRule final : public SplitRule {
 public:
  explicit WordRule(NextEnd next_end) : next_end_(next_end) {}
  void split(std::string_view text, uint32_t offset, PreTokenizerScratch&,
             std::vector<uint32_t>& ends) const override {
    const Scanner scanner(text);
    for (uint32_t at = 0; !scanner.at_end(at);) {
      at = next_end_(scanner, at);
      ends.push_back(at + offset);
    }
  }

 private:
  NextEnd next_end_;
};

template <typename NextEnd>
std::unique_ptr<SplitRule> word_rule(NextEnd next_end) {
  return std::make_unique<WordRule<NextEnd>>(next_end);
}

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

// \p{N} and \p{N}+ ; the text between numbers is one piece.
struct DigitsEnd {
  bool one_at_a_time;

  uint32_t operator()(const Scanner& s, uint32_t at) const {
    Scanner::Char c = s.look(at);
    if (c.type == CharClass::kNumber) return one_at_a_time ? at + c.length : s.run(at, CharClass::kNumber);
    while (!s.at_end(at)) {
      c = s.look(at);
      if (c.type == CharClass::kNumber) break;
      at += c.length;
    }
    return at;
  }
};

// \s+$ ; as an expression it would look at every space of a long run again and again.
class TrailingSpaceRule final : public SplitRule {
 public:
  void split(std::string_view text, uint32_t offset, PreTokenizerScratch&,
             std::vector<uint32_t>& ends) const override {
    const Scanner scanner(text);
    uint32_t spaces_begin = 0;
    for (uint32_t at = 0; !scanner.at_end(at);) {
      const Scanner::Char c = scanner.look(at);
      at += c.length;
      if (c.type != CharClass::kSpace) spaces_begin = at;
    }
    if (spaces_begin > 0) ends.push_back(spaces_begin + offset);
    if (spaces_begin < scanner.size()) ends.push_back(scanner.size() + offset);
  }
};

}  // namespace

std::unique_ptr<SplitRule> make_split_rule(const std::string& pattern, const std::string& source) {
  if (pattern == split_patterns::kGpt2) return word_rule(gpt2_end);
  if (pattern == split_patterns::kLlama3) return word_rule(Llama3End{3});
  if (pattern == split_patterns::kQwen2) return word_rule(Llama3End{1});
  if (pattern == split_patterns::kDigit) return word_rule(DigitsEnd{true});
  if (pattern == split_patterns::kDigits) return word_rule(DigitsEnd{false});
  if (pattern == split_patterns::kTrailingSpace) return std::make_unique<TrailingSpaceRule>();
  return make_regex_rule(pattern, source);
}

}  // namespace minnow
