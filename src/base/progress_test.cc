#include "base/progress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "base/table.h"

namespace minnow {
namespace {

// What was written to a stream in memory.
std::string written(const std::function<void(std::FILE*)>& action) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* stream = ::open_memstream(&text, &size);
  action(stream);
  std::fclose(stream);
  std::string result(text, size);
  std::free(text);
  return result;
}

ProgressState half_way() { return {"convert", 1'200'000'000, 2'400'000'000, ProgressUnit::kBytes, 4.0}; }

TEST(Progress, TheLineShowsShareAmountRateAndTimeLeft) {
  EXPECT_EQ(progress_line(half_way(), 120),
            "convert  [===============>              ]   50%  1.2 GB / 2.4 GB  300 MB/s  4.0 s left");
}

TEST(Progress, TheBarGivesWayOnNarrowTerminals) {
  for (std::size_t columns = 0; columns < 120; ++columns) {
    EXPECT_LE(display_width(progress_line(half_way(), columns)), columns);
  }
  EXPECT_EQ(progress_line(half_way(), 60), "convert   50%  1.2 GB / 2.4 GB  300 MB/s  4.0 s left");
}

TEST(Progress, AHundredPercentIsSaidOnlyOfFinishedWork) {
  ProgressState state{"x", 999'999, 1'000'000, ProgressUnit::kItems, 2.0};
  EXPECT_NE(progress_line(state, 80).find(" 99%"), std::string::npos);
  state.done = 1'000'000;
  EXPECT_EQ(progress_line(state, 100),
            "x  [==============================]  100%  1.00 M / 1.00 M  500 K/s  2.0 s");
  state.done = 2'000'000;
  EXPECT_NE(progress_line(state, 100).find("100%"), std::string::npos);
}

TEST(Progress, WithoutATotalShowsAmountAndRate) {
  EXPECT_EQ(progress_line({"read", 5000, 0, ProgressUnit::kItems, 2.0}, 80), "read  5.00 K  2.50 K/s");
  EXPECT_EQ(progress_line({"read", 0, 0, ProgressUnit::kItems, 0.0}, 80), "read  0");
}

TEST(Progress, WritesNothingWhenItDoesNotDraw) {
  EXPECT_EQ(written([](std::FILE* stream) {
              Progress progress({"x", 0, 10, ProgressUnit::kItems, 0}, stream, false);
              progress.advance(10);
            }),
            "");
}

TEST(Progress, ShortWorkIsNotShown) {
  const auto run = [](int64_t quiet_ms, int wait_ms) {
    return written([&](std::FILE* stream) {
      Progress progress({"x", 0, 10, ProgressUnit::kItems, 0}, stream, true, quiet_ms);
      progress.advance(5);
      std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
      progress.advance(5);
    });
  };
  EXPECT_EQ(run(60'000, 0), "");
  EXPECT_NE(run(5, 10).find("100%"), std::string::npos);
}

TEST(Progress, LeavesTheLineOfFinishedWorkAndWipesTheOther) {
  const auto run = [](uint64_t n) {
    return written([&](std::FILE* stream) {
      Progress progress({"x\x1b", 0, 10, ProgressUnit::kItems, 0}, stream, true);
      progress.advance(n);
    });
  };
  const std::string finished = run(10), unfinished = run(9);
  EXPECT_TRUE(finished.ends_with("\n"));
  EXPECT_NE(finished.find("100%"), std::string::npos);
  EXPECT_TRUE(unfinished.ends_with("\r\x1b[K"));
  EXPECT_EQ(unfinished.find('\n'), std::string::npos);
  EXPECT_EQ(finished.find("x\x1b"), std::string::npos) << "labels are made printable";
}

TEST(Progress, CountsFromManyThreadsAndDrawsSeldom) {
  const auto start = std::chrono::steady_clock::now();
  const std::string text = written([](std::FILE* stream) {
    Progress progress({"x", 0, 400'000, ProgressUnit::kItems, 0}, stream, true);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100'000; ++i) progress.advance(1);
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(progress.done(), 400'000u);
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto draws = std::count(text.begin(), text.end(), '\r');
  EXPECT_LE(static_cast<double>(draws), seconds * 10 + 2);
}

}  // namespace
}  // namespace minnow
