// Which id has a given text: an open-addressing hash table over texts that live elsewhere.
#pragma once

#include <cstdint>
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

  // kNoToken when absent.
  TokenId find(std::string_view text) const;

 private:
  struct Slot {
    uint32_t tag = 0;  // upper half of the hash
    TokenId id = kNoToken;
  };
  std::vector<std::string_view> keys_;
  std::vector<Slot> slots_;  // a power of two
  uint64_t seed_ = 0;
};

}  // namespace minnow
