#include "serve/client_address.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {
namespace {

const TrustedProxies kNone;

TEST(ClientAddress, IgnoresForwardedForUnlessAProxyIsTrusted) {
  EXPECT_EQ(client_address("203.0.113.9", "198.51.100.1", kNone), "203.0.113.9");
  const TrustedProxies proxies({"10.0.0.0/8"});
  EXPECT_EQ(client_address("203.0.113.9", "198.51.100.1", proxies), "203.0.113.9");
  EXPECT_EQ(client_address("10.1.2.3", "198.51.100.1", proxies), "198.51.100.1");
}

TEST(ClientAddress, BelievesTheLastAddressThatIsNoProxy) {
  const TrustedProxies proxies({"10.0.0.0/8", "::1"});
  // The client itself wrote the first one.
  EXPECT_EQ(client_address("10.0.0.1", "1.2.3.4, 198.51.100.7, 10.9.9.9", proxies), "198.51.100.7");
  EXPECT_EQ(client_address("::1", "1.2.3.4 ,\t198.51.100.7", proxies), "198.51.100.7");
  EXPECT_EQ(client_address("10.0.0.1", "10.0.0.2", proxies), "10.0.0.2");
  EXPECT_EQ(client_address("10.0.0.1", "", proxies), "10.0.0.1");
  EXPECT_EQ(client_address("10.0.0.1", "198.51.100.7, nonsense", proxies), "10.0.0.1");
  EXPECT_EQ(client_address("10.0.0.1", ",,,", proxies), "10.0.0.1");
  EXPECT_EQ(client_address("10.0.0.1", "198.51.100.7:4711", proxies), "198.51.100.7");
  EXPECT_EQ(client_address("10.0.0.1", "[2001:db8:1:2:3::4]:4711", proxies), "2001:0db8:0001:0002::/64");
}

TEST(ClientAddress, CountsAnIpv6NetworkAsOne) {
  EXPECT_EQ(client_address("2001:db8:1:2::1", "", kNone), client_address("2001:db8:1:2:ffff:ffff:ffff:ffff", "", kNone));
  EXPECT_NE(client_address("2001:db8:1:2::1", "", kNone), client_address("2001:db8:1:3::1", "", kNone));
  EXPECT_EQ(client_address("::ffff:192.0.2.1", "", kNone), client_address("192.0.2.1", "", kNone));
}

TEST(ClientAddress, TakesWhatIsNoAddressAsItIs) {
  EXPECT_EQ(client_address("unix", "1.2.3.4", TrustedProxies({"0.0.0.0/0"})), "unix");
}

TEST(ClientAddress, ReadsOnlyTheEndOfAHugeHeader) {
  const TrustedProxies proxies({"10.0.0.0/8"});
  std::string header;
  while (header.size() < 100 * limits::kMaxForwardedBytes) header += "10.0.0.1,";
  EXPECT_EQ(client_address("10.0.0.1", "198.51.100.7," + header + "10.0.0.3", proxies), "10.0.0.1");
}

TEST(TrustedProxies, MatchesNetworksBitByBit) {
  const TrustedProxies proxies({"192.168.16.0/20", "2001:db8::/33"});
  EXPECT_TRUE(proxies.contains("192.168.16.0"));
  EXPECT_TRUE(proxies.contains("192.168.31.255"));
  EXPECT_TRUE(proxies.contains("::ffff:192.168.17.1"));
  EXPECT_FALSE(proxies.contains("192.168.32.0"));
  EXPECT_FALSE(proxies.contains("192.168.15.255"));
  EXPECT_TRUE(proxies.contains("2001:db8:7fff::"));
  EXPECT_FALSE(proxies.contains("2001:db8:8000::"));
  EXPECT_FALSE(proxies.contains("nonsense"));
  EXPECT_TRUE(TrustedProxies({"0.0.0.0/0"}).contains("8.8.8.8"));
  EXPECT_FALSE(TrustedProxies({"0.0.0.0/0"}).contains("2001:db8::1"));
}

TEST(TrustedProxies, RefusesWhatIsNoNetwork) {
  for (const char* text :
       {"", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "proxy.example.org", "/8"}) {
    EXPECT_THROW(TrustedProxies({text}), Error) << text;
  }
}

}  // namespace
}  // namespace minnow
