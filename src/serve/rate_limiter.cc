#include "serve/rate_limiter.h"

#include <algorithm>
#include <numeric>

namespace minnow {
namespace {

template <typename Values>
int64_t sum_of(const Values& values) {
  return std::accumulate(values.begin(), values.end(), int64_t{0});
}

}  // namespace

RateLimiter::RateLimiter(std::size_t max_entries, Clock clock) : clock_(std::move(clock)), max_entries_(max_entries) {}

RateLimiter::Duration RateLimiter::steady() { return std::chrono::steady_clock::now().time_since_epoch(); }

void RateLimiter::Window::forget_before(int64_t now) {
  // The last moment of a slot is a minute old when kSlots newer ones have begun.
  const int64_t passed = std::min(now - newest, kSlots);
  for (int64_t i = 1; i <= passed; ++i) {
    const auto at = static_cast<std::size_t>((newest + i) % kSlots);
    requests[at] = 0;
    tokens[at] = 0;
  }
  newest = std::max(newest, now);
}

RateLimiter::Window& RateLimiter::window_of(std::string_view name, int64_t now) {
  if (const auto at = by_name_.find(name); at != by_name_.end()) {
    entries_.splice(entries_.begin(), entries_, at->second);
    entries_.front().window.forget_before(now);
    return entries_.front().window;
  }
  if (entries_.size() >= max_entries_) {
    by_name_.erase(entries_.back().name);
    entries_.pop_back();
  }
  entries_.push_front({std::string(name), {}});
  entries_.front().window.newest = now;
  by_name_.emplace(entries_.front().name, entries_.begin());
  return entries_.front().window;
}

template <typename T>
RateLimiter::Duration RateLimiter::wait_for(const std::array<T, kSlots>& values, int64_t sum, int64_t limit, int64_t now,
                                            Duration time) {
  int64_t slot = now - kSlots;
  while (sum >= limit && slot < now) {
    ++slot;
    sum -= static_cast<int64_t>(values[static_cast<std::size_t>(((slot % kSlots) + kSlots) % kSlots)]);
  }
  // That slot is forgotten when the one begins that takes its place.
  return (slot + kSlots) * kSlot - time;
}

RateLimiter::Verdict RateLimiter::admit(std::string_view name, const RateLimits& limits) {
  if (limits.requests_per_minute <= 0 && limits.tokens_per_minute <= 0) return {};
  const std::lock_guard lock(mutex_);
  const Duration time = clock_();
  const int64_t now = time / kSlot;
  Window& window = window_of(name, now);
  Verdict verdict;
  verdict.limit = limits.requests_per_minute;
  const int64_t requests = sum_of(window.requests);
  if (limits.requests_per_minute > 0 && requests >= limits.requests_per_minute) {
    verdict.admitted = false;
    verdict.wait = wait_for(window.requests, requests, limits.requests_per_minute, now, time);
    return verdict;
  }
  const int64_t tokens = sum_of(window.tokens);
  if (limits.tokens_per_minute > 0 && tokens >= limits.tokens_per_minute) {
    verdict.admitted = false;
    verdict.by_tokens = true;
    verdict.wait = wait_for(window.tokens, tokens, limits.tokens_per_minute, now, time);
    return verdict;
  }
  ++window.requests[static_cast<std::size_t>(now % kSlots)];
  verdict.remaining = std::max<int64_t>(limits.requests_per_minute - requests - 1, 0);
  return verdict;
}

void RateLimiter::use_tokens(std::string_view name, int64_t tokens) {
  if (tokens <= 0) return;
  const std::lock_guard lock(mutex_);
  if (!by_name_.contains(name)) return;
  const int64_t now = clock_() / kSlot;
  window_of(name, now).tokens[static_cast<std::size_t>(now % kSlots)] += tokens;
}

std::size_t RateLimiter::entries() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace minnow
