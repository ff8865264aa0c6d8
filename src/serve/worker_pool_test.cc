#include "serve/worker_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>

namespace minnow {
namespace {

// A job that runs until it is let go.
struct Gate {
  std::promise<void> begun, open;
  std::function<void()> job() {
    return [this] {
      begun.set_value();
      open.get_future().wait();
    };
  }
};

TEST(WorkerPool, RunsWhatItTakes) {
  std::promise<int> done;
  WorkerPool pool(2, 4);
  ASSERT_TRUE(pool.submit([&] { done.set_value(7); }));
  EXPECT_EQ(done.get_future().get(), 7);
}

TEST(WorkerPool, RefusesMoreThanMayWait) {
  Gate gate;
  WorkerPool pool(1, 2);
  ASSERT_TRUE(pool.submit(gate.job()));
  gate.begun.get_future().wait();
  EXPECT_TRUE(pool.submit([] {}));
  EXPECT_TRUE(pool.submit([] {}));
  EXPECT_FALSE(pool.submit([] {}));
  EXPECT_FALSE(pool.idle());
  gate.open.set_value();
}

TEST(WorkerPool, CleaningUpGoesFirstAndIsNeverRefused) {
  Gate gate;
  std::string order;
  std::promise<void> last;
  {
    WorkerPool pool(1, 1);
    ASSERT_TRUE(pool.submit(gate.job()));
    gate.begun.get_future().wait();
    ASSERT_TRUE(pool.submit([&] { order += "a", last.set_value(); }));
    pool.submit_first([&] { order += "b"; });
    gate.open.set_value();
    last.get_future().wait();
  }
  EXPECT_EQ(order, "ba");
}

TEST(WorkerPool, DestroysWhatHasNotBegun) {
  Gate gate;
  auto token = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = token;
  std::thread opener;
  {
    WorkerPool pool(1, 8);
    ASSERT_TRUE(pool.submit(gate.job()));
    gate.begun.get_future().wait();
    ASSERT_TRUE(pool.submit([held = std::move(token)] { ASSERT_TRUE(held); }));
    opener = std::thread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      gate.open.set_value();
    });
  }
  opener.join();
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace minnow
