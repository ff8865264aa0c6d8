#include "train/bpe_trainer.h"

#include <algorithm>
#include <unordered_map>

#include "base/error.h"
#include "base/fast_hash.h"

namespace minnow {
namespace {

constexpr uint64_t key_of(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }

struct PairEntry {
  uint64_t key = 0;
  int64_t count = 0;            // in all words
  uint64_t round = 0;           // in which it grew last
  bool merged = false;          // it is in the list; a symbol with two origins can bring a pair back
  std::vector<uint32_t> words;  // that have it or had it; some twice
};

// Entries by key: open addressing over indices, since entries move.
class PairTable {
 public:
  PairTable() : slots_(1 << 12, kNone) {}

  PairEntry& operator[](uint64_t key) {
    std::size_t at = slot(key);
    if (slots_[at] == kNone) {
      if (entries_.size() * 3 >= slots_.size() * 2) {
        grow();
        at = slot(key);
      }
      slots_[at] = static_cast<uint32_t>(entries_.size());
      entries_.push_back({.key = key});
    }
    return entries_[slots_[at]];
  }
  const std::vector<PairEntry>& entries() const { return entries_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  std::size_t slot(uint64_t key) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash_number(key, kSeed) & mask;
    while (slots_[at] != kNone && entries_[slots_[at]].key != key) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    slots_.assign(slots_.size() * 2, kNone);
    for (std::size_t i = 0; i < entries_.size(); ++i) slots_[slot(entries_[i].key)] = static_cast<uint32_t>(i);
  }

  static constexpr uint64_t kSeed = 0x2545f4914f6cdd1dull;
  std::vector<PairEntry> entries_;
  std::vector<uint32_t> slots_;
};

class BpeLearner {
  struct Candidate {
    int64_t count = 0;
    uint64_t key = 0;
  };
  auto before() const {
    return [this](const Candidate& a, const Candidate& b) {
      if (a.count != b.count) return a.count < b.count;
      const auto left = out_.bytes[a.key >> 32].compare(out_.bytes[b.key >> 32]);
      return left != 0 ? left < 0 : out_.bytes[static_cast<uint32_t>(a.key)] < out_.bytes[static_cast<uint32_t>(b.key)];
    };
  }

 public:
  BpeLearner(std::span<const WordCount> words, const BpeTraining& training) : words_(words), training_(training) {
    for (int byte = 0; byte < 256; ++byte) symbol_of(std::string(1, static_cast<char>(byte)));
    for (std::size_t w = 0; w < words.size(); ++w) {
      offsets_.push_back(symbols_.size());
      lengths_.push_back(static_cast<uint32_t>(words[w].word.size()));
      for (const char c : words[w].word) symbols_.push_back(static_cast<uint8_t>(c));
      for (std::size_t i = 0; i + 1 < words[w].word.size(); ++i) {
        add(symbols_[offsets_[w] + i], symbols_[offsets_[w] + i + 1], static_cast<uint32_t>(w));
      }
    }
    for (const PairEntry& pair : pairs_.entries()) waiting_.push_back({pair.count, pair.key});
    std::ranges::make_heap(waiting_, before());
  }

  BpeSymbols run() {
    Candidate best;
    while (out_.bytes.size() < training_.n_symbols && pop(best)) {
      if (best.count < static_cast<int64_t>(std::max<uint64_t>(training_.min_frequency, 1))) break;
      merge(static_cast<uint32_t>(best.key >> 32), static_cast<uint32_t>(best.key));
    }
    for (std::size_t w = 0; w < words_.size(); ++w) out_.n_tokens += words_[w].count * lengths_[w];
    return std::move(out_);
  }

 private:
  void push(Candidate candidate) {
    waiting_.push_back(candidate);
    std::ranges::push_heap(waiting_, before());
  }
  // Counts in the heap may be out of date: a pair that became rarer goes back with its new count, and one that became more frequent
  // was pushed again when it did.
  bool pop(Candidate& best) {
    while (!waiting_.empty()) {
      std::ranges::pop_heap(waiting_, before());
      best = waiting_.back();
      waiting_.pop_back();
      const int64_t count = pairs_[best.key].count;
      if (count == best.count) return true;
      if (count > 0 && count < best.count) push({count, best.key});
    }
    return false;
  }

  void add(uint32_t left, uint32_t right, uint32_t word) {
    PairEntry& pair = pairs_[key_of(left, right)];
    pair.count += static_cast<int64_t>(words_[word].count);
    if (pair.words.empty() || pair.words.back() != word) pair.words.push_back(word);
    if (round_ > 0 && pair.round != round_) grown_.push_back(pair.key);
    pair.round = round_;
  }
  void remove(uint32_t left, uint32_t right, uint32_t word) {
    pairs_[key_of(left, right)].count -= static_cast<int64_t>(words_[word].count);
  }

  uint32_t symbol_of(std::string bytes) {
    const auto [found, is_new] = symbols_by_bytes_.emplace(bytes, static_cast<uint32_t>(out_.bytes.size()));
    if (is_new) out_.bytes.push_back(std::move(bytes));
    return found->second;
  }

  void merge(uint32_t left, uint32_t right) {
    const std::size_t n_before = out_.bytes.size();
    const uint32_t joined = symbol_of(out_.bytes[left] + out_.bytes[right]);
    PairEntry& pair = pairs_[key_of(left, right)];
    if (!pair.merged) out_.merges.emplace_back(left, right);
    pair.merged = true;
    ++round_;
    grown_.clear();
    std::vector<uint32_t> where;
    std::swap(where, pair.words);
    for (const uint32_t word : where) merge_in(word, {left, right, joined});
    pairs_[key_of(left, right)].count = 0;
    for (const uint64_t key : grown_) push({pairs_[key].count, key});
    if (out_.bytes.size() > n_before && training_.on_symbol) training_.on_symbol();
  }

  struct Merge {
    uint32_t left, right, joined;
  };
  void merge_in(uint32_t word, const Merge& m) {
    uint32_t* symbols = symbols_.data() + offsets_[word];
    const uint32_t n = lengths_[word];
    uint32_t out = 0;
    for (uint32_t i = 0; i < n; ++i) {
      if (i + 1 == n || symbols[i] != m.left || symbols[i + 1] != m.right) {
        symbols[out++] = symbols[i];
        continue;
      }
      if (out > 0) {
        remove(symbols[out - 1], m.left, word);
        add(symbols[out - 1], m.joined, word);
      }
      if (i + 2 < n) {
        remove(m.right, symbols[i + 2], word);
        add(m.joined, symbols[i + 2], word);
      }
      symbols[out++] = m.joined;
      ++i;
    }
    lengths_[word] = out;
  }

  std::span<const WordCount> words_;
  const BpeTraining& training_;
  std::vector<uint32_t> symbols_;  // of all words
  std::vector<std::size_t> offsets_;
  std::vector<uint32_t> lengths_;
  PairTable pairs_;
  std::vector<Candidate> waiting_;  // a heap
  std::vector<uint64_t> grown_;     // pairs that this round adds to
  uint64_t round_ = 0;
  std::unordered_map<std::string, uint32_t> symbols_by_bytes_;
  BpeSymbols out_;
};

}  // namespace

BpeSymbols learn_bpe(std::span<const WordCount> words, const BpeTraining& training) {
  if (words.size() > UINT32_MAX) fail(ErrorCode::kLimit, "{} different words are too many to learn from", words.size());
  return BpeLearner(words, training).run();
}

}  // namespace minnow
