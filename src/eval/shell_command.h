// Runs a command that the user wrote, as a shell would, and tells what it printed and what it took.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace minnow {

struct ShellOptions {
  double time_limit_seconds = 600;
  // Asked ten times a second; true ends the command. May be empty.
  std::function<bool()> cancelled;
};

struct ShellResult {
  std::string out, err;    // of each the first limits::kMaxCommandOutput bytes; of err the last, when there are more
  int exit_code = 0;       // 128 + the signal that ended it
  bool timed_out = false;  // and was ended, with all processes that it had started
  double seconds = 0;      // from its start to its end
  uint64_t peak_rss = 0;   // bytes, of its largest process
};

// /bin/sh -c `command`, with no standard input, in a process group of its own that is gone when this returns.
// Throws kCancelled, or kIo when no process can be started.
ShellResult run_shell(const std::string& command, const ShellOptions& options);

// The text as one word for /bin/sh.
std::string shell_quote(std::string_view text);

}  // namespace minnow
