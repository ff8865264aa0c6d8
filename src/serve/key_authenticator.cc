#include "serve/key_authenticator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/limits.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

constexpr std::string_view kUnixPeer = "unix";

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Empty when the request has none.
std::string_view key_in(const HttpRequest& request) {
  static constexpr std::string_view kBearer = "bearer ";
  const std::string_view said = trim(request.header("authorization"));
  const bool bearer = said.size() > kBearer.size() && std::equal(kBearer.begin(), kBearer.end(), said.begin(), [](char a, char b) {
                        return a == std::tolower(static_cast<unsigned char>(b));
                      });
  return bearer ? trim(said.substr(kBearer.size())) : trim(request.header("x-api-key"));
}

Refusal too_many(const RateLimiter::Verdict& verdict, const std::string& whose) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(verdict.wait).count();
  const std::string_view what = verdict.by_tokens ? "tokens" : "requests";
  return {429, fmt::format("too many {} in the last minute for {}; try again in {} s", what, whose, seconds),
          static_cast<int>(seconds)};
}

Refusal unauthorized(const std::string& message) { return {401, message}; }

std::string_view scope_name(Scope scope) {
  return scope == Scope::kInfer ? "infer" : scope == Scope::kManage ? "manage" : "admin";
}

RateLimits limits_of(const ApiKey& key, const RateLimits& otherwise) {
  return {key.requests_per_minute > 0 ? key.requests_per_minute : otherwise.requests_per_minute,
          key.tokens_per_minute > 0 ? key.tokens_per_minute : otherwise.tokens_per_minute};
}

}  // namespace

int64_t KeyAuthenticator::unix_clock_now() { return unix_now(); }

KeyAuthenticator::KeyAuthenticator(AuthSettings settings, RateLimiter::Clock clock, UnixClock unix_clock)
    : unix_clock_(std::move(unix_clock)), key_limiter_(limits::kMaxKeys, clock), address_limiter_(limits::kMaxRateEntries, clock) {
  KeyTable keys(read_keys(settings.keys_file));
  state_ = std::make_shared<const State>(State{std::move(settings), std::move(keys)});
}

std::shared_ptr<const KeyAuthenticator::State> KeyAuthenticator::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

bool KeyAuthenticator::has_keys() const {
  const auto now = state();
  return now->settings.key_required || !now->keys.empty();
}

std::size_t KeyAuthenticator::n_keys() const { return state()->keys.keys().size(); }

AuthResult KeyAuthenticator::check(const HttpRequest& request, const Route& route, std::string_view peer) {
  if (route.scope == Scope::kOpen) return Caller{};
  const auto now = state();
  const AuthSettings& settings = now->settings;
  if (settings.address_requests_per_minute > 0) {
    // Before the key is looked at: whoever guesses keys is slowed down too.
    const std::string address = client_address(peer.empty() ? kUnixPeer : peer, request.header("x-forwarded-for"), settings.proxies);
    const auto verdict = address_limiter_.admit(address, {.requests_per_minute = settings.address_requests_per_minute});
    if (!verdict.admitted) return too_many(verdict, "this address");
  }
  if (!settings.key_required && now->keys.empty()) return Caller{};

  const std::string_view text = key_in(request);
  if (text.empty()) return unauthorized("an API key is required; send it as 'authorization: Bearer KEY' or 'x-api-key: KEY'");
  const auto [verdict, key] = now->keys.check(text, unix_clock_());
  if (verdict == KeyVerdict::kExpired) return unauthorized("this API key has expired");
  // A revoked one is not told apart: its id is public, and what remains of it cannot prove that the client ever had the secret.
  if (verdict != KeyVerdict::kRight) return unauthorized("this API key is not known");
  if (!key->allows(route.scope))
    return Refusal{403,
                   fmt::format("this API key does not have the scope '{}', which this route needs", scope_name(route.scope))};
  const auto admitted = key_limiter_.admit(key->id, limits_of(*key, settings.of_keys));
  if (!admitted.admitted) return too_many(admitted, "this API key");
  // Without a tenant a key is its own: prefixed, so that no tenant's name can be a key's id.
  return Caller{.key_id = key->id,
                .tenant = key->tenant.empty() ? "key:" + key->id : "tenant:" + key->tenant,
                .models = key->models,
                .manages = key->allows(Scope::kManage)};
}

void KeyAuthenticator::use_tokens(const Caller& caller, int64_t tokens) {
  if (!caller.key_id.empty()) key_limiter_.use_tokens(caller.key_id, tokens);
}

std::function<void()> KeyAuthenticator::prepare(AuthSettings settings) {
  std::vector<ApiKey> keys = read_keys(settings.keys_file);
  if (keys.empty() && n_keys() > 0) {
    throw Error(ErrorCode::kNotFound, settings.keys_file.string() + ": the keys are gone, and those of before stay in force",
                "revoke keys with 'minnow key revoke', or restart the server to run it without any");
  }
  auto next = std::make_shared<const State>(State{std::move(settings), KeyTable(std::move(keys))});
  return [this, next = std::move(next)] {
    const std::lock_guard lock(mutex_);
    state_ = next;
  };
}

}  // namespace minnow
