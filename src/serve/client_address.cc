#include "serve/client_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {
namespace {

using Bytes = std::array<uint8_t, 16>;
constexpr Bytes kIpv4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kIpv4Bits = 96;

std::optional<Bytes> parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN + 1] = {};
  if (text.empty() || text.size() >= sizeof(buffer)) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  Bytes bytes{};
  if (::inet_pton(AF_INET6, buffer, bytes.data()) == 1) return bytes;
  bytes = kIpv4Prefix;
  if (::inet_pton(AF_INET, buffer, bytes.data() + 12) == 1) return bytes;
  return std::nullopt;
}

bool is_ipv4(const Bytes& bytes) { return std::memcmp(bytes.data(), kIpv4Prefix.data(), 12) == 0; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "192.0.2.7", "192.0.2.7:5123", "[2001:db8::1]:5123", "[2001:db8::1]"
std::string_view without_port(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    return end == std::string_view::npos ? text : text.substr(1, end - 1);
  }
  const std::size_t colon = text.find(':');
  return colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos ? text.substr(0, colon) : text;
}

std::string counted_as(std::string_view address) {
  const auto bytes = parse(address);
  if (!bytes) return std::string(address);
  if (is_ipv4(*bytes)) return fmt::format("{}.{}.{}.{}", (*bytes)[12], (*bytes)[13], (*bytes)[14], (*bytes)[15]);
  std::string network;
  for (int i = 0; i < 8; i += 2)
    network += fmt::format("{:02x}{:02x}:", (*bytes)[static_cast<std::size_t>(i)], (*bytes)[static_cast<std::size_t>(i) + 1]);
  return network + ":/64";
}

}  // namespace

TrustedProxies::TrustedProxies(const std::vector<std::string>& networks) {
  for (const std::string& text : networks) {
    const std::size_t slash = text.find('/');
    const auto bytes = parse(std::string_view(text).substr(0, slash));
    const int all = bytes && is_ipv4(*bytes) && text.find(':') == std::string::npos ? 32 : 128;
    int bits = all;
    bool good = bytes.has_value();
    if (good && slash != std::string::npos) {
      const char* begin = text.data() + slash + 1;
      const char* end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(begin, end, bits);
      good = error == std::errc{} && stop == end && bits >= 0 && bits <= all;
    }
    if (!good)
      throw Error(ErrorCode::kInvalidInput, fmt::format("'{}' is not an address or a network", text),
                  "write it as 192.0.2.7 or 10.0.0.0/8");
    networks_.push_back({*bytes, all == 32 ? bits + kIpv4Bits : bits});
  }
}

bool TrustedProxies::contains(std::string_view address) const {
  const auto bytes = parse(address);
  if (!bytes) return false;
  for (const Network& network : networks_) {
    const auto whole = static_cast<std::size_t>(network.bits / 8);
    const int rest = network.bits % 8;
    if (std::memcmp(bytes->data(), network.bytes.data(), whole) != 0) continue;
    if (rest == 0 || ((*bytes)[whole] ^ network.bytes[whole]) >> (8 - rest) == 0) return true;
  }
  return false;
}

std::string client_address(std::string_view peer, std::string_view forwarded_for, const TrustedProxies& trusted) {
  std::string_view client = peer;
  if (forwarded_for.size() > limits::kMaxForwardedBytes)
    forwarded_for.remove_prefix(forwarded_for.size() - limits::kMaxForwardedBytes);
  while (trusted.contains(client) && !forwarded_for.empty()) {
    const std::size_t comma = forwarded_for.rfind(',');
    const std::string_view said =
        without_port(trim(comma == std::string_view::npos ? forwarded_for : forwarded_for.substr(comma + 1)));
    if (!parse(said)) break;  // what a proxy did not write
    client = said;
    forwarded_for = comma == std::string_view::npos ? std::string_view{} : forwarded_for.substr(0, comma);
  }
  return counted_as(client);
}

}  // namespace minnow
