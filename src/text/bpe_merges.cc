#include "text/bpe_merges.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include "text/tokenizer_hash.h"

namespace minnow {
namespace {

// Up to here, looking at all pairs for the best one is faster than a heap.
constexpr std::size_t kShort = 40;
constexpr uint32_t kEnd = UINT32_MAX;
constexpr std::size_t kKeepSymbols = 1 << 16;

uint64_t pair_key(uint32_t left, uint32_t right) { return static_cast<uint64_t>(left) << 32 | right; }

// std heaps keep the largest on top.
bool later(const BpeMerges::Scratch::Candidate& a, const BpeMerges::Scratch::Candidate& b) { return a.order > b.order; }

}  // namespace

BpeMerges::BpeMerges(std::size_t n_pairs) : slots_(std::bit_ceil(n_pairs * 4 / 3 + 2)), seed_(random_hash_seed()) {}

void BpeMerges::add(uint32_t left, uint32_t right, Merge merge) {
  const uint64_t key = pair_key(left, right);
  std::size_t at = hash_number(key, seed_) & (slots_.size() - 1);
  while (slots_[at].merge.rank != kNone && slots_[at].pair != key) at = (at + 1) & (slots_.size() - 1);
  if (slots_[at].merge.rank == kNone) slots_[at] = {key, merge};
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
  auto& [heap, next, previous] = scratch;
  heap.clear();
  next.resize(n);
  previous.resize(n);
  const auto candidate_at = [&](uint32_t at) {
    const uint32_t left = symbols[at], right = symbols[next[at]];
    const Merge merge = find(left, right);
    return Scratch::Candidate{static_cast<uint64_t>(merge.rank) << 32 | at, left, right, merge.id};
  };
  for (uint32_t i = 0; i < n; ++i) {
    previous[i] = i == 0 ? kEnd : i - 1;
    next[i] = i + 1 == n ? kEnd : i + 1;
  }
  for (uint32_t i = 0; i + 1 < n; ++i) {
    if (const auto candidate = candidate_at(i); candidate.id != kNone) heap.push_back(candidate);
  }
  std::make_heap(heap.begin(), heap.end(), later);
  const auto push = [&](uint32_t at) {
    if (const auto candidate = candidate_at(at); candidate.id != kNone) {
      heap.push_back(candidate);
      std::push_heap(heap.begin(), heap.end(), later);
    }
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Scratch::Candidate best = heap.back();
    heap.pop_back();
    const auto at = static_cast<uint32_t>(best.order);
    const uint32_t right = next[at];
    // Stale when either side has been merged since: merged-away symbols are kNone.
    if (symbols[at] != best.left || right == kEnd || symbols[right] != best.right) continue;
    symbols[at] = best.id;
    symbols[right] = kNone;
    next[at] = next[right];
    if (next[at] != kEnd) {
      previous[next[at]] = at;
      push(at);
    }
    if (previous[at] != kEnd) push(previous[at]);
  }
  std::erase(symbols, kNone);
}

void BpeMerges::Scratch::release_if_large() {
  if (next.capacity() > kKeepSymbols) *this = {};
}

}  // namespace minnow
