#include "serve/operations.h"

#include <unordered_map>

#include "base/error.h"
#include "serve/ollama_environment.h"

namespace minnow {
namespace {

AuthSettings auth_settings(const ServeConfig& config) {
  AuthSettings settings;
  settings.keys_file = config.keys.file.empty() ? default_keys_file() : config.keys.file;
  settings.key_required = config.keys.required;
  settings.of_keys = {config.limits.requests_per_minute, config.limits.tokens_per_minute};
  settings.address_requests_per_minute = config.limits.address_requests_per_minute;
  settings.proxies = TrustedProxies(config.server.trusted_proxies);
  return settings;
}

AccessLog::Options log_options(const ServeConfig& config) { return {config.log.requests, config.log.addresses}; }

}  // namespace

// Tells everybody who counts. Tokens count against a key's limit as they are made, so that many long answers at once cannot go
// far beyond it; what was not counted by then (the prompt, the tokens of the first event) is when the request ends.
class Operations::Watcher final : public Observer {
 public:
  Watcher(Metrics& metrics, AccessLog& log, KeyAuthenticator& keys) : metrics_(metrics), log_(log), keys_(keys) {}

  void request_started(const RequestFacts& facts) override { metrics_.request_started(facts); }
  void first_token(const RequestFacts& facts, double seconds) override { metrics_.first_token(facts, seconds); }
  void next_tokens(const RequestFacts& facts, int64_t count, double seconds) override {
    metrics_.next_tokens(facts, count, seconds);
    if (facts.caller.key_id.empty()) return;
    keys_.use_tokens(facts.caller, count);
    counted_[facts.number] += count;
  }
  void request_ended(const RequestFacts& facts) override {
    metrics_.request_ended(facts);
    log_.request(facts);
    int64_t tokens = facts.prompt_tokens + facts.generated_tokens;
    if (const auto at = counted_.find(facts.number); at != counted_.end()) {
      tokens -= at->second;
      counted_.erase(at);
    }
    keys_.use_tokens(facts.caller, tokens);
  }

 private:
  Metrics& metrics_;
  AccessLog& log_;
  KeyAuthenticator& keys_;
  std::unordered_map<uint64_t, int64_t> counted_;  // of requests that run, by number; on the thread of all connections only
};

Operations::Operations(ServeConfig config, File file, Overlay overlay)
    : config_(std::move(config)),
      file_(std::move(file)),
      overlay_(std::move(overlay)),
      log_(log_options(config_)),
      authenticator_(auth_settings(config_)),
      watcher_(std::make_unique<Watcher>(metrics_, log_, authenticator_)) {}

Operations::~Operations() = default;

Authenticator& Operations::authenticator() { return authenticator_; }
Observer& Operations::observer() { return *watcher_; }
Metrics& Operations::metrics() { return metrics_; }
AccessLog& Operations::log() { return log_; }

void Operations::reload_or_throw(const Prepare& prepare) {
  const std::filesystem::path file = file_ ? file_() : std::filesystem::path();
  ServeConfig next = file.empty() ? environment_config() : load_config(file);
  if (overlay_) overlay_(next);
  // Everything is looked at before anything changes.
  const auto take_log = log_.prepare(log_options(next));
  const auto take_keys = authenticator_.prepare(auth_settings(next));
  const auto take_rest = prepare ? prepare(next) : std::function<void()>();
  take_log();
  take_keys();
  if (take_rest) take_rest();
  for (const std::string& setting : changes_that_need_a_restart(config_, next))
    log_.note("setting_needs_a_restart", {{"setting", setting}});
  // Taken over although they have no effect yet: the next reload tells of new changes only.
  config_ = std::move(next);
  log_.note("reloaded", {{"keys", authenticator_.n_keys()}});
}

ServeConfig Operations::reload(const Prepare& prepare) {
  const std::lock_guard lock(reloading_);
  try {
    reload_or_throw(prepare);
  } catch (const std::exception& e) {
    // Errors name files, fields and lines of the operator's, no secrets.
    log_.note("reload_failed", {{"error", e.what()}});
  }
  return config_;
}

}  // namespace minnow
