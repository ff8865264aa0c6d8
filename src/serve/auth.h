// Who may ask for what: the question that the server asks for every request before anything is done for it.
#pragma once

#include <string_view>
#include <variant>

#include "serve/http_types.h"
#include "serve/refusal.h"

namespace minnow {

// Who asks, or why not: 401 (no key, or a wrong one), 403 (a key that does not allow this), 429 (over a limit, with the seconds to
// wait). A 401 gets "www-authenticate: Bearer" from the server.
using AuthResult = std::variant<Caller, Refusal>;

class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // The head of the request alone: its body has not been read yet, and is not when it is refused. `peer` is the address of the other
  // end of the socket, as text, without a port; empty for a Unix socket. Called once for each request that has a route, and for
  // wrong methods of known paths, on the thread of all connections: it must take microseconds and block on nothing.
  virtual AuthResult check(const HttpRequest& request, const Route& route, std::string_view peer) = 0;

  // Whether a key is asked for at all. Without, the server listens on loopback only.
  virtual bool has_keys() const = 0;
};

}  // namespace minnow
