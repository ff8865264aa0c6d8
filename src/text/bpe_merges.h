// Byte-pair merging: the table of pairs, and the loop that joins the best pair until none is left.
#pragma once

#include <cstdint>
#include <vector>

#include "text/merge_queue.h"

namespace minnow {

class BpeMerges {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Merge {
    uint32_t rank = kNone;  // lower merges earlier; equal ranks merge from the left; memory is taken for each
                            // below the last
    uint32_t id = kNone;    // the symbol that the pair becomes
  };

  // Room for `n_pairs` different pairs.
  explicit BpeMerges(std::size_t n_pairs = 0);

  // Of a pair that is added twice the first counts. Symbols are below kNone.
  void add(uint32_t left, uint32_t right, Merge merge);
  // Says that this pair will be added soon.
  void prefetch(uint32_t left, uint32_t right) const;
  Merge find(uint32_t left, uint32_t right) const;

  // Buffers for apply(), kept between calls.
  struct Scratch {
    MergeQueue queue;  // pairs that may merge, by the position of the left one
    std::vector<uint32_t> next, previous;
    void release_if_large();
  };

  // Merges in place; at most 2^31 symbols. Linear time, but for positions that come out of order.
  void apply(std::vector<uint32_t>& symbols, Scratch& scratch) const;

 private:
  struct Slot {
    uint64_t pair = UINT64_MAX;
    Merge merge;
  };
  void apply_short(std::vector<uint32_t>& symbols) const;
  void apply_long(std::vector<uint32_t>& symbols, Scratch& scratch) const;

  std::vector<Slot> slots_;  // a power of two, open addressing
  uint64_t seed_;
  uint32_t n_ranks_ = 0;
};

}  // namespace minnow
