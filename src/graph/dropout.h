// Which numbers dropout keeps: a function of the run's seed, the operation and the number's place, so that the backward pass
// and what is computed again have the mask of the forward pass, whoever computes them and in whatever order. It is as
// good as dropout needs, and is made of operations that vectors of 32-bit numbers have.
#pragma once

#include <cstdint>

namespace minnow {

// The same for a whole row of a value.
inline uint32_t dropout_row_key(uint64_t seed, uint32_t salt, uint32_t row) {
  uint64_t z = seed + 0x9e3779b97f4a7c15ull * ((uint64_t{salt} << 32 | row) + 1);  // SplitMix64 (Steele et al. 2014)
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return static_cast<uint32_t>((z ^ (z >> 31)) >> 32);
}

// 32 random bits for a column of the row.
inline uint32_t dropout_bits(uint32_t row_key, uint32_t column) {
  uint32_t h = row_key + column * 0x9e3779b9u;  // then the finalizer of MurmurHash3
  h = (h ^ (h >> 16)) * 0x85ebca6bu;
  h = (h ^ (h >> 13)) * 0xc2b2ae35u;
  return h ^ (h >> 16);
}

// A number is dropped when its bits are below this; p in [0, 1).
inline uint32_t dropout_threshold(float p) { return static_cast<uint32_t>(static_cast<double>(p) * 4294967296.0); }

}  // namespace minnow
