// Sets of Unicode characters.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace minnow::grammar {

// Ranges of code points, both ends included; sorted, apart and without surrogates once normalized.
class CharClass {
 public:
  using Range = std::pair<char32_t, char32_t>;

  CharClass() = default;
  CharClass(std::initializer_list<Range> ranges) : ranges_(ranges) { normalize(); }

  void add(char32_t first, char32_t last) { ranges_.emplace_back(first, last); }
  void add(const CharClass& other) { ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end()); }
  // Sorts, joins what touches, and leaves surrogates and values past U+10FFFF out: UTF-8 has none.
  void normalize();

  // These three want normalized classes.
  CharClass complement() const;
  CharClass minus(const CharClass& other) const;
  bool contains(char32_t c) const;

  const std::vector<Range>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }

 private:
  std::vector<Range> ranges_;
};

// One sequence of byte ranges (1 to 4); a set of characters is a few of them.
struct Utf8Sequence {
  uint8_t length = 0;
  uint8_t first[4] = {}, last[4] = {};
};
std::vector<Utf8Sequence> utf8_sequences(const CharClass& characters);

}  // namespace minnow::grammar
