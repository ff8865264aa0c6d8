// Texts that say the same: near duplicates within a data set, and records that hold parts of an evaluation's texts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "train/data_set.h"

namespace minnow {

// Hashes of all sequences of n words of a text, in order. Words are runs of letters, digits and whatever is not ASCII; case of ASCII
// letters, punctuation and spaces do not matter. A text of fewer words gives one hash, of all of them; one without words none.
std::vector<uint64_t> word_gram_hashes(std::string_view text, std::size_t n);

// Tells texts that share n words in a row with any of those it was given.
class ContaminationCheck {
 public:
  explicit ContaminationCheck(std::size_t n = 13) : n_(n) {}
  // References of fewer than n words are left out: they would hit by chance.
  void add_reference(std::string_view text);
  bool contains(std::string_view text) const;
  std::size_t n_references() const { return n_references_; }

 private:
  std::size_t n_, n_references_ = 0;
  std::unordered_set<uint64_t> grams_;
};

struct NearDuplicateOptions {
  std::size_t n = 5;          // words of the sequences that are compared
  double threshold = 0.8;     // the share of sequences in common (Jaccard index) from which on texts are duplicates, as estimated
  uint64_t seed = 0;
};

// Texts as they come, each compared with those before it that duplicate none. Estimates by MinHash of 128 values (Broder 1997; standard
// error at most 0.045), looked up in 32 bands of 4: of pairs at 0.8 one in 2 * 10^7 is not looked at. Takes about 2 KB of memory
// for each text; time grows with the number of texts, and with that of pairs that share a band.
class NearDuplicates {
 public:
  explicit NearDuplicates(const NearDuplicateOptions& options = {});
  ~NearDuplicates();
  // The number of the first earlier text that this one nearly duplicates, or its own; texts are counted from 0. One without words
  // duplicates none.
  uint32_t add(std::string_view text);
  // The same without remembering the text.
  bool contains(std::string_view text) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// For each of `count` texts the number of the first earlier text that it nearly duplicates, or its own.
std::vector<uint32_t> find_near_duplicates(std::size_t count, const std::function<std::string(std::size_t)>& text,
                                           const NearDuplicateOptions& options = {});

// Take records out of a split and give their number: all but the first of near duplicates; those that share n words in a row with a
// reference.
std::size_t drop_near_duplicates(DataSplit& split, const NearDuplicateOptions& options = {});
std::size_t drop_contaminated(DataSplit& split, const ContaminationCheck& check);

}  // namespace minnow
