// The server: listens, answers, and ends in good order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "serve/auth.h"
#include "serve/http_types.h"
#include "serve/observer.h"
#include "serve/server_times.h"
#include "serve/services.h"

namespace minnow {

struct ServerOptions {
  std::string host = "127.0.0.1";  // a name or an address; every address of a name is listened on
  uint16_t port = 11434;           // 0: one that is free
  std::string address_hint;        // where these come from and how to change them, for errors about them; may be empty
  std::string unix_path;           // of a Unix socket to listen on as well; empty: none
  bool tcp = true;                 // false: on the Unix socket only
  std::string tls_certificate, tls_key;  // PEM files; encrypts all but the Unix socket
  bool allow_open = false;         // beyond loopback without keys
  std::vector<std::string> hosts, origins;  // see CheckOptions
  std::size_t max_requests = limits::kMaxRequestsInProgress;
  ServerTimes times;

  // Throws what is wrong with these origins or with the certificates as they are now; gives what takes them over.
  using Prepare = std::function<std::function<void()>(const std::vector<std::string>& origins)>;
  // SIGHUP, on a worker: reads the settings again and takes over all that they say, with what `prepare` gives, or nothing; and says
  // in the log which. null: only certificates are read again.
  std::function<void(const Prepare& prepare)> reload;
  std::function<void(std::string_view)> log;  // a line about the server itself; any thread; null: stderr
};

struct ServerParts {
  Routes routes;
  Services& services;
  Authenticator& auth;
  Observer& observer;
};

class Server {
 public:
  // Throws kUsage for options that do not go together, and what TlsContext and RequestChecks throw.
  Server(ServerOptions options, ServerParts parts);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Throws kIo when an address cannot be had, kUsage when it is open to others and there are no keys.
  void listen();
  // "http://127.0.0.1:11434", one for each address; "unix:PATH".
  std::vector<std::string> addresses() const;
  uint16_t port() const;  // 0 without TCP

  // Answers until stop(), SIGTERM or SIGINT, then until what still runs has ended or its time is over. A second signal ends it at
  // once. `ready` is called when signals are heard. True: nothing was left running, not even a load.
  bool run(const std::function<void()>& ready = {});
  // Any thread.
  void stop();
  // Any thread: what SIGHUP does.
  void reload();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minnow
