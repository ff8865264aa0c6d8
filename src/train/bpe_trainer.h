// Learns the merges of byte-pair encoding (Sennrich et al. 2016) over bytes from the words of a text.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "train/word_counts.h"

namespace minnow {

struct BpeTraining {
  std::size_t n_symbols = 0;         // wanted in all, with the 256 bytes
  uint64_t min_frequency = 1;        // of a pair that is merged
  std::function<void()> on_symbol = {};  // called for each new one
};

struct BpeSymbols {
  std::vector<std::string> bytes;                        // of each symbol; 0 to 255 are the bytes themselves
  std::vector<std::pair<uint32_t, uint32_t>> merges;     // best first; each gives the symbol of their bytes together
  uint64_t n_tokens = 0;                                 // that all words take now
};

// Merges the most frequent pair of neighbours, again and again, until there are n_symbols or no pair is frequent enough. Of equally
// frequent pairs the one with the greater left bytes is taken, then the one with the greater right bytes. Two pairs may give the same bytes:
// then they share a symbol.
BpeSymbols learn_bpe(std::span<const WordCount> words, const BpeTraining& training);

}  // namespace minnow
