// How much one key or one address may ask for in a minute.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace minnow {

// 0: no limit.
struct RateLimits {
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
};

// A minute's window that slides on in steps of three seconds: in no 60 seconds are more requests admitted than the limit says.
// (A bucket that holds a minute's worth and is filled as it is emptied lets two minutes' worth through in the first one.)
// Tokens are known only afterwards: a request is admitted while those of the last minute are below the limit.
// All functions may be called from any thread.
class RateLimiter {
 public:
  using Duration = std::chrono::nanoseconds;
  using Clock = std::function<Duration()>;  // since any moment, never going back

  // Knows up to max_entries names; of more, the one that asked longest ago is forgotten.
  explicit RateLimiter(std::size_t max_entries, Clock clock = steady);

  struct Verdict {
    bool admitted = true;
    bool by_tokens = false;  // what ran out, when it was not admitted
    Duration wait{};         // until it is worth trying again: above 0 and at most a minute and a step
    int64_t limit = 0, remaining = 0;  // requests of this minute; 0 without a limit
  };
  // Counts the request when it is admitted. Names without limits are not remembered.
  Verdict admit(std::string_view name, const RateLimits& limits);
  // Tokens that a request used, to be called as soon as they are known; several times for one request is fine. Of no effect
  // for names that were never admitted under limits.
  void use_tokens(std::string_view name, int64_t tokens);

  std::size_t entries() const;
  static Duration steady();

 private:
  static constexpr Duration kSlot = std::chrono::seconds(3);
  static constexpr int64_t kSlots = 21;  // a minute, and the one that is being counted into

  // Counts of the slots of the last minute; slot n is at n % kSlots.
  struct Window {
    std::array<uint32_t, kSlots> requests{};
    std::array<int64_t, kSlots> tokens{};
    int64_t newest = 0;  // the slot that was counted into last
    void forget_before(int64_t now);
  };
  struct Entry {
    std::string name;
    Window window;
  };

  Window& window_of(std::string_view name, int64_t now);
  // When the counts of `values` fall below `limit`, seen from `time`.
  template <typename T>
  static Duration wait_for(const std::array<T, kSlots>& values, int64_t sum, int64_t limit, int64_t now, Duration time);

  Clock clock_;
  std::size_t max_entries_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // the one that asked last is first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_name_;  // names lie in entries_
};

}  // namespace minnow
