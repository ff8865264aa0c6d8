// What all connections of a server share. Lives on the thread that runs them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/random.h"
#include "serve/checks.h"
#include "serve/router.h"
#include "serve/server.h"
#include "serve/worker_pool.h"

namespace minnow {

class Connection;
class PreparedAnswer;

struct ServerCore {
  ServerCore(ServerOptions options, ServerParts parts);

  ServerOptions options;
  Router router;
  RequestChecks checks;
  Services& services;
  Authenticator& auth;
  Observer& observer;

  std::vector<char> scratch;  // what was read just now, of whichever connection
  std::unordered_set<Connection*> connections;
  std::size_t body_bytes = 0;   // of requests that are being received
  uint64_t n_requests = 0;      // so far
  std::size_t in_progress = 0;  // requests that are being answered, but for queries
  bool draining = false;        // no new work
  bool stopping = false;        // open answers end now

  // One lane for what makes answers and may wait for a model to load, one for what only looks at the state of things: that must be
  // seen when it matters most. Last: they are joined before anything that their jobs use goes.
  WorkerPool workers, queries;

  // Unguessable names are not asked for; different ones are.
  std::string new_id();
  const std::string& date();  // now, for a header
  void log(std::string_view line) const;
  // Ends an answer where that may take time.
  void discard(std::unique_ptr<PreparedAnswer> answer);

 private:
  Random random_;
  int64_t date_second_ = -1;
  std::string date_;
};

}  // namespace minnow
