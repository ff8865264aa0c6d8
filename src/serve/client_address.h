// Whom requests are counted for when there is no key: the address that they come from.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minnow {

// "10.0.0.0/8", "::1", "192.0.2.7": addresses whose word about others is believed.
class TrustedProxies {
 public:
  TrustedProxies() = default;
  // Throws kInvalidInput naming the item that is not an address or network.
  explicit TrustedProxies(const std::vector<std::string>& networks);
  bool contains(std::string_view address) const;
  bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    std::array<uint8_t, 16> bytes;  // IPv4 as ::ffff:a.b.c.d
    int bits;
  };
  std::vector<Network> networks_;
};

// What the requests of a client are counted under. X-Forwarded-For counts only when `peer` is a trusted proxy; then it is
// read from its end, where the proxies write, up to the first address that is not one of them. Of an IPv6 address the
// network counts (/64): its owner has all of them. What is no address (a Unix socket's peer) counts as it is.
std::string client_address(std::string_view peer, std::string_view forwarded_for, const TrustedProxies& trusted);

}  // namespace minnow
