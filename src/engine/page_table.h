// Which KV cache page holds what: allocation, sharing and reuse of pages of kKvPage tokens (Kwon et al. 2023).
//
// A full page can be published under a key made of all tokens up to its end. Another sequence that begins with the
// same tokens then shares it; after its last owner is gone it stays findable until the space is needed.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cpu/kernels.h"
#include "formats/tokenizer_spec.h"

namespace minnow {

inline constexpr int32_t kNoPage = -1;

// Names the tokens of a sequence from its start to the end of a page.
using PrefixKey = uint64_t;
inline constexpr PrefixKey kEmptyPrefix = 0x6d696e6e6f77ull;
PrefixKey extend_prefix(PrefixKey prefix, std::span<const TokenId> page_tokens);

// Where prefixes begin, by salt: who does not know the salt of another finds none of its pages, however tokens are chosen.
class PrefixRoots {
 public:
  PrefixRoots();  // other ones each time
  // kEmptyPrefix without a salt.
  PrefixKey root(std::string_view salt) const;

 private:
  std::array<unsigned char, 16> key_;
};

class PageTable {
 public:
  explicit PageTable(int32_t n_pages);

  int32_t n_pages() const { return static_cast<int32_t>(pages_.size()); }
  // Pages that allocate() could still give.
  int32_t n_available() const { return static_cast<int32_t>(unowned_.size()); }
  int32_t n_owned() const { return n_pages() - n_available(); }

  // A page for one owner, never published or with its old contents forgotten; kNoPage when all are owned.
  int32_t allocate();
  // One owner less.
  void release(int32_t page);

  // Makes a full page findable. `before` is the prefix without the page's tokens. Does nothing when the key is taken.
  void publish(int32_t page, PrefixKey before, std::span<const TokenId> page_tokens);
  // The page published for these tokens after this prefix, now with one owner more; kNoPage when there is none.
  int32_t find(PrefixKey before, std::span<const TokenId> page_tokens);

 private:
  struct Page {
    int32_t owners = 0;
    bool published = false;
    PrefixKey key = 0, before = 0;
    std::vector<TokenId> tokens;          // of a published page, to tell a hash collision from a hit
    std::list<int32_t>::iterator unowned; // place in unowned_, valid when owners == 0
  };
  Page& at(int32_t page) { return pages_[static_cast<std::size_t>(page)]; }
  std::vector<Page> pages_;
  std::list<int32_t> unowned_;  // to be given out first at the front
  std::unordered_map<PrefixKey, int32_t> published_;
};

}  // namespace minnow
