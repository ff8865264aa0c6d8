#include "engine/page_table.h"

#include <sodium.h>

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace minnow {

PrefixKey extend_prefix(PrefixKey key, std::span<const TokenId> tokens) {
  for (const TokenId t : tokens) {  // the finalizer of MurmurHash3 over a running sum
    key = (key ^ static_cast<uint32_t>(t)) * 0xff51afd7ed558ccdull;
    key = (key ^ (key >> 33)) * 0xc4ceb9fe1a85ec53ull;
    key ^= key >> 29;
  }
  return key;
}

PrefixRoots::PrefixRoots() {
  static_assert(crypto_shorthash_KEYBYTES == sizeof key_ && crypto_shorthash_BYTES == sizeof(PrefixKey));
  if (sodium_init() < 0) fail(ErrorCode::kInternal, "libsodium cannot start");
  randombytes_buf(key_.data(), key_.size());
}

PrefixKey PrefixRoots::root(std::string_view salt) const {
  if (salt.empty()) return kEmptyPrefix;
  std::array<unsigned char, sizeof(PrefixKey)> hash;
  crypto_shorthash(hash.data(), reinterpret_cast<const unsigned char*>(salt.data()), salt.size(), key_.data());
  return std::bit_cast<PrefixKey>(hash);
}

PageTable::PageTable(int32_t n_pages) : pages_(static_cast<std::size_t>(n_pages)) {
  for (int32_t p = 0; p < n_pages; ++p) at(p).unowned = unowned_.insert(unowned_.end(), p);
}

int32_t PageTable::allocate() {
  if (unowned_.empty()) return kNoPage;
  const int32_t id = unowned_.front();
  Page& page = at(id);
  unowned_.erase(page.unowned);
  if (page.published) {
    published_.erase(page.key);
    page.published = false;
    page.tokens.clear();
  }
  page.owners = 1;
  return id;
}

void PageTable::release(int32_t id) {
  Page& page = at(id);
  if (--page.owners > 0) return;
  // What nobody can find again goes first; the rest in the order in which it was last used.
  page.unowned = unowned_.insert(page.published ? unowned_.end() : unowned_.begin(), id);
}

void PageTable::publish(int32_t id, PrefixKey before, std::span<const TokenId> tokens) {
  Page& page = at(id);
  const PrefixKey key = extend_prefix(before, tokens);
  if (page.published || !published_.try_emplace(key, id).second) return;
  page.published = true;
  page.key = key;
  page.before = before;
  page.tokens.assign(tokens.begin(), tokens.end());
}

int32_t PageTable::find(PrefixKey before, std::span<const TokenId> tokens) {
  const auto it = published_.find(extend_prefix(before, tokens));
  if (it == published_.end()) return kNoPage;
  Page& page = at(it->second);
  if (page.before != before || !std::equal(page.tokens.begin(), page.tokens.end(), tokens.begin(), tokens.end())) {
    return kNoPage;
  }
  if (page.owners++ == 0) unowned_.erase(page.unowned);
  return it->second;
}

}  // namespace minnow
