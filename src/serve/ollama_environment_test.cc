#include "serve/ollama_environment.h"

#include <gtest/gtest.h>

#include "base/test_refusal.h"

namespace minnow {
namespace {

using namespace std::chrono_literals;

std::string address(const char* text) {
  ServeConfig config;
  set_ollama_host(text, config);
  return config.server.host + " " + std::to_string(config.server.port);
}

std::chrono::nanoseconds kept(const char* text) {
  ServeConfig config;
  set_ollama_keep_alive(text, config);
  return config.models.keep_alive;
}

TEST(OllamaHost, says_an_address_a_port_or_both) {
  EXPECT_EQ(address("0.0.0.0"), "0.0.0.0 11434");
  EXPECT_EQ(address("127.0.0.1:8080"), "127.0.0.1 8080");
  EXPECT_EQ(address(":8080"), "127.0.0.1 8080");
  EXPECT_EQ(address("box.local"), "box.local 11434");
  EXPECT_EQ(address("::1"), "::1 11434");
  EXPECT_EQ(address("[::1]:8080"), "::1 8080");
  EXPECT_EQ(address(" \"localhost:1\" "), "localhost 1");
  EXPECT_EQ(address(""), "127.0.0.1 11434");
}

TEST(OllamaHost, may_be_a_url) {
  EXPECT_EQ(address("http://localhost:11434/"), "localhost 11434");
  EXPECT_EQ(address("http://localhost"), "localhost 80");
  EXPECT_EQ(address("https://localhost/api"), "localhost 443");
}

TEST(OllamaHost, that_is_no_address_is_refused_by_name) {
  for (const char* text : {"localhost:many", "localhost:", "localhost:65536", "localhost:-1", "[::1", "[::1]8080", "ftp://localhost"}) {
    EXPECT_TRUE(test::refusal([&] { address(text); }).starts_with("OLLAMA_HOST ")) << text;
  }
}

TEST(OllamaHost, is_named_where_the_address_is_its_own) {
  ServeConfig used;
  set_ollama_host("10.0.0.1:8080", used);
  const auto is_named = [&](const char* text) { return ollama_host_hint(text, used).starts_with("OLLAMA_HOST \""); };
  EXPECT_TRUE(is_named("10.0.0.1:8080"));
  EXPECT_TRUE(is_named("10.0.0.1"));  // with --port
  EXPECT_TRUE(is_named(":8080"));     // with --host
  EXPECT_FALSE(is_named("10.0.0.2:1"));
  EXPECT_FALSE(is_named(""));
  EXPECT_FALSE(is_named(nullptr));
  used = {};
  EXPECT_TRUE(is_named("127.0.0.1:11434"));
  EXPECT_FALSE(is_named(":8080"));
}

TEST(OllamaKeepAlive, of_the_environment_is_as_in_requests) {
  EXPECT_EQ(kept("10m"), 10min);
  EXPECT_EQ(kept("300"), 300s);
  EXPECT_EQ(kept("0"), 0ns);
  EXPECT_LT(kept("-1"), 0ns);
  EXPECT_TRUE(test::refusal([&] { kept("soon"); }).starts_with("OLLAMA_KEEP_ALIVE "));
}

}  // namespace
}  // namespace minnow
