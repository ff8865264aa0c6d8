#include "text/grammar/token_trie.h"

#include <algorithm>

namespace minnow::grammar {

TokenTrie::TokenTrie(std::vector<Entry> entries) {
  std::erase_if(entries, [](const Entry& e) { return e.text.empty(); });
  if (entries.empty()) return;
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    const int order = a.text.compare(b.text);
    return order < 0 || (order == 0 && a.id < b.id);
  });
  std::vector<uint32_t> path{0};  // the nodes of the text before
  nodes_.emplace_back();
  std::string_view before;
  const auto close = [&](std::size_t depth) {
    for (; path.size() > depth + 1; path.pop_back()) nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
  };
  for (const Entry& e : entries) {
    std::size_t same = 0;
    while (same < before.size() && same < e.text.size() && before[same] == e.text[same]) ++same;
    close(same);
    for (std::size_t i = same; i < e.text.size(); ++i) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({.first_id = static_cast<uint32_t>(ids_.size()),
                        .depth = static_cast<uint16_t>(i + 1),
                        .byte = static_cast<uint8_t>(e.text[i])});
    }
    ids_.push_back(e.id);
    for (const uint32_t node : path) nodes_[node].max_weight = std::max(nodes_[node].max_weight, e.weight);
    before = e.text;
  }
  close(0);
  nodes_[0].end = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back({.first_id = static_cast<uint32_t>(ids_.size())});
}

}  // namespace minnow::grammar
