// Words seen lately and their tokens. Texts repeat few words so often that most of them are found here.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "formats/tokenizer_spec.h"
#include "base/fast_hash.h"

namespace minnow {

// A fixed number of entries of one cache line each; a new word takes the place of an older one. Not for
// sharing between threads.
class WordCache {
 public:
  static constexpr std::size_t kMaxWordBytes = 30;
  static constexpr std::size_t kMaxIds = 8;

  // The word padded with zeros, its length, and where to look for it.
  struct Key {
    std::array<uint64_t, 4> words{};
    std::size_t slot;

    // From 1 to kMaxWordBytes bytes.
    explicit Key(std::string_view word) {
      std::memcpy(words.data(), word.data(), word.size());
      words[3] |= static_cast<uint64_t>(word.size()) << kLengthShift;
      slot = static_cast<std::size_t>(mix_multiply(mix_multiply(words[0] ^ kSalt, words[1] ^ ~kSalt),
                                                   mix_multiply(words[2] ^ kSalt, words[3] ^ ~kSalt) | 1) >>
                                      20) &
             (kEntries - 1);
    }
  };

  struct Entry {
    std::array<uint64_t, 4> words;  // as in Key, and the number of ids in the topmost byte
    std::array<TokenId, kMaxIds> ids;

    std::span<const TokenId> tokens() const {
      return {ids.data(), static_cast<std::size_t>(words[3] >> kCountShift)};
    }
    bool holds(const Key& key) const {
      return ((words[0] ^ key.words[0]) | (words[1] ^ key.words[1]) | (words[2] ^ key.words[2]) |
              ((words[3] ^ key.words[3]) & kKeyMask)) == 0;
    }
  };

  // nullptr when it is not there.
  const Entry* find(const Key& key) const {
    if (!entries_) return nullptr;
    for (const std::size_t slot : {key.slot, key.slot ^ 1}) {
      if (entries_[slot].holds(key)) return &entries_[slot];
    }
    return nullptr;
  }

  // Ignored when there are more than kMaxIds.
  void insert(const Key& key, std::span<const TokenId> ids) {
    if (ids.size() > kMaxIds) return;
    if (!entries_) entries_ = std::make_unique<Entry[]>(kEntries);
    entries_[key.slot ^ 1] = entries_[key.slot];
    Entry& entry = entries_[key.slot];
    entry.words = key.words;
    entry.words[3] |= static_cast<uint64_t>(ids.size()) << kCountShift;
    std::copy(ids.begin(), ids.end(), entry.ids.begin());
  }

 private:
  static constexpr std::size_t kEntries = 1 << 14;  // 1 MiB
  static constexpr int kLengthShift = 48, kCountShift = 56;
  static constexpr uint64_t kKeyMask = (1ull << kCountShift) - 1;
  static constexpr uint64_t kSalt = 0x9e3779b97f4a7c15ull;

  std::unique_ptr<Entry[]> entries_;
};

}  // namespace minnow
