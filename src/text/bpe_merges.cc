#include "text/bpe_merges.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include "base/fast_hash.h"

namespace minnow {
namespace {

// Up to here, looking at all pairs for the best one is faster than a heap.
constexpr std::size_t kShort = 40;
constexpr uint32_t kEnd = UINT32_MAX;
constexpr std::size_t kKeepSymbols = 1 << 16;

uint64_t pair_key(uint32_t left, uint32_t right) { return static_cast<uint64_t>(left) << 32 | right; }

}  // namespace

BpeMerges::BpeMerges(std::size_t n_pairs)
    : slots_(std::bit_ceil(n_pairs * 4 / 3 + 2)), seed_(random_hash_seed()) {}

void BpeMerges::add(uint32_t left, uint32_t right, Merge merge) {
  const uint64_t key = pair_key(left, right);
  std::size_t at = hash_number(key, seed_) & (slots_.size() - 1);
  while (slots_[at].merge.rank != kNone && slots_[at].pair != key) at = (at + 1) & (slots_.size() - 1);
  if (slots_[at].merge.rank == kNone) slots_[at] = {key, merge};
  n_ranks_ = std::max(n_ranks_, merge.rank + 1);
}

void BpeMerges::prefetch(uint32_t left, uint32_t right) const {
  __builtin_prefetch(&slots_[hash_number(pair_key(left, right), seed_) & (slots_.size() - 1)], 1);
}

BpeMerges::Merge BpeMerges::find(uint32_t left, uint32_t right) const {
  const uint64_t key = pair_key(left, right);
  for (std::size_t at = hash_number(key, seed_) & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.pair == key || slot.merge.rank == kNone) return slot.merge;
  }
}

void BpeMerges::apply(std::vector<uint32_t>& symbols, Scratch& scratch) const {
  if (symbols.size() < 2) return;
  if (symbols.size() <= kShort) {
    apply_short(symbols);
  } else {
    apply_long(symbols, scratch);
  }
}

void BpeMerges::apply_short(std::vector<uint32_t>& symbols) const {
  Merge merges[kShort];  // of symbols i and i + 1
  std::size_t n = symbols.size();
  for (std::size_t i = 0; i + 1 < n; ++i) merges[i] = find(symbols[i], symbols[i + 1]);
  while (n > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < n; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == kNone) break;
    symbols[best] = merges[best].id;
    --n;
    std::copy(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 2,
              symbols.begin() + static_cast<std::ptrdiff_t>(n) + 1,
              symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    std::copy(merges + best + 1, merges + n, merges + best);
    if (best + 1 < n) merges[best] = find(symbols[best], symbols[best + 1]);
    if (best > 0) merges[best - 1] = find(symbols[best - 1], symbols[best]);
  }
  symbols.resize(n);
}

void BpeMerges::apply_long(std::vector<uint32_t>& symbols, Scratch& scratch) const {
  const auto n = static_cast<uint32_t>(symbols.size());
  MergeQueue& queue = scratch.queue;
  auto& next = scratch.next;
  auto& previous = scratch.previous;
  queue.reset(n_ranks_);
  next.resize(n);
  previous.resize(n);
  for (uint32_t i = 0; i < n; ++i) {
    previous[i] = i == 0 ? kEnd : i - 1;
    next[i] = i + 1 == n ? kEnd : i + 1;
  }
  const auto add = [&](uint32_t at) {
    const uint32_t rank = find(symbols[at], symbols[next[at]]).rank;
    if (rank != kNone) queue.push({rank, at});
  };
  for (uint32_t i = 0; i + 1 < n; ++i) add(i);
  for (MergeQueue::Item best; queue.pop(best);) {
    const uint32_t at = best.position, right = next[at];
    // Out of date when either side has been merged since (symbols that are gone are kNone).
    if (symbols[at] == kNone || right == kEnd) continue;
    const Merge merge = find(symbols[at], symbols[right]);
    if (merge.rank != best.rank) continue;
    symbols[at] = merge.id;
    symbols[right] = kNone;
    next[at] = next[right];
    if (next[at] != kEnd) previous[next[at]] = at;
    // From the left, so that positions of a rank come in order.
    if (previous[at] != kEnd) add(previous[at]);
    if (next[at] != kEnd) add(at);
  }
  std::erase(symbols, kNone);
}

void BpeMerges::Scratch::release_if_large() {
  if (next.capacity() > kKeepSymbols) *this = {};
}

}  // namespace minnow
