#include "serve/job.h"

#include <new>

#include "base/error.h"

namespace minnow {

JobResult error_result(Dialect dialect, const std::exception& error, std::string_view request_id) {
  JobResult out{.error = error.what()};
  if (const auto* known = dynamic_cast<const Error*>(&error)) {
    out.response = error_response(dialect, *known, request_id);
    out.internal = known->code() == ErrorCode::kInternal;
  } else if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    out.response = error_response(dialect, 503, "there is not enough memory for this request now", request_id);
  } else {
    out.response = error_response(dialect, 500, "something unexpected happened in the server", request_id);
    out.internal = true;
  }
  return out;
}

JobResult run_handler(const Route& route, const HttpRequest& request, Services& services, const std::function<void()>& on_event) {
  try {
    Outcome outcome = route.handler(request, services);
    JobResult out;
    if (auto* response = std::get_if<HttpResponse>(&outcome)) {
      out.response = std::move(*response);
      return out;
    }
    out.answer = std::move(std::get<std::unique_ptr<PreparedAnswer>>(outcome));
    if (out.answer->start) out.answer->start(on_event);
    return out;
  } catch (const std::exception& error) {
    return error_result(dialect_of(request, route.dialect), error, request.id);
  }
}

Job::Job(const Route& route, HttpRequest request, std::function<void()> wake)
    : route_(route), request_(std::move(request)), wake_(std::move(wake)) {}

void Job::run(Services& services) {
  if (state_.load(std::memory_order_acquire) == State::kAbandoned) return;
  result_ = run_handler(route_, request_, services, wake_);
  request_ = {};  // an answer may take long, and needs none of it
  State expected = State::kRunning;
  if (state_.compare_exchange_strong(expected, State::kFinished, std::memory_order_acq_rel)) {
    wake_();
  } else {
    result_ = {};  // ends the answer here, where it may wait
  }
}

bool Job::abandon() {
  State expected = State::kRunning;
  return state_.compare_exchange_strong(expected, State::kAbandoned, std::memory_order_acq_rel);
}

}  // namespace minnow
