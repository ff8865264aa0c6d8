// One connection: reads requests, asks who may have what, has them answered, one after the other.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>

#include "serve/client.h"
#include "serve/job.h"
#include "serve/observer.h"
#include "serve/request_reader.h"
#include "serve/server_core.h"

namespace minnow {

class Connection {
 public:
  struct Ends {
    std::string own;   // the address that the client came to; empty for a Unix socket
    std::string peer;  // the client's
  };
  Connection(ServerCore& core, std::shared_ptr<Transport> transport, Ends ends);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Until the connection ends, which is when this returns.
  boost::asio::awaitable<void> run();
  // Something in the core has changed.
  void wake() { client_.transport().wake(); }
  void close() { client_.transport().close(); }
  // Since when it has waited for a request of which nothing has come; nullopt: it is busy.
  std::optional<SteadyClock::time_point> idle_since() const { return idle_since_; }

 private:
  enum class Head : uint8_t { kWhole, kRefused, kTooLate, kGone };
  // What is to be done with a request, as far as its head tells.
  struct Admission {
    const Route* route = nullptr;
    std::optional<HttpResponse> response;  // already; then there is nothing to be done
    std::string error = {};
  };

  boost::asio::awaitable<bool> serve_next();
  boost::asio::awaitable<Head> read_head(RequestReader& reader);
  boost::asio::awaitable<std::optional<Refusal>> read_body(RequestReader& reader);
  boost::asio::awaitable<bool> answer(const Route& route, HttpRequest request);
  boost::asio::awaitable<std::optional<JobResult>> run_job(const Route& route, HttpRequest request);
  boost::asio::awaitable<bool> give(const Route& route, std::unique_ptr<PreparedAnswer> answer);
  boost::asio::awaitable<bool> respond(HttpResponse response);

  Admission admit(HttpRequest& request);
  Admission refuse(const Refusal& refusal) const;
  void begin_facts(const HttpRequest& request);
  void end_facts();
  bool is_query(const Route& route) const;
  std::vector<std::pair<std::string, std::string>> headers_for(const HttpResponse& response) const;

  ServerCore& core_;
  Client client_;
  Ends ends_;

  // Of the present request.
  RequestFacts facts_;
  SteadyClock::time_point begun_;    // its first byte was there
  SteadyClock::time_point started_;  // its head was read
  std::vector<std::pair<std::string, std::string>> cors_;
  bool keep_alive_ = false, http_1_1_ = true, head_only_ = false;
  bool unread_ = false;       // bytes of the request that nobody will read are on their way
  bool first_ = true;         // no request was read yet
  bool in_request_ = false;   // one was read whose end the observer does not know yet
  std::optional<SteadyClock::time_point> idle_since_;
};

}  // namespace minnow
