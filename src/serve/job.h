// One request on its way through a worker thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "serve/answer_format.h"
#include "serve/http_types.h"
#include "serve/services.h"

namespace minnow {

// What a handler gave: one of the two.
struct JobResult {
  std::optional<HttpResponse> response;    // an error document when it threw
  std::unique_ptr<PreparedAnswer> answer;  // started
  std::string error;                       // what was thrown, one line
  bool internal = false;                   // it was not meant for the client
};

// Calls a handler and what it prepared; whatever they throw becomes an error document.
JobResult run_handler(const Route& route, const HttpRequest& request, Services& services, const std::function<void()>& on_event);
// The last part of it, for errors that come later.
JobResult error_result(Dialect dialect, const std::exception& error, std::string_view request_id);

// Shared between the thread of all connections and a worker.
class Job {
 public:
  // `wake` may be called from any thread: when the job is finished, and when the answer that it gave has an event.
  Job(const Route& route, HttpRequest request, std::function<void()> wake);

  // On a worker. Does nothing when the job was abandoned before it began.
  void run(Services& services);
  bool is_finished() const { return state_.load(std::memory_order_acquire) == State::kFinished; }
  // After is_finished().
  JobResult take() { return std::move(result_); }
  // Nobody wants it any more. False: it had finished; take() what it gave.
  bool abandon();

 private:
  enum class State : uint8_t { kRunning, kFinished, kAbandoned };
  const Route& route_;
  HttpRequest request_;
  std::function<void()> wake_;
  JobResult result_;
  std::atomic<State> state_ = State::kRunning;
};

}  // namespace minnow
