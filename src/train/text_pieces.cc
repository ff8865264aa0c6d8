#include "train/text_pieces.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/unicode_class.h"

namespace minnow {
namespace {

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

bool space_after(std::string_view text, std::size_t at) {
  if (at >= text.size()) return false;
  const Utf8Char c = decode_utf8(text.substr(at));
  return c.valid && is_unicode_space(c.code_point);
}

bool space_before(std::string_view text, std::size_t at) {
  std::size_t begin = at - 1;
  while (begin > 0 && at - begin < 4 && continues_character(text[begin])) --begin;
  const Utf8Char c = decode_utf8(text.substr(begin));
  return c.valid && begin + c.length == at && is_unicode_space(c.code_point);
}

}  // namespace

std::size_t piece_end(std::string_view text, std::size_t begin, std::size_t wanted) {
  if (text.size() - begin <= wanted) return text.size();
  const std::size_t last = begin + std::min(2 * wanted, text.size() - begin);
  std::size_t line_end = 0, space = 0;
  for (std::size_t at = begin + std::max<std::size_t>(wanted, 1); at < last; ++at) {
    if (text[at] == '\n' && !space_after(text, at + 1)) {
      if (!space_before(text, at)) return at + 1;
      line_end = at + 1;
    } else if (text[at] == ' ') {
      space = at;
    }
  }
  if (line_end > 0) return line_end;
  if (space > 0) return space;
  if (last == text.size()) return last;
  std::size_t end = last;
  for (int i = 0; i < 3 && continues_character(text[end]); ++i) --end;
  return end > begin ? end : last;
}

}  // namespace minnow
