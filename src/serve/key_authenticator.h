// Lets requests in by API keys and limits.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "serve/auth.h"
#include "serve/client_address.h"
#include "serve/key_store.h"
#include "serve/rate_limiter.h"

namespace minnow {

struct AuthSettings {
  std::filesystem::path keys_file;
  bool key_required = false;                // also while there are none
  RateLimits of_keys;                       // for keys that say nothing themselves
  int64_t address_requests_per_minute = 0;  // 0: no limit
  TrustedProxies proxies;
};

// A key comes as "authorization: Bearer KEY" or "x-api-key: KEY"; never in the path or query, which get into logs.
// Without keys everybody gets in, within the limit of addresses; routes that are open to anybody know no limits at all.
class KeyAuthenticator final : public Authenticator {
 public:
  using UnixClock = std::function<int64_t()>;  // seconds, for expiry

  // Reads the file of keys; throws what read_keys throws.
  explicit KeyAuthenticator(AuthSettings settings, RateLimiter::Clock clock = RateLimiter::steady,
                            UnixClock unix_clock = unix_clock_now);

  AuthResult check(const HttpRequest& request, const Route& route, std::string_view peer) override;
  bool has_keys() const override;

  // What requests of this caller used, to be counted against the key's limit. Any thread.
  void use_tokens(const Caller& caller, int64_t tokens);

  // Other settings, and the file read again; counts go on. Any thread. Throws and changes nothing when the file cannot be read, or
  // is not there any more: nobody gets in because a file went away.
  void reload(AuthSettings settings) { prepare(std::move(settings))(); }
  // The same in two steps: what this gives, while the authenticator lives, makes the change and does not fail.
  std::function<void()> prepare(AuthSettings settings);
  std::size_t n_keys() const;

  static int64_t unix_clock_now();

 private:
  struct State {
    AuthSettings settings;
    KeyTable keys;
  };
  std::shared_ptr<const State> state() const;

  UnixClock unix_clock_;
  RateLimiter key_limiter_, address_limiter_;
  mutable std::mutex mutex_;
  std::shared_ptr<const State> state_;  // replaced as a whole
};

}  // namespace minnow
