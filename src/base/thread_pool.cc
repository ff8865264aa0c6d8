#include "base/thread_pool.h"

#include <algorithm>
#include <system_error>

#include "base/error.h"

namespace minnow {
namespace {

int most_pauses(int n_threads) {
  return n_threads <= static_cast<int>(allowed_cpus().size()) ? Patience::kMost : Patience::kCrowded;
}

}  // namespace

ThreadPool::ThreadPool(int n_threads, const std::vector<std::vector<int>>& bindings)
    : n_(std::max(1, n_threads)), barrier_(n_, most_pauses(n_)), between_jobs_(most_pauses(n_)) {
  try {
    for (int member = 1; member < n_; ++member) {
      workers_.emplace_back([this, member] { work(member); });
      const auto m = static_cast<std::size_t>(member);
      if (m < bindings.size()) bind(workers_.back(), bindings[m]);
    }
  } catch (const std::system_error& e) {
    const std::size_t got = workers_.size() + 1;
    stop();
    throw Error(ErrorCode::kLimit, fmt::format("only {} of {} threads could be started: {}", got, n_, e.what()),
                "ask for fewer with --threads, or raise the limit of processes");
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stop_ = true;
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run(const std::function<void(int)>& job) {
  job_ = &job;
  busy_.store(n_ - 1, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  if (n_ > 1) generation_.notify_all();
  perform(0);
  for (int busy = busy_.load(std::memory_order_acquire); busy != 0; busy = busy_.load(std::memory_order_acquire)) {
    barrier_.patience().wait_for_change(busy_, busy);
  }
  if (failed_) {
    barrier_.repair();
    failed_ = false;
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void ThreadPool::parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  std::atomic<int64_t> next{0};
  run([&](int) {
    for (int64_t begin = next.fetch_add(grain); begin < n; begin = next.fetch_add(grain)) {
      if (failed_.load(std::memory_order_relaxed)) return;
      body(begin, std::min(n, begin + grain));
    }
  });
}

void ThreadPool::work(int member) {
  uint32_t seen = 0;
  while (true) {
    between_jobs_.wait_for_change(generation_, seen);
    ++seen;
    if (stop_) return;
    perform(member);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_all();
  }
}

void ThreadPool::perform(int member) noexcept {
  try {
    (*job_)(member);
  } catch (const Barrier::Broken&) {  // another member failed
  } catch (...) {
    if (!failed_.exchange(true)) failure_ = std::current_exception();
    barrier_.break_up();
  }
}

}  // namespace minnow
