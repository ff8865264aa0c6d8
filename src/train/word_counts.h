// How often each word of a text occurs: what byte-pair encoding learns its merges from.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "text/pretokenizer.h"
#include "text/tokenizer_special.h"
#include "train/data_files.h"

namespace minnow {

struct WordCount {
  std::string word;  // bytes
  uint64_t count = 0;
  bool operator==(const WordCount&) const = default;
};

// A hash table of words that keeps copies of them.
class WordTable {
 public:
  WordTable();
  void add(std::string_view word, uint64_t count = 1);
  std::size_t size() const { return n_words_; }
  // Calls visit(word, count) for each, in no order.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (const Slot& slot : slots_) {
      if (slot.count > 0) visit(std::string_view(slot.word, slot.size), slot.count);
    }
  }

 private:
  struct Slot {
    const char* word = nullptr;
    uint32_t size = 0;
    uint32_t hash = 0;  // its upper half: most unequal words differ in it
    uint64_t count = 0;
  };
  void grow();
  const char* keep(std::string_view word);

  uint64_t seed_;
  std::size_t n_words_ = 0;
  std::vector<Slot> slots_;  // a power of two, at most two thirds full
  std::vector<std::string> blocks_;  // of the words' bytes
};

struct WordCounting {
  const PreTokenizer& splitter;
  const SpecialTokenMatcher& specials;           // texts that are no words and that words end at
  std::function<void(uint64_t)> progress = {};   // bytes that were read since the last call; from any thread
};

// The words of all files, sorted by their bytes; of JSON lines those of all strings but roles. The same for any number of threads.
// Throws kInvalidInput, with the file and the place in it, for what is not UTF-8 or not JSON.
std::vector<WordCount> count_words(const DataFiles& files, const WordCounting& how, ThreadPool& pool);

}  // namespace minnow
