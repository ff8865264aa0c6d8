#include "train/overlap.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/error.h"
#include "base/fast_hash.h"
#include "base/limits.h"
#include "base/random.h"

namespace minnow {
namespace {

constexpr uint64_t kGramSeed = 0x9d5c;
constexpr std::size_t kHashes = 128, kBands = 32, kBandSize = kHashes / kBands;

using Signature = std::array<uint32_t, kHashes>;

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

std::vector<uint64_t> word_hashes(std::string_view text) {
  std::vector<uint64_t> hashes;
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && is_word_byte(text[i])) {
      word += text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
    } else if (!word.empty()) {
      hashes.push_back(hash_text(word, kGramSeed));
      word.clear();
    }
  }
  return hashes;
}

uint64_t join_hashes(const uint64_t* words, std::size_t n) {
  uint64_t hash = n;
  for (std::size_t i = 0; i < n; ++i) hash = hash_number(hash ^ words[i], kGramSeed);
  return hash;
}

Signature signature_of(const std::vector<uint64_t>& grams, const std::array<uint64_t, kHashes>& seeds) {
  Signature signature;
  signature.fill(UINT32_MAX);
  for (const uint64_t gram : grams) {
    for (std::size_t i = 0; i < kHashes; ++i) {
      signature[i] = std::min(signature[i], static_cast<uint32_t>(mix_multiply(gram ^ seeds[i], seeds[i] | 1)));
    }
  }
  return signature;
}

double similarity(const Signature& a, const Signature& b) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < kHashes; ++i) equal += a[i] == b[i] ? 1 : 0;
  return static_cast<double>(equal) / kHashes;
}

uint64_t band_key(const Signature& signature, std::size_t band) {
  uint64_t key = band;
  for (std::size_t i = 0; i < kBandSize; ++i) key = hash_number(key ^ signature[band * kBandSize + i], kGramSeed);
  return key;
}

}  // namespace

std::vector<uint64_t> word_gram_hashes(std::string_view text, std::size_t n) {
  const std::vector<uint64_t> words = word_hashes(text);
  if (words.empty()) return {};
  if (words.size() <= n) return {join_hashes(words.data(), words.size())};
  std::vector<uint64_t> grams;
  for (std::size_t i = 0; i + n <= words.size(); ++i) grams.push_back(join_hashes(words.data() + i, n));
  return grams;
}

void ContaminationCheck::add_reference(std::string_view text) {
  const std::vector<uint64_t> words = word_hashes(text);
  if (words.size() < n_) return;
  for (std::size_t i = 0; i + n_ <= words.size(); ++i) grams_.insert(join_hashes(words.data() + i, n_));
  ++n_references_;
}

bool ContaminationCheck::contains(std::string_view text) const {
  const std::vector<uint64_t> grams = word_gram_hashes(text, n_);
  return std::ranges::any_of(grams, [&](uint64_t gram) { return grams_.contains(gram); });
}

struct NearDuplicates::Impl {
  NearDuplicateOptions options;
  std::array<uint64_t, kHashes> seeds = {};
  std::vector<Signature> signatures = {};  // of texts that duplicate none
  std::vector<uint32_t> numbers = {};      // of those
  std::unordered_map<uint64_t, std::vector<uint32_t>> bands = {};
  uint32_t count = 0;

  struct Looked {
    bool has_words = false;
    Signature signature = {};
    std::array<uint64_t, kBands> keys = {};
    uint32_t first = UINT32_MAX;  // of the texts that it duplicates
  };
  Looked look(std::string_view text) const {
    Looked l;
    const std::vector<uint64_t> grams = word_gram_hashes(text, options.n);
    l.has_words = !grams.empty();
    if (!l.has_words) return l;
    l.signature = signature_of(grams, seeds);
    for (std::size_t band = 0; band < kBands; ++band) {
      l.keys[band] = band_key(l.signature, band);
      const auto found = bands.find(l.keys[band]);
      if (found == bands.end()) continue;
      for (const uint32_t other : found->second) {
        if (similarity(l.signature, signatures[other]) >= options.threshold) l.first = std::min(l.first, numbers[other]);
      }
    }
    return l;
  }
};

NearDuplicates::NearDuplicates(const NearDuplicateOptions& options) : impl_(std::make_unique<Impl>(Impl{.options = options})) {
  Random random(options.seed);
  for (uint64_t& seed : impl_->seeds) seed = random.next();
}
NearDuplicates::~NearDuplicates() = default;

bool NearDuplicates::contains(std::string_view text) const { return impl_->look(text).first != UINT32_MAX; }

uint32_t NearDuplicates::add(std::string_view text) {
  Impl& all = *impl_;
  const uint32_t number = all.count++;
  const Impl::Looked l = all.look(text);
  if (!l.has_words) return number;
  if (l.first != UINT32_MAX) return l.first;
  for (const uint64_t key : l.keys) all.bands[key].push_back(static_cast<uint32_t>(all.signatures.size()));
  all.signatures.push_back(l.signature);
  all.numbers.push_back(number);
  return number;
}

std::vector<uint32_t> find_near_duplicates(std::size_t count, const std::function<std::string(std::size_t)>& text,
                                           const NearDuplicateOptions& options) {
  if (count >= limits::kMaxRecords) fail(ErrorCode::kLimit, "{} texts are too many to compare", count);
  NearDuplicates all(options);
  std::vector<uint32_t> first;
  for (std::size_t i = 0; i < count; ++i) first.push_back(all.add(text(i)));
  return first;
}

std::size_t drop_near_duplicates(DataSplit& split, const NearDuplicateOptions& options) {
  const auto first = find_near_duplicates(split.records.size(), [&](std::size_t i) { return record_text(split.record(i)); }, options);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i] == i) split.records[kept++] = split.records[i];
  }
  split.records.resize(kept);
  return first.size() - kept;
}

std::size_t drop_contaminated(DataSplit& split, const ContaminationCheck& check) {
  return std::erase_if(split.records, [&](uint32_t record) { return check.contains(record_text(split.index->record(record))); });
}

}  // namespace minnow
