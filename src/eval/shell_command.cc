#include "eval/shell_command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kPollMilliseconds = 100;

[[noreturn]] void fail_errno(const char* what) { fail(ErrorCode::kIo, "{}: {}", what, std::strerror(errno)); }

// One end of a pipe, closed when it goes.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& o) noexcept : fd_(o.fd_) { o.fd_ = -1; }
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

struct Pipe {
  Descriptor read, write;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("cannot make a pipe");
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void become_shell(const char* command, int out, int err) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // if minnow is killed, so is this
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  ::execl("/bin/sh", "sh", "-c", command, static_cast<char*>(nullptr));
  ::_exit(127);
}

// A running command; ended with its whole group when it goes.
class Child {
 public:
  Child(const std::string& command, int out, int err) : pid_(::fork()) {
    if (pid_ < 0) fail_errno("cannot start a process");
    if (pid_ == 0) become_shell(command.c_str(), out, err);
    ::setpgid(pid_, pid_);  // as the child does: whoever is first
  }
  ~Child() {
    kill_group();
    int status = 0;
    if (!ended_) ::waitpid(pid_, &status, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void kill_group() const { ::kill(-pid_, SIGKILL); }

  // Whether it has ended; `wait`: not before it has.
  bool ended(ShellResult& result, bool wait) {
    int status = 0;
    struct rusage usage {};
    pid_t got = 0;
    do {
      got = ended_ ? 0 : ::wait4(pid_, &status, wait ? 0 : WNOHANG, &usage);
    } while (got < 0 && errno == EINTR);
    if (got == pid_) {
      ended_ = true;
      result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      result.peak_rss = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
    }
    return ended_;
  }

 private:
  pid_t pid_;
  bool ended_ = false;
};

// Takes what is there, but comes back from one who never stops. False at the end of the stream.
bool drain(int fd, std::string& text, bool keep_last) {
  std::array<char, 16384> buffer;
  for (int i = 0; i < 64; ++i) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (text.size() <= limits::kMaxCommandOutput) continue;
    if (keep_last) {
      text.erase(0, text.size() - limits::kMaxCommandOutput);
    } else {
      text.resize(limits::kMaxCommandOutput);
    }
  }
  return true;
}

}  // namespace

ShellResult run_shell(const std::string& command, const ShellOptions& options) {
  Pipe out = make_pipe(), err = make_pipe();
  const auto start = Clock::now();
  const auto deadline = start + std::chrono::duration<double>(options.time_limit_seconds);
  Child child(command, out.write.get(), err.write.get());
  out.write.reset();
  err.write.reset();
  ShellResult result;
  bool out_open = true, err_open = true;
  // A command that leaves something behind in the background is over when it is over itself.
  while (!child.ended(result, false)) {
    pollfd ends[2] = {{out_open ? out.read.get() : -1, POLLIN, 0}, {err_open ? err.read.get() : -1, POLLIN, 0}};
    ::poll(ends, 2, out_open || err_open ? kPollMilliseconds : 1);  // with both closed its end is near
    if (out_open) out_open = drain(out.read.get(), result.out, false);
    if (err_open) err_open = drain(err.read.get(), result.err, true);
    if (options.cancelled && options.cancelled()) fail(ErrorCode::kCancelled, "interrupted");
    if (Clock::now() > deadline) {
      result.timed_out = true;
      child.kill_group();
      break;
    }
  }
  child.ended(result, true);
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  child.kill_group();
  drain(out.read.get(), result.out, false);
  drain(err.read.get(), result.err, true);
  return result;
}

std::string shell_quote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

}  // namespace minnow
