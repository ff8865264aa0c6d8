// SentencePiece's precompiled normalization table: what a few characters become, in a double-array trie (Darts).
//
// Bytes: the size of the trie in bytes (u32), its units (u32 each), then the replacements, each ended by a zero byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minnow {

class Charsmap {
 public:
  // Throws kInvalidInput, naming source, when the sizes do not fit.
  Charsmap(std::string_view bytes, const std::string& source);

  // From the left, the longest entry that the rest begins with is replaced; bytes that are not UTF-8 become U+FFFD.
  // Stops early when `out` grows past `max_bytes`, and returns false then.
  bool apply(std::string_view text, std::size_t max_bytes, std::string& out) const;

 private:
  struct Match {
    std::size_t length = 0;  // 0: none
    uint32_t replacement = 0;
  };
  Match longest(std::string_view text) const;
  std::string_view replacement(uint32_t offset) const;

  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace minnow
