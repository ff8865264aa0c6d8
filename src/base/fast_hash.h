// A fast keyed hash of short texts. With a random seed: for tables whose keys may come from a stranger. With a fixed one:
// to tell contents apart, not to withstand somebody who wants them to look alike.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace minnow {

inline uint64_t mix_multiply(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

inline uint64_t hash_number(uint64_t value, uint64_t seed) {
  return mix_multiply(value ^ seed, 0x9e3779b97f4a7c15ull ^ (seed >> 1));
}

inline uint64_t hash_text(std::string_view text, uint64_t seed) {
  uint64_t hash = seed ^ text.size();
  while (text.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, text.data(), 8);
    hash = hash_number(hash ^ word, seed);
    text.remove_prefix(8);
  }
  uint64_t tail = 0;
  if (!text.empty()) std::memcpy(&tail, text.data(), text.size());
  return hash_number(hash ^ tail, seed ^ 0xd1b54a32d192ed03ull);
}

// Different in every process, so that nobody can prepare keys that collide.
uint64_t random_hash_seed();

}  // namespace minnow
