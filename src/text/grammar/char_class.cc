#include "text/grammar/char_class.h"

#include <algorithm>

namespace minnow::grammar {
namespace {

constexpr char32_t kLast = 0x10FFFF;

void encode(char32_t c, int length, uint8_t* out) {
  for (int i = length - 1; i > 0; --i, c >>= 6) out[i] = static_cast<uint8_t>(0x80 | (c & 0x3F));
  static constexpr uint8_t kLead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
  out[0] = static_cast<uint8_t>(c | kLead[length]);
}

// Cuts a range, all of one encoded length, where its lower bytes do not run over their whole width.
void cut(char32_t first, char32_t last, int length, std::vector<Utf8Sequence>& out) {
  for (int i = 1; i < length; ++i) {
    const char32_t mask = (char32_t{1} << (6 * i)) - 1;
    if ((first & ~mask) == (last & ~mask)) continue;
    if ((first & mask) != 0) {
      cut(first, first | mask, length, out);
      cut((first | mask) + 1, last, length, out);
      return;
    }
    if ((last & mask) != mask) {
      cut(first, (last & ~mask) - 1, length, out);
      cut(last & ~mask, last, length, out);
      return;
    }
  }
  Utf8Sequence& sequence = out.emplace_back();
  sequence.length = static_cast<uint8_t>(length);
  encode(first, length, sequence.first);
  encode(last, length, sequence.last);
}

}  // namespace

void CharClass::normalize() {
  std::vector<Range> legal;
  for (auto [first, last] : ranges_) {
    last = std::min(last, kLast);
    if (first < 0xD800 && first <= last) legal.emplace_back(first, std::min<char32_t>(last, 0xD7FF));
    if (last > 0xDFFF && first <= last) legal.emplace_back(std::max<char32_t>(first, 0xE000), last);
  }
  std::sort(legal.begin(), legal.end());
  ranges_.clear();
  for (const Range& range : legal) {
    if (!ranges_.empty() && range.first <= ranges_.back().second + 1) {
      ranges_.back().second = std::max(ranges_.back().second, range.second);
    } else {
      ranges_.push_back(range);
    }
  }
}

CharClass CharClass::complement() const {
  CharClass out;
  char32_t next = 0;
  for (const auto& [first, last] : ranges_) {
    if (first > next) out.add(next, first - 1);
    next = last + 1;
  }
  if (next <= kLast) out.add(next, kLast);
  out.normalize();
  return out;
}

CharClass CharClass::minus(const CharClass& other) const {
  CharClass both = complement();
  both.add(other);
  both.normalize();
  return both.complement();
}

bool CharClass::contains(char32_t c) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& r) { return r.first <= c && c <= r.second; });
}

std::vector<Utf8Sequence> utf8_sequences(const CharClass& characters) {
  static constexpr char32_t kEnds[4] = {0x7F, 0x7FF, 0xFFFF, kLast};
  std::vector<Utf8Sequence> out;
  for (auto [first, last] : characters.ranges()) {
    for (int length = 1; length <= 4; ++length) {
      const char32_t end = kEnds[length - 1];
      if (first > end || first > last) continue;
      cut(first, std::min(last, end), length, out);
      first = end + 1;
    }
  }
  return out;
}

}  // namespace minnow::grammar
