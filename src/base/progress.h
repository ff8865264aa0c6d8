// A progress bar on stderr for long work.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>

namespace minnow {

enum class ProgressUnit { kBytes, kItems };

struct ProgressState {
  std::string label;
  uint64_t done = 0;
  uint64_t total = 0;  // 0: not known
  ProgressUnit unit = ProgressUnit::kBytes;
  double seconds = 0;  // since the start
};

// "convert  [=========>          ]  47%  1.2 GB / 2.5 GB  310 MB/s  4.2 s left", made to fit `columns`: the
// bar gives way first. Without a total: what is done and the rate.
std::string progress_line(const ProgressState& state, std::size_t columns);

// Draws at most ten times a second, and nothing at all when the stream is not a terminal or the work is done in no time. Any thread may call
// advance(). The line is left standing when all the work was done, and wiped otherwise.
class Progress {
 public:
  Progress(std::string label, uint64_t total, ProgressUnit unit);
  // As above, with the stream, whether to draw on it, and after how many milliseconds of work at the earliest; of `start` the
  // label, total and unit count.
  Progress(ProgressState start, std::FILE* stream, bool draws, int64_t quiet_ms = 0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(uint64_t n);
  uint64_t done() const { return done_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;
  void draw();

  ProgressState state_;  // as it began; not changed
  std::FILE* stream_;
  const bool draws_;
  const Clock::time_point start_ = Clock::now();
  std::atomic<uint64_t> done_{0};
  std::atomic<int64_t> next_draw_ms_;  // after start_
  std::atomic<bool> drawn_{false};
  std::mutex drawing_;
};

}  // namespace minnow
