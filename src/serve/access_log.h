// What happens in a server, as lines of JSON: one for each request, and some of its own life. Whoever reads the log must not
// learn what was said: prompts, answers, keys, header values, paths and query strings are never written, at no setting. (The id of
// a request is the client's when it sent one that looks like an id. Where a model's file lies is told when it cannot be loaded.)
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/json.h"
#include "serve/observer.h"

namespace minnow {

// Lines wait in a bounded queue for a thread that writes them, so that nobody waits for a slow disk or a full pipe. What does
// not fit is counted, and the count is written. All functions may be called from any thread.
class AccessLog {
 public:
  struct Options {
    std::string requests = "stderr";  // "off", "stderr" or a file, which is appended to
    bool addresses = false;           // with the addresses of clients
  };

  // Throws kIo for a file that cannot be opened.
  explicit AccessLog(Options options);
  ~AccessLog();  // writes what waits, for at most a second
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  void request(const RequestFacts& facts);
  // The server's own life: "listening", "stopping", "reloaded". Always written: to stderr when requests are off.
  void note(std::string_view event, Json fields = Json::object());

  // Other options, and the file opened again (it was moved away). Throws kIo and changes nothing.
  void reopen(Options options) { prepare(std::move(options))(); }
  // The same in two steps: what this gives, while the log lives, makes the change and does not fail.
  std::function<void()> prepare(Options options);

  // A request as it is written, without the line end. `unix_milliseconds`: when it ended.
  static std::string request_line(const RequestFacts& facts, bool addresses, int64_t unix_milliseconds);

 private:
  struct Target;
  struct Line {
    std::shared_ptr<Target> target;
    std::string text;
  };
  void push(Line line);
  void run();
  // Waits for whoever reads the log until the log ends. False: it could not be written.
  bool write(const Line& line);

  std::mutex mutex_;
  std::condition_variable wake_;
  Options options_;
  std::shared_ptr<Target> target_;  // of requests; null: off
  std::shared_ptr<Target> notes_;
  std::deque<Line> queue_;
  uint64_t dropped_ = 0;
  std::optional<std::chrono::steady_clock::time_point> stop_by_;  // set by the destructor
  std::thread writer_;  // last: the others exist while it runs
};

}  // namespace minnow
