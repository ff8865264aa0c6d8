// Threads for what may block: loading models, rendering, tokenizing, embedding.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace minnow {

class WorkerPool {
 public:
  WorkerPool(int threads, std::size_t max_waiting);
  // Waits for jobs that run; those that have not begun are destroyed.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Any thread. Jobs must not throw. False: too many wait already.
  bool submit(std::function<void()> job);
  // For what has to be cleaned up: never refused, before all others.
  void submit_first(std::function<void()> job);

  bool idle() const;  // nothing runs, nothing waits

 private:
  void loop();

  const std::size_t max_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;  // under mutex
  int busy_ = 0;                            // under mutex
  bool stopping_ = false;                   // under mutex
  std::vector<std::thread> threads_;
};

}  // namespace minnow
