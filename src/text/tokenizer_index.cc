#include "text/tokenizer_index.h"

#include <bit>

#include "base/fast_hash.h"

namespace minnow {

TokenIndex::TokenIndex(std::vector<std::string_view> keys)
    : keys_(std::move(keys)), slots_(std::bit_ceil(keys_.size() * 3 / 2 + 2)), seed_(random_hash_seed()) {
  for (std::size_t id = 0; id < keys_.size(); ++id) {
    if (keys_[id].empty()) continue;
    const uint64_t hash = hash_text(keys_[id], seed_);
    const Slot added{static_cast<uint32_t>(hash >> 32), static_cast<TokenId>(id)};
    std::size_t at = hash & (slots_.size() - 1);
    const auto taken_by_other = [&](const Slot& slot) {
      return slot.id != kNoToken &&
             (slot.tag != added.tag || keys_[static_cast<std::size_t>(slot.id)] != keys_[id]);
    };
    while (taken_by_other(slots_[at])) at = (at + 1) & (slots_.size() - 1);
    if (slots_[at].id == kNoToken) slots_[at] = added;
  }
}

TokenId TokenIndex::find(std::string_view text) const {
  if (slots_.empty() || text.empty()) return kNoToken;
  const uint64_t hash = hash_text(text, seed_);
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (std::size_t at = hash & (slots_.size() - 1); slots_[at].id != kNoToken;
       at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].tag == tag && keys_[static_cast<std::size_t>(slots_[at].id)] == text) return slots_[at].id;
  }
  return kNoToken;
}

}  // namespace minnow
