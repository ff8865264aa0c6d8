// API keys: who may ask for what. A key is shown once, when it is made; what is kept is a digest.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "serve/http_types.h"

namespace minnow {

// BLAKE2b-256 of the whole key. The secret in a key is 32 random bytes: nobody can try them all, so that a slow password hash
// would protect nothing and cost every request a tenth of a second.
using KeyDigest = std::array<unsigned char, 32>;

struct ApiKey {
  std::string id;                   // public: names the key in lists and logs
  std::string name;                 // for people
  std::string tenant;               // keys of one tenant share caches; empty: the key is its own tenant
  bool infer = false, manage = false, admin = false;  // scopes; admin includes the others
  std::vector<std::string> models;  // allowed ones; empty: all
  int64_t requests_per_minute = 0;  // 0: what the configuration says
  int64_t tokens_per_minute = 0;    // likewise
  int64_t created_unix = 0;
  int64_t expires_unix = 0;         // 0: never
  int64_t revoked_unix = 0;         // 0: it was not; a revoked key stays in the list, without its digest
  KeyDigest digest{};

  bool allows(Scope scope) const;
  std::vector<std::string> scopes() const;  // as they are written
};

enum class KeyVerdict : uint8_t { kRight, kUnknown, kExpired, kRevoked };

// The keys as they are at one moment. Never changes: any thread may look into it.
class KeyTable {
 public:
  KeyTable() = default;
  explicit KeyTable(std::vector<ApiKey> keys);

  struct Found {
    KeyVerdict verdict = KeyVerdict::kUnknown;
    const ApiKey* key = nullptr;  // only for kRight
  };
  // What a client sent as its key. Takes the same time whichever part of the secret is wrong.
  Found check(std::string_view text, int64_t now_unix) const;

  // True when there never was a key. A revoked or expired one counts: removing the last key opens nothing.
  bool empty() const { return keys_.empty(); }
  const std::vector<ApiKey>& keys() const { return keys_; }

 private:
  std::vector<ApiKey> keys_;
  std::unordered_map<std::string, std::size_t> by_id_;
};

// $MINNOW_CONFIG_DIR, else $XDG_CONFIG_HOME/minnow, else ~/.config/minnow.
std::filesystem::path config_folder();
std::filesystem::path default_keys_file();

struct NewKey {
  ApiKey key;        // `description` with id, digest and time
  std::string text;  // "mk-ID-SECRET": to be shown once
};
NewKey make_key(ApiKey description);

// No file: no keys. Throws kInvalidInput naming the key and field, kLimit, or kIo when others may write to the file.
std::vector<ApiKey> read_keys(const std::filesystem::path& file);
// Reads, changes and replaces the file (mode 0600, its folder is made when it is missing), alone among all that do so.
// Nothing is written when `change` throws, nor what could not be read again.
void update_keys(const std::filesystem::path& file, const std::function<void(std::vector<ApiKey>&)>& change);

// The key that `id_or_name` means, among those that are not revoked. Throws kNotFound, or kInvalidInput for a name of several.
ApiKey& find_key(std::vector<ApiKey>& keys, std::string_view id_or_name);

}  // namespace minnow
