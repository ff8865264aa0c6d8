// Ends answers at lines, as completion of code wants it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace minnow {

struct LineLimits {
  // The answer ends before a line, but for its first, that does not begin with so many spaces and tabs: one without text as well.
  int64_t min_indent = 0;
  // The answer ends with the line during which so much time has passed since its first token. 0: it never does.
  std::chrono::milliseconds max_time{0};

  bool any() const { return min_indent > 0 || max_time.count() > 0; }
};

class LineGuard {
 public:
  using Clock = std::chrono::steady_clock;
  explicit LineGuard(LineLimits limits) : limits_(limits) {}

  // The text of more tokens, which came now: gives what is known to be part of the answer. White space that a line begins with is
  // held back until that is known.
  std::string push(std::string_view text, Clock::time_point now);
  // The answer has ended by itself: what was held back.
  std::string finish();
  bool is_over() const { return is_over_; }

 private:
  void add(char c, Clock::time_point now, std::string& out);

  LineLimits limits_;
  Clock::time_point first_{};
  std::string held_;
  bool has_begun_ = false, in_indent_ = false, is_over_ = false;
};

}  // namespace minnow
