// Which documents share a sequence.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace minnow {

enum class PackingOrder {
  kNone,      // each record is a sequence of its own
  kInOrder,   // a sequence takes records as they come until one does not fit
  kFirstFit,  // a record goes into the first sequence with room for it
};

// For each sequence the numbers of the items in it, rising. Items longer than the capacity stand alone.
std::vector<std::vector<uint32_t>> pack(std::span<const int64_t> lengths, int64_t capacity, PackingOrder packing);

}  // namespace minnow
