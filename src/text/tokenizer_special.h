// Finds the texts of special tokens inside a text: leftmost first, and of those that begin there the longest.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/tokenizer_spec.h"

namespace minnow {

class SpecialTokenMatcher {
 public:
  struct Match {
    std::size_t begin = 0, length = 0;
    TokenId id = kNoToken;  // kNoToken: none in the text
  };

  SpecialTokenMatcher();
  bool empty() const { return nodes_.size() == 1; }
  // Texts of no bytes are left out; of equal ones the first counts. single_word: only where it is a word of its own.
  void add(std::string_view text, TokenId id, bool single_word = false);

  // The first at or after `from`; begin counts from the front of the text. Time is linear in what lies before the match,
  // times the length of the longest special token in the worst case.
  Match next(std::string_view text, std::size_t from = 0) const;

 private:
  // A trie; children of a node are a list in which each points to its next sibling.
  struct Node {
    uint32_t first_child = 0, sibling = 0;
    TokenId id = kNoToken;
    uint8_t byte = 0;
    bool single_word = false;
  };
  uint32_t child(uint32_t node, uint8_t byte) const;

  std::vector<Node> nodes_;               // 0 is the root
  std::array<uint32_t, 256> roots_ = {};  // its children, by byte
};

}  // namespace minnow
