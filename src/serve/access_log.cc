#include "serve/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/limits.h"
#include "serve/known_method.h"
#include "serve/timestamp.h"

namespace minnow {
namespace {

using Steady = std::chrono::steady_clock;
constexpr auto kLastWords = std::chrono::seconds(1);  // what the destructor waits for a reader of stderr
constexpr int kPollMilliseconds = 100;                // how often the writer looks whether it is to stop
// Linux guarantees that a pipe which poll() calls writable takes this much without waiting (PIPE_BUF).
constexpr std::size_t kPiece = 4096;

int64_t now_in_milliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Milliseconds with three digits after the point.
double milliseconds(double seconds) { return std::round(seconds * 1e6) / 1e3; }

std::string line_of(const Json& fields) { return fields.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

struct AccessLog::Target {
  explicit Target(const std::string& name) : owned(name != "stderr") {
    fd = owned ? ::open(name.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640) : STDERR_FILENO;
    if (fd < 0) fail(ErrorCode::kIo, "{}: cannot be opened for the log: {}", name, std::strerror(errno));
  }
  ~Target() {
    if (owned) ::close(fd);
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  enum class Progress { kSome, kWaiting, kFailed };
  // Takes from `text` what could be written, without waiting for long.
  Progress write_some(std::string_view& text) const {
    pollfd ready{fd, POLLOUT, 0};
    const int polled = ::poll(&ready, 1, kPollMilliseconds);
    if (polled == 0 || (polled < 0 && errno == EINTR)) return Progress::kWaiting;
    if (polled < 0) return Progress::kFailed;
    const ssize_t n = ::write(fd, text.data(), std::min(text.size(), kPiece));
    if (n < 0) return errno == EINTR || errno == EAGAIN ? Progress::kWaiting : Progress::kFailed;
    text.remove_prefix(static_cast<std::size_t>(n));
    return Progress::kSome;
  }

  int fd;
  bool owned;
};

AccessLog::AccessLog(Options options) : notes_(std::make_shared<Target>("stderr")) {
  reopen(std::move(options));
  writer_ = std::thread([this] { run(); });
}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(mutex_);
    stop_by_ = Steady::now() + kLastWords;
  }
  wake_.notify_one();
  writer_.join();
}

std::function<void()> AccessLog::prepare(Options options) {
  auto target = options.requests == "off" ? nullptr : std::make_shared<Target>(options.requests);
  auto notes = target ? target : std::make_shared<Target>("stderr");
  return [this, options = std::move(options), target = std::move(target), notes = std::move(notes)]() mutable {
    const std::lock_guard lock(mutex_);
    notes_ = std::move(notes);
    target_ = std::move(target);
    options_ = std::move(options);
  };
}

std::string AccessLog::request_line(const RequestFacts& facts, bool addresses, int64_t unix_milliseconds) {
  // Everything here is made by the server or the operator, or is a number: no text of the request.
  Json line = {{"time", utc_text_of_milliseconds(unix_milliseconds)},
               {"event", "request"},
               {"id", facts.id},
               {"method", known_method(facts.method)},
               {"route", facts.route},
               {"status", facts.status},
               {"total_ms", milliseconds(facts.seconds)},
               {"bytes_in", facts.request_bytes},
               {"bytes_out", facts.response_bytes}};
  if (!facts.caller.key_id.empty()) line["key"] = facts.caller.key_id;
  if (addresses && !facts.peer.empty()) line["address"] = facts.peer;
  if (facts.client_gone) line["client_gone"] = true;
  // A name that no model has is a text of the request.
  const bool answered = facts.status >= 200 && facts.status < 300;
  if (!facts.model.empty() && (answered || facts.prompt_tokens > 0)) line["model"] = facts.model;
  if (facts.prompt_tokens > 0) line["prompt_tokens"] = facts.prompt_tokens;
  if (facts.choices == 0) return line_of(line);
  line["stream"] = facts.stream;
  line["choices"] = facts.choices;
  line["cached_tokens"] = facts.reused_tokens;
  line["generated_tokens"] = facts.generated_tokens;
  line["queue_ms"] = milliseconds(facts.queue_seconds);
  line["prompt_ms"] = milliseconds(facts.prompt_seconds);
  line["generation_ms"] = milliseconds(facts.generation_seconds);
  if (facts.first_token_seconds) line["first_token_ms"] = milliseconds(*facts.first_token_seconds);
  if (facts.reason) line["finish"] = std::string(name(*facts.reason));
  return line_of(line);
}

void AccessLog::request(const RequestFacts& facts) {
  std::shared_ptr<Target> target;
  bool addresses = false;
  {
    const std::lock_guard lock(mutex_);
    target = target_;
    addresses = options_.addresses;
  }
  if (target) push({std::move(target), request_line(facts, addresses, now_in_milliseconds())});
}

void AccessLog::note(std::string_view event, Json fields) {
  Json line = std::move(fields);
  line["time"] = utc_text_of_milliseconds(now_in_milliseconds());
  line["event"] = event;
  std::shared_ptr<Target> target;
  {
    const std::lock_guard lock(mutex_);
    target = notes_;
  }
  push({std::move(target), line_of(line)});
}

void AccessLog::push(Line line) {
  line.text += '\n';
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= limits::kMaxLogQueue) {
      ++dropped_;
      return;
    }
    queue_.push_back(std::move(line));
  }
  wake_.notify_one();
}

bool AccessLog::write(const Line& line) {
  std::string_view rest = line.text;
  while (!rest.empty()) {
    const Target::Progress progress = line.target->write_some(rest);
    if (progress == Target::Progress::kFailed) return false;
    if (progress == Target::Progress::kSome) continue;
    const std::lock_guard lock(mutex_);
    if (stop_by_ && Steady::now() >= *stop_by_) return false;
  }
  return true;
}

void AccessLog::run() {
  // Signals are for others; SIGPIPE of a reader that went away is for nobody.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stop_by_ || !queue_.empty(); });
    if (queue_.empty() || (stop_by_ && Steady::now() >= *stop_by_)) return;
    Line line = std::move(queue_.front());
    queue_.pop_front();
    if (dropped_ > 0) {
      line.text +=
          line_of(
              {{"time", utc_text_of_milliseconds(now_in_milliseconds())}, {"event", "log_lines_dropped"}, {"count", dropped_}}) +
          "\n";
      dropped_ = 0;
    }
    lock.unlock();
    const bool written = write(line);
    lock.lock();
    if (!written) ++dropped_;
  }
}

}  // namespace minnow
