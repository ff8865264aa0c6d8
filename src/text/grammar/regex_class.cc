#include "text/grammar/regex_class.h"

#include <utf8proc.h>

#include <cctype>
#include <map>
#include <string_view>

#include "base/utf8.h"

namespace minnow::grammar {
namespace {

const CharClass kDigits{{'0', '9'}};
const CharClass kWord{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const CharClass kSpace{{'\t', '\r'}, {' ', ' '}};
const CharClass kEcmaSpace{{'\t', '\r'},       {' ', ' '},         {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                           {0x2028, 0x2029},   {0x202F, 0x202F},   {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};

CharClass just(char32_t c) { return CharClass{{c, c}}; }

bool is_single(const CharClass& set) { return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].second; }

// The characters of each general category, by its two letters.
const std::map<std::string_view, CharClass>& categories() {
  static const auto all = [] {
    std::map<std::string_view, CharClass> out;
    utf8proc_category_t before = utf8proc_category(0);
    for (char32_t first = 0, c = 1; c <= 0x110000; ++c) {
      const utf8proc_category_t category = c > 0x10FFFF ? UTF8PROC_CATEGORY_CN : utf8proc_category(static_cast<utf8proc_int32_t>(c));
      if (category == before && c <= 0x10FFFF) continue;
      out[utf8proc_category_string(static_cast<utf8proc_int32_t>(first))].add(first, c - 1);
      first = c;
      before = category;
    }
    for (auto& [name, characters] : out) characters.normalize();
    return out;
  }();
  return all;
}

struct LongName {
  std::string_view name, category;
};
constexpr LongName kLongNames[] = {{"Letter", "L"}, {"Uppercase_Letter", "Lu"}, {"Lowercase_Letter", "Ll"}, {"Mark", "M"},
                                   {"Number", "N"}, {"Decimal_Number", "Nd"},   {"Punctuation", "P"},       {"Symbol", "S"},
                                   {"Separator", "Z"}, {"Other", "C"}};

}  // namespace

void RegexReader::invalid(std::string_view what) const {
  fail(ErrorCode::kInvalidInput, "regular expression: {} at byte {}", what, at_);
}

void RegexReader::unsupported(std::string_view what) const {
  fail(ErrorCode::kUnsupported, "regular expression: {} at byte {} is not supported", what, at_);
}

bool RegexReader::take(std::string_view text) {
  if (!starts_with(text)) return false;
  at_ += text.size();
  return true;
}

char32_t RegexReader::character() {
  if (done()) invalid("it ends too early");
  const Utf8Char c = decode_utf8(pattern_.substr(at_));
  if (!c.valid) invalid("broken UTF-8");
  at_ += c.length;
  return c.code_point;
}

std::optional<uint32_t> RegexReader::number() {
  if (std::isdigit(static_cast<unsigned char>(peek())) == 0) return std::nullopt;
  uint32_t value = 0;
  for (; std::isdigit(static_cast<unsigned char>(peek())) != 0; ++at_) {
    if (value < 1'000'000) value = value * 10 + static_cast<uint32_t>(peek() - '0');
  }
  return value;
}

char32_t RegexReader::hex(int min_digits, int max_digits) {
  char32_t value = 0;
  int n = 0;
  for (; n < max_digits && std::isxdigit(static_cast<unsigned char>(peek())) != 0; ++n, ++at_) {
    const char c = peek();
    value = value * 16 + static_cast<char32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  if (n < min_digits) invalid("an escape lacks hexadecimal digits");
  return value;
}

// After \u or \x.
char32_t RegexReader::code_unit() {
  if (take("{")) {
    const char32_t c = hex(1, 6);
    if (!take("}")) invalid("an escape lacks its closing brace");
    return c;
  }
  const char32_t first = hex(4, 4);
  if (first < 0xD800 || first > 0xDBFF || !take("\\u")) return first;
  const char32_t second = hex(4, 4);
  if (second < 0xDC00 || second > 0xDFFF) invalid("half of a surrogate pair");
  return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

CharClass RegexReader::property(bool negated) {
  if (!take("{")) unsupported("\\p without braces");
  const std::size_t begin = at_;
  while (!done() && peek() != '}') ++at_;
  std::string_view name = text_from(begin);
  if (!take("}")) invalid("\\p lacks its closing brace");
  for (const LongName& known : kLongNames) {
    if (name == known.name) name = known.category;
  }
  CharClass set;
  for (const auto& [category, characters] : categories()) {
    if (category.starts_with(name)) set.add(characters);
  }
  set.normalize();
  if (name.empty() || name.size() > 2 || set.empty()) unsupported(fmt::format("the character property \"{}\"", name));
  return negated ? set.complement() : set;
}

CharClass RegexReader::escape(bool in_brackets) {
  const char32_t c = character();
  const CharClass& space = ecma_ ? kEcmaSpace : kSpace;
  switch (c) {
    case 'd': return kDigits;
    case 'D': return kDigits.complement();
    case 'w': return kWord;
    case 'W': return kWord.complement();
    case 's': return space;
    case 'S': return space.complement();
    case 'n': return just('\n');
    case 'r': return just('\r');
    case 't': return just('\t');
    case 'f': return just('\f');
    case 'v':
      if (ecma_) return just('\v');
      break;  // PCRE: any vertical space
    case 'b':
      if (in_brackets) return just('\b');
      unsupported("the word boundary \\b");
    case '0':
      if (std::isdigit(static_cast<unsigned char>(peek())) == 0) return just(0);
      break;
    case 'x':
      if (peek() == '{') return just(code_unit());
      return just(hex(2, 2));
    case 'u':
      if (ecma_) return just(code_unit());
      break;
    case 'p': return property(false);
    case 'P': return property(true);
    default:
      if (c >= '1' && c <= '9' && !in_brackets) unsupported("a back reference");
      if (c > 0x7F || std::isalnum(static_cast<int>(c)) == 0) return just(c);
  }
  std::string shown = "\\";
  append_utf8(shown, c);
  unsupported("the escape " + shown);
}

CharClass RegexReader::member() {
  if (peek() == '[' && (peek(1) == ':' || peek(1) == '.' || peek(1) == '=')) unsupported("a POSIX class");
  if (take("\\")) return escape(true);
  return just(character());
}

CharClass RegexReader::brackets() {
  CharClass set;
  const bool negated = take("^");
  bool first = !ecma_;  // PCRE takes a bracket that comes first as itself
  while (first || peek() != ']') {
    if (done()) invalid("a class lacks its closing bracket");
    first = false;
    const CharClass low = member();
    if (peek() != '-' || peek(1) == ']' || peek(1) == '\0') {
      set.add(low);
      continue;
    }
    if (!is_single(low)) unsupported("a range that begins with a class");
    take("-");
    const CharClass high = member();
    if (!is_single(high)) unsupported("a range that ends with a class");
    if (high.ranges()[0].first < low.ranges()[0].first) invalid("a range whose ends are in the wrong order");
    set.add(low.ranges()[0].first, high.ranges()[0].first);
  }
  take("]");
  set.normalize();
  return negated ? set.complement() : set;
}

}  // namespace minnow::grammar
