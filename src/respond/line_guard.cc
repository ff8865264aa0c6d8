#include "respond/line_guard.h"

#include <utility>

namespace minnow {

void LineGuard::add(char c, Clock::time_point now, std::string& out) {
  if (in_indent_ && (c == ' ' || c == '\t')) {
    held_ += c;
    return;
  }
  if (in_indent_) {
    is_over_ = static_cast<int64_t>(held_.size()) < limits_.min_indent;
    if (is_over_) return;
    out += std::exchange(held_, {});
    in_indent_ = false;
  }
  out += c;
  if (c != '\n') return;
  in_indent_ = limits_.min_indent > 0;
  is_over_ = limits_.max_time.count() > 0 && now - first_ > limits_.max_time;
}

std::string LineGuard::push(std::string_view text, Clock::time_point now) {
  if (!std::exchange(has_begun_, true)) first_ = now;
  std::string out;
  for (std::size_t i = 0; i < text.size() && !is_over_; ++i) add(text[i], now, out);
  return out;
}

std::string LineGuard::finish() { return is_over_ ? std::string() : std::exchange(held_, {}); }

}  // namespace minnow
