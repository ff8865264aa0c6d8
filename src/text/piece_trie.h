// Which pieces of a vocabulary a text begins with: a trie over bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/tokenizer_spec.h"

namespace minnow {

class PieceTrie {
 public:
  PieceTrie() : PieceTrie(std::vector<std::string_view>()) {}
  // pieces[id] is the text of id; empty ones are left out, and of equal ones the first counts. Longer than
  // limits::kMaxPieceBytes throws kLimit, so that a walk is short.
  explicit PieceTrie(const std::vector<std::string_view>& pieces);

  // Calls found(length, id) for each piece that `text` begins with, shortest first.
  template <typename F>
  void walk(std::string_view text, const F& found) const {
    uint32_t node = text.empty() ? 0 : roots_[static_cast<uint8_t>(text[0])];
    for (std::size_t length = 1; node != 0; ++length) {
      if (nodes_[node].id != kNoToken) found(length, nodes_[node].id);
      node = length < text.size() ? child(node, static_cast<uint8_t>(text[length])) : 0;
    }
  }

 private:
  // The children of a node lie side by side, by rising byte.
  struct Node {
    uint32_t children = 0;
    TokenId id = kNoToken;
    uint16_t n_children = 0;
    uint8_t byte = 0;
  };
  uint32_t child(uint32_t node, uint8_t byte) const {
    uint32_t begin = nodes_[node].children, n = nodes_[node].n_children;
    while (n > 4) {
      const uint32_t half = n / 2;
      if (nodes_[begin + half].byte <= byte) begin += half;
      n -= half;
    }
    for (; n > 0; --n, ++begin) {
      if (nodes_[begin].byte == byte) return begin;
    }
    return 0;
  }

  std::vector<Node> nodes_;               // 0 is the root
  std::array<uint32_t, 256> roots_ = {};  // its children, by byte
};

}  // namespace minnow
