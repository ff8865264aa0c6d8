// Byte-pair merging: the table of pairs, and the loop that joins the best pair until none is left.
#pragma once

#include <cstdint>
#include <vector>

namespace minnow {

class BpeMerges {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Merge {
    uint32_t rank = kNone;  // lower merges earlier; equal ranks merge from the left
    uint32_t id = kNone;    // the symbol that the pair becomes
  };

  // Room for `n_pairs` different pairs.
  explicit BpeMerges(std::size_t n_pairs = 0);

  // Of a pair that is added twice the first counts. Symbols are below kNone.
  void add(uint32_t left, uint32_t right, Merge merge);
  Merge find(uint32_t left, uint32_t right) const;

  // Buffers for apply(), kept between calls.
  struct Scratch {
    std::vector<uint64_t> heap;  // pairs that may merge: rank, then position of the left one
    std::vector<uint32_t> next, previous;
    void release_if_large();
  };

  // Merges in place; at most 2^31 symbols. O(n log n).
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
};

}  // namespace minnow
