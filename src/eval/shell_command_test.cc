#include "eval/shell_command.h"

#include <gtest/gtest.h>

#include <cctype>
#include <charconv>
#include <chrono>
#include <csignal>
#include <thread>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {
namespace {

TEST(RunShell, TellsWhatWasPrintedWhereAndHowItEnded) {
  const ShellResult r = run_shell("echo out; echo err >&2; exit 3", {});
  EXPECT_EQ(r.out, "out\n");
  EXPECT_EQ(r.err, "err\n");
  EXPECT_EQ(r.exit_code, 3);
  EXPECT_FALSE(r.timed_out);
  EXPECT_GT(r.peak_rss, 100'000u);
  EXPECT_EQ(run_shell("kill -9 $$", {}).exit_code, 128 + SIGKILL);
  EXPECT_EQ(run_shell("no-such-program-here", {}).exit_code, 127);
}

TEST(RunShell, EndsWithEverythingItStartedWhenTheTimeIsOver) {
  const auto start = std::chrono::steady_clock::now();
  const ShellResult r = run_shell("sleep 60 & echo $!; sleep 60", {.time_limit_seconds = 0.3});
  EXPECT_TRUE(r.timed_out);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  int pid = 0;
  std::from_chars(r.out.data(), r.out.data() + r.out.size(), pid);
  ASSERT_GT(pid, 0);
  bool gone = false;
  for (int i = 0; i < 100 && !gone; ++i) {
    // Its parent is gone: until whoever adopts it has asked for its end it is a zombie.
    gone = ::kill(pid, 0) != 0 || run_shell("grep -q '^State:.*Z' /proc/" + std::to_string(pid) + "/status", {}).exit_code == 0;
    if (!gone) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(gone);
}

TEST(RunShell, IsOverWhenTheCommandIsThoughItLeftSomethingBehind) {
  const ShellResult r = run_shell("sleep 60 & echo done", {.time_limit_seconds = 30});
  EXPECT_FALSE(r.timed_out);
  EXPECT_EQ(r.out, "done\n");
  EXPECT_LT(r.seconds, 10);
}

TEST(RunShell, WaitsForACommandThatClosedItsOutput) {
  const ShellResult r = run_shell("exec >&- 2>&-; sleep 0.3; exit 5", {});
  EXPECT_EQ(r.exit_code, 5);
  EXPECT_GE(r.seconds, 0.3);
}

TEST(RunShell, KeepsABoundedPartOfEndlessOutput) {
  const ShellResult r = run_shell("yes", {.time_limit_seconds = 0.5});
  EXPECT_TRUE(r.timed_out);
  EXPECT_EQ(r.out.size(), limits::kMaxCommandOutput);
}

TEST(RunShell, StopsWhenCancelled) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(run_shell("sleep 60", {.cancelled = [] { return true; }}), Error);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(ShellQuote, MakesOneWordOfAnything) {
  const std::string odd = "a b'c\"$HOME`ls`;\\ *";
  EXPECT_EQ(run_shell("printf %s " + shell_quote(odd), {}).out, odd);
}

}  // namespace
}  // namespace minnow
