// A fork-join team of threads for short parallel regions, and the barrier they use inside one.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace minnow {

// All n threads meet, again and again. Waiting spins for some microseconds, then sleeps, so that more threads than
// cores still make progress.
class Barrier {
 public:
  explicit Barrier(int n) : n_(n) {}
  // While others are awaited, `idle` is called again and again until it returns false. It should be short.
  void arrive_and_wait(const std::function<bool()>& idle = {});

 private:
  const int n_;
  std::atomic<int> arrived_{0};
  std::atomic<uint32_t> phase_{0};
};

// The calling thread is member 0 of the team; n - 1 workers sleep between regions. run() may be called from one
// thread at a time.
class ThreadPool {
 public:
  explicit ThreadPool(int n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls job(member) once on each member and returns when all are done. The job must not throw.
  void run(const std::function<void(int)>& job);
  // Calls body(begin, end) on disjoint ranges that cover [0, n), `grain` items at a time, whoever is free next.
  void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& body);
  // For use inside a job: every member must call it equally often.
  void barrier(const std::function<bool()>& idle = {}) { barrier_.arrive_and_wait(idle); }

 private:
  void work(int member);
  std::vector<std::thread> workers_;
  Barrier barrier_;
  const std::function<void(int)>* job_ = nullptr;
  std::atomic<uint32_t> generation_{0};
  std::atomic<int> busy_{0};
  std::atomic<bool> stop_{false};
};

// Cores this process may use (its affinity mask and cgroup quota), at least 1.
int available_cores();

}  // namespace minnow
