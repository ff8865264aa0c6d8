#include "base/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/table.h"
#include "base/units.h"

namespace minnow {
namespace {

constexpr int64_t kRedrawMs = 100;
constexpr int64_t kQuietMs = 300;  // work of less is over before a bar could be read
constexpr std::size_t kMaxBar = 30, kMinBar = 8;  // columns inside the brackets
constexpr const char* kWipeLine = "\r\x1b[K";

std::string amount(uint64_t n, ProgressUnit unit) {
  return unit == ProgressUnit::kBytes ? format_bytes(n) : format_count(n);
}

std::string bar(double share, std::size_t width) {
  const auto filled = std::min(width, static_cast<std::size_t>(share * static_cast<double>(width)));
  std::string out = "[";
  out.append(filled, '=');
  if (filled < width) out.append(1, '>').append(width - filled - 1, ' ');
  out += ']';
  return out;
}

std::size_t terminal_columns(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string progress_line(const ProgressState& state, std::size_t columns) {
  const double rate = state.seconds > 0 ? static_cast<double>(state.done) / state.seconds : 0;
  const std::string speed = rate >= 1 ? "  " + amount(static_cast<uint64_t>(rate), state.unit) + "/s" : "";
  if (state.total == 0) {
    const std::string numbers = amount(state.done, state.unit) + speed;
    const bool fits = display_width(state.label) + 2 + numbers.size() <= columns;
    return fits ? state.label + "  " + numbers : numbers.substr(0, columns);
  }

  const uint64_t done = std::min(state.done, state.total);
  const double share = static_cast<double>(done) / static_cast<double>(state.total);
  std::string time;
  if (done == state.total) {
    time = "  " + format_duration(state.seconds);
  } else if (done > 0) {
    time = "  " + format_duration(state.seconds / share - state.seconds) + " left";
  }
  // Rounded down: 100% is said only of finished work.
  const std::string numbers =
      fmt::format("{:3}%  {} / {}{}{}", static_cast<int>(share * 100), amount(done, state.unit),
                  amount(state.total, state.unit), speed, time);
  const std::size_t label = display_width(state.label);
  const std::size_t taken = label + 2 + 2 + 2 + numbers.size();
  if (label + 2 + numbers.size() > columns)
    return numbers.substr(0, columns);  // a line that wraps cannot be redrawn
  if (taken + kMinBar > columns) return state.label + "  " + numbers;
  return state.label + "  " + bar(share, std::min(kMaxBar, columns - taken)) + "  " + numbers;
}

Progress::Progress(std::string label, uint64_t total, ProgressUnit unit)
    : Progress({std::move(label), 0, total, unit, 0}, stderr, ::isatty(STDERR_FILENO) == 1, kQuietMs) {}

Progress::Progress(ProgressState start, std::FILE* stream, bool draws, int64_t quiet_ms)
    : state_(std::move(start)), stream_(stream), draws_(draws), next_draw_ms_(quiet_ms) {
  state_.label = printable(state_.label);
}

Progress::~Progress() {
  if (!drawn_) return;
  if (state_.total > 0 && done() >= state_.total) {
    draw();
    std::fputc('\n', stream_);
  } else {
    std::fputs(kWipeLine, stream_);
  }
  std::fflush(stream_);
}

void Progress::advance(uint64_t n) {
  done_.fetch_add(n, std::memory_order_relaxed);
  if (!draws_) return;
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_).count();
  int64_t due = next_draw_ms_.load(std::memory_order_relaxed);
  // Of the threads that see it due, the one that moves it on draws.
  if (now < due || !next_draw_ms_.compare_exchange_strong(due, now + kRedrawMs)) return;
  draw();
}

void Progress::draw() {
  const std::lock_guard lock(drawing_);
  drawn_ = true;
  ProgressState state = state_;
  state.done = done();
  state.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const std::size_t columns = terminal_columns(::fileno(stream_));
  std::fputs((kWipeLine + progress_line(state, columns - 1)).c_str(), stream_);
  std::fflush(stream_);
}

}  // namespace minnow
