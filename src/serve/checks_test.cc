#include "serve/checks.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace minnow {
namespace {

HttpRequest request(std::string host, std::string origin = {}) {
  HttpRequest r{.method = "POST", .path = "/v1/chat/completions"};
  if (!host.empty()) r.headers.emplace_back("host", std::move(host));
  if (!origin.empty()) r.headers.emplace_back("origin", std::move(origin));
  return r;
}

TEST(Checks, NamesAndAddressesOfThisMachineAreAnswered) {
  const RequestChecks checks({});
  for (const char* host : {"localhost", "localhost:11434", "LocalHost.", "127.0.0.1:11434", "127.8.9.1", "[::1]:11434", "0.0.0.0:1", "10.1.2.3", "192.168.0.7:80",
                           "172.16.0.1", "a.localhost", "box.local", "host.docker.internal:11434", "[fd00::1]", "[fe80::1%eth0]", "[::ffff:127.0.0.1]"}) {
    EXPECT_TRUE(checks.is_allowed_host(host, "127.0.0.1")) << host;
  }
}

TEST(Checks, NamesOfOthersAreNot) {
  const RequestChecks checks({});
  for (const char* host : {"example.com", "localhost.example.com", "127.0.0.1.example.com", "evil-localhost", "xlocal", "8.8.8.8", "172.32.0.1", "[2001:db8::1]", "localhost:x",
                           "localhost:1:2", "user@localhost", "local host", "[::1", "", ":80", "127.1"}) {
    EXPECT_FALSE(checks.is_allowed_host(host, "127.0.0.1")) << host;
  }
}

TEST(Checks, TheAddressThatAConnectionCameToIsAnswered) {
  const RequestChecks checks({});
  EXPECT_TRUE(checks.is_allowed_host("203.0.113.9:11434", "203.0.113.9"));
  EXPECT_FALSE(checks.is_allowed_host("203.0.113.10:11434", "203.0.113.9"));
}

TEST(Checks, ConfiguredNamesAreAnswered) {
  const RequestChecks checks({.hosts = {"Models.example.com"}});
  EXPECT_TRUE(checks.is_allowed_host("models.example.com:443", "127.0.0.1"));
  EXPECT_FALSE(checks.is_allowed_host("example.com", "127.0.0.1"));
  EXPECT_TRUE(RequestChecks({.any_host = true}).is_allowed_host("example.com", "203.0.113.9"));
}

TEST(Checks, PagesOfThisMachineMayAsk) {
  const RequestChecks checks({});
  for (const char* origin : {"http://localhost", "http://localhost:3000", "https://127.0.0.1:8443", "http://[::1]:5173", "http://0.0.0.0:1", "tauri://localhost", "app://obsidian.md",
                             "vscode-webview://abc", "http://a.localhost:1"}) {
    EXPECT_TRUE(checks.is_allowed_origin(origin, "localhost:11434")) << origin;
  }
}

TEST(Checks, PagesOfOthersMayNot) {
  const RequestChecks checks({});
  for (const char* origin : {"https://example.com", "null", "http://localhost.example.com", "http://127.0.0.1.example.com", "chrome-extension://abc", "://localhost", "http://", "localhost",
                             "http://192.168.0.9"}) {
    EXPECT_FALSE(checks.is_allowed_origin(origin, "localhost:11434")) << origin;
  }
}

TEST(Checks, PagesThatTheServerItselfGaveMayAsk) {
  const RequestChecks checks({});
  EXPECT_TRUE(checks.is_allowed_origin("http://box.local:11434", "box.local:11434"));
  EXPECT_FALSE(checks.is_allowed_origin("http://box.local:80", "box.local:11434"));
}

TEST(Checks, ConfiguredOriginsMayAsk) {
  const RequestChecks checks({.origins = {"https://Example.com/", "https://dev.example.com:*"}});
  EXPECT_TRUE(checks.is_allowed_origin("https://example.com", "x"));
  EXPECT_FALSE(checks.is_allowed_origin("http://example.com", "x"));
  EXPECT_FALSE(checks.is_allowed_origin("https://example.com:8443", "x"));
  EXPECT_TRUE(checks.is_allowed_origin("https://dev.example.com:8443", "x"));
  EXPECT_TRUE(checks.is_allowed_origin("https://dev.example.com", "x"));
  EXPECT_FALSE(checks.is_allowed_origin("https://dev.example.com.evil.com", "x"));
  EXPECT_FALSE(checks.is_allowed_origin("https://dev.example.com:1.evil.com", "x"));
}

TEST(Checks, AllOriginsAtOnceAreRefused) {
  for (const char* origin : {"*", "http://*", "https://*.example.com", "example.com", ""}) {
    EXPECT_THROW(RequestChecks({.origins = {origin}}), Error) << origin;
  }
}

TEST(Checks, StrangersAreForbidden) {
  const RequestChecks checks({});
  EXPECT_FALSE(checks.check(request("localhost:11434"), "127.0.0.1"));
  EXPECT_FALSE(checks.check(request("localhost:11434", "http://localhost:3000"), "127.0.0.1"));
  ASSERT_TRUE(checks.check(request("evil.example"), "127.0.0.1"));
  EXPECT_EQ(checks.check(request("evil.example"), "127.0.0.1")->status, 403);
  EXPECT_EQ(checks.check(request("localhost", "https://evil.example"), "127.0.0.1")->status, 403);
}

TEST(Checks, UnixSocketsHaveNoHostNames) {
  const RequestChecks checks({});
  EXPECT_FALSE(checks.check(request("whatever"), ""));
  EXPECT_TRUE(checks.check(request("whatever", "http://whatever"), ""));
}

TEST(Checks, ResponsesNameTheOriginThatAsked) {
  std::vector<std::pair<std::string, std::string>> headers;
  RequestChecks::add_cors(request("localhost"), headers);
  EXPECT_TRUE(headers.empty());
  RequestChecks::add_cors(request("localhost", "http://localhost:3000"), headers);
  ASSERT_FALSE(headers.empty());
  EXPECT_EQ(headers[0], (std::pair<std::string, std::string>{"access-control-allow-origin", "http://localhost:3000"}));
  EXPECT_EQ(headers[1], (std::pair<std::string, std::string>{
                            "access-control-expose-headers", "x-request-id, request-id, retry-after, minnow-unused-options, minnow-truncated-inputs"}));
}

TEST(Checks, PreflightsGetWhatTheyMaySend) {
  HttpRequest r = request("localhost", "http://localhost:3000");
  r.method = "OPTIONS";
  EXPECT_FALSE(RequestChecks::is_preflight(r));
  r.headers.emplace_back("access-control-request-method", "POST");
  r.headers.emplace_back("access-control-request-headers", "Authorization, X-Stainless-Lang,evil\r\nx: y, cookie, content-type");
  ASSERT_TRUE(RequestChecks::is_preflight(r));
  const HttpResponse response = RequestChecks::preflight(r, "POST, OPTIONS");
  EXPECT_EQ(response.status, 204);
  const auto find = [&](std::string_view name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return std::string();
  };
  EXPECT_EQ(find("access-control-allow-methods"), "POST, OPTIONS");
  EXPECT_EQ(find("access-control-allow-headers"), "authorization, x-stainless-lang, content-type");
}

}  // namespace
}  // namespace minnow
