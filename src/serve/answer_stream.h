// Gives a client the answer of a model, as it is made or whole.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "serve/answer_pump.h"
#include "serve/client.h"
#include "serve/job.h"
#include "serve/observer.h"
#include "serve/server_times.h"

namespace minnow {

struct AnswerContext {
  Client& client;
  const ServerTimes& times;
  Observer& observer;
  RequestFacts& facts;
  SteadyClock::time_point started;          // the request's
  const bool& stopping;                     // set when the time for open answers is over
  std::function<std::string()> stream_head; // of the response
  bool chunked = true;                      // else the stream ends with the connection
  bool head_only = false;                   // HEAD: nobody wants the body
};

// What became of it. Not gone and no response: the stream was sent to its end.
struct AnswerEnd {
  bool gone = false;                     // the client went away, or reads too slowly
  std::optional<HttpResponse> response;  // is still to be sent
  std::string error = {};
};

boost::asio::awaitable<AnswerEnd> give_answer(AnswerContext context, PreparedAnswer& answer);

}  // namespace minnow
