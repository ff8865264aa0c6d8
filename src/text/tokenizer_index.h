// Which id has a given text: an open-addressing hash table over texts that live elsewhere.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "formats/tokenizer_spec.h"

namespace minnow {

class TokenIndex {
 public:
  TokenIndex() = default;
  // keys[id] is the text of id and must outlive the index; empty keys are left out, and of equal ones the
  // first counts.
  explicit TokenIndex(std::vector<std::string_view> keys);

  // The text that finds this id; empty for ids that no text finds.
  std::string_view key(TokenId id) const { return keys_[static_cast<std::size_t>(id)]; }
  std::size_t size() const { return keys_.size(); }
  // kNoToken when absent.
  TokenId find(std::string_view text) const;
  // The same for many texts, several times as fast: the memory that one is waiting for is on its way while others are
  // looked up. ids has as many elements as texts.
  void find_all(std::span<const std::string_view> texts, std::span<TokenId> ids) const;

 private:
  struct Slot {
    uint32_t tag = 0;  // upper half of the hash
    TokenId id = kNoToken;
  };
  std::size_t home(uint64_t hash) const { return hash & (slots_.size() - 1); }
  TokenId find_hashed(std::string_view text, uint64_t hash) const;
  std::vector<std::string_view> keys_;
  std::vector<Slot> slots_;  // a power of two
  uint64_t seed_ = 0;
};

}  // namespace minnow
