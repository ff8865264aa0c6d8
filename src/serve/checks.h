// Who may talk to this server by way of a browser. Pages of strangers reach servers on loopback by a name that resolves to it (DNS
// rebinding: their Host is not one of ours) or from their own origin (their Origin is not one of ours).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http_types.h"
#include "serve/refusal.h"

namespace minnow {

struct CheckOptions {
  bool any_host = false;             // keys are asked for and the server listens beyond loopback: every name is fine
  std::vector<std::string> hosts;    // names besides localhost, *.localhost, *.local, *.internal and this machine's
  std::vector<std::string> origins;  // "https://example.com", "https://example.com:*", besides those of this machine
};

class RequestChecks {
 public:
  // Throws kUsage for an origin that is none, and for "*".
  explicit RequestChecks(CheckOptions options);

  // `own_address` is the one that the connection came to; empty for a Unix socket, which no browser reaches.
  std::optional<Refusal> check(const HttpRequest& request, std::string_view own_address) const;

  bool is_allowed_host(std::string_view host, std::string_view own_address) const;    // "name", "name:port", "[v6]:port"
  bool is_allowed_origin(std::string_view origin, std::string_view host) const;

  // What lets a page of an allowed origin read the response; nothing without an Origin. Call after check().
  static void add_cors(const HttpRequest& request, std::vector<std::pair<std::string, std::string>>& headers);
  static bool is_preflight(const HttpRequest& request);
  // The answer to one that passed check().
  static HttpResponse preflight(const HttpRequest& request, const std::string& allowed_methods);

 private:
  CheckOptions options_;
  std::string machine_;  // its host name
};

// An IP address, without brackets, of this machine, of a private network, or unspecified.
bool is_local_address(std::string_view text);
// 127.0.0.0/8 and ::1.
bool is_loopback_address(std::string_view text);

}  // namespace minnow
