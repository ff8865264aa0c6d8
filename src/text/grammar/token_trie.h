// Texts that share beginnings, in the order in which a walk meets them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "formats/tokenizer_spec.h"

namespace minnow::grammar {

// Nodes lie in preorder: what follows a node with a greater depth is below it. Node 0 is the root.
class TokenTrie {
 public:
  struct Entry {
    std::string_view text;  // used while building only
    TokenId id;
    uint8_t weight = 0;
  };
  TokenTrie() = default;
  // Entries without a text are left out; several may have the same.
  explicit TokenTrie(std::vector<Entry> entries);

  struct Node {
    uint32_t end = 0;        // the first node after this one that is not below it
    uint32_t first_id = 0;
    uint16_t depth = 0;      // bytes from the root
    uint8_t byte = 0;
    uint8_t max_weight = 0;  // of the entries here and below
  };
  std::size_t size() const { return nodes_.empty() ? 0 : nodes_.size() - 1; }  // nodes
  const Node& node(std::size_t i) const { return nodes_[i]; }
  std::span<const TokenId> ids_at(std::size_t i) const { return ids(nodes_[i].first_id, nodes_[i + 1].first_id); }
  std::span<const TokenId> ids_below(std::size_t i) const { return ids(nodes_[i + 1].first_id, nodes_[nodes_[i].end].first_id); }
  std::span<const TokenId> ids_within(const Node& node) const { return ids(node.first_id, nodes_[node.end].first_id); }  // at and below
  std::size_t bytes() const { return nodes_.size() * sizeof(Node) + ids_.size() * sizeof(TokenId); }

 private:
  std::span<const TokenId> ids(uint32_t first, uint32_t end) const { return {ids_.data() + first, end - first}; }
  std::vector<Node> nodes_;  // one more at the end
  std::vector<TokenId> ids_;
};

}  // namespace minnow::grammar
