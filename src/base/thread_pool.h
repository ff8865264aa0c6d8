// A fork-join team of threads for short parallel regions.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "base/barrier.h"
#include "base/topology.h"

namespace minnow {

// The calling thread is member 0 of the team; n - 1 workers sleep between regions. run() may be called from one
// thread at a time.
class ThreadPool {
 public:
  // bindings[m], where there is one: the CPUs that member m keeps to. The calling thread is never bound, being
  // another's. Throws kLimit when the system gives no more threads.
  explicit ThreadPool(int n_threads, const std::vector<std::vector<int>>& bindings = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return n_; }

  // Calls job(member) once on each member and returns when all are done. When one throws, those at a barrier, or on
  // their way to one, leave the job there, and the first exception is thrown again here once all have left.
  void run(const std::function<void(int)>& job);
  // Calls body(begin, end) on disjoint ranges that cover [0, n), `grain` items at a time, whoever is free next.
  // When one throws, no further ranges are begun and the first exception is thrown again here.
  void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& body);
  // For use inside a job: every member must call it equally often.
  void barrier(const std::function<bool()>& idle = {}) { barrier_.arrive_and_wait(idle); }

 private:
  void work(int member);
  void perform(int member) noexcept;
  void stop();

  const int n_;
  std::vector<std::thread> workers_;
  Barrier barrier_;
  const std::function<void(int)>* job_ = nullptr;
  std::exception_ptr failure_;         // of the member that set failed_
  std::atomic<bool> failed_{false};
  std::atomic<bool> stop_{false};
  Patience between_jobs_;              // of the workers
  alignas(64) std::atomic<uint32_t> generation_{0};
  alignas(64) std::atomic<int> busy_{0};
};

}  // namespace minnow
