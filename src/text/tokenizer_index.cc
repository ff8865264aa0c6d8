#include "text/tokenizer_index.h"

#include <algorithm>
#include <bit>

#include "base/fast_hash.h"

namespace minnow {
namespace {

constexpr std::size_t kAhead = 16;  // keys whose place in memory is asked for before it is needed

}  // namespace

TokenIndex::TokenIndex(std::vector<std::string_view> keys)
    : keys_(std::move(keys)), slots_(std::bit_ceil(keys_.size() * 3 / 2 + 2)), seed_(random_hash_seed()) {
  uint64_t hashes[kAhead];
  const auto prepare = [&](std::size_t id) {
    if (id >= keys_.size() || keys_[id].empty()) return;
    const uint64_t hash = hashes[id % kAhead] = hash_text(keys_[id], seed_);
    __builtin_prefetch(&slots_[home(hash)], 1);
  };
  for (std::size_t id = 0; id < kAhead; ++id) prepare(id);
  for (std::size_t id = 0; id < keys_.size(); ++id) {
    const uint64_t hash = hashes[id % kAhead];
    prepare(id + kAhead);
    if (keys_[id].empty()) continue;
    const Slot added{static_cast<uint32_t>(hash >> 32), static_cast<TokenId>(id)};
    std::size_t at = home(hash);
    const auto taken_by_other = [&](const Slot& slot) {
      return slot.id != kNoToken &&
             (slot.tag != added.tag || keys_[static_cast<std::size_t>(slot.id)] != keys_[id]);
    };
    while (taken_by_other(slots_[at])) at = (at + 1) & (slots_.size() - 1);
    if (slots_[at].id == kNoToken) {
      slots_[at] = added;
    } else {
      keys_[id] = {};
    }
  }
}

TokenId TokenIndex::find(std::string_view text) const {
  if (slots_.empty() || text.empty()) return kNoToken;
  return find_hashed(text, hash_text(text, seed_));
}

TokenId TokenIndex::find_hashed(std::string_view text, uint64_t hash) const {
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (std::size_t at = home(hash); slots_[at].id != kNoToken; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].tag == tag && keys_[static_cast<std::size_t>(slots_[at].id)] == text) return slots_[at].id;
  }
  return kNoToken;
}

void TokenIndex::find_all(std::span<const std::string_view> texts, std::span<TokenId> ids) const {
  if (slots_.empty()) {
    std::ranges::fill(ids, kNoToken);
    return;
  }
  for (std::size_t begin = 0; begin < texts.size(); begin += kAhead) {
    const auto group = texts.subspan(begin, std::min(kAhead, texts.size() - begin));
    uint64_t hashes[kAhead];
    for (std::size_t i = 0; i < group.size(); ++i) {
      hashes[i] = hash_text(group[i], seed_);
      __builtin_prefetch(&slots_[home(hashes[i])]);
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
      const TokenId id = slots_[home(hashes[i])].id;
      if (id != kNoToken) __builtin_prefetch(&keys_[static_cast<std::size_t>(id)]);
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
      const TokenId id = slots_[home(hashes[i])].id;
      if (id != kNoToken) __builtin_prefetch(keys_[static_cast<std::size_t>(id)].data());
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
      ids[begin + i] = group[i].empty() ? kNoToken : find_hashed(group[i], hashes[i]);
    }
  }
}

}  // namespace minnow
