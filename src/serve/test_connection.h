// Both ends of connections in one process, for tests: no network, only socket pairs.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "serve/auth.h"
#include "serve/observer.h"

namespace minnow::testing_connection {

using namespace std::chrono_literals;

// "secret" may do everything, "less" only infer; nobody else gets in, but to routes that are open.
class TestKeys final : public Authenticator {
 public:
  AuthResult check(const HttpRequest& request, const Route& route, std::string_view) override {
    if (route.scope == Scope::kOpen || !asks) return Caller{};
    const std::string_view key = request.header("authorization");
    if (key == "Bearer secret") return Caller{.key_id = "1"};
    if (key == "Bearer less") return route.scope == Scope::kInfer ? AuthResult(Caller{.key_id = "2"}) : AuthResult(Refusal{403, "not for this key"});
    return Refusal{401, "no key"};
  }
  bool has_keys() const override { return asks; }
  bool asks = false;
};

struct TestObserver final : Observer {
  void request_ended(const RequestFacts& facts) override {
    const std::lock_guard lock(mutex);
    ended.push_back(facts);
  }
  std::vector<RequestFacts> wait_for(std::size_t n) {
    for (int i = 0; i < 400; ++i) {
      {
        const std::lock_guard lock(mutex);
        if (ended.size() >= n) return ended;
      }
      std::this_thread::sleep_for(5ms);
    }
    return ended;
  }
  std::mutex mutex;
  std::vector<RequestFacts> ended;
};

// The client's end of a connection. Blocking, but never for more than five seconds.
class TestClient {
 public:
  explicit TestClient(int fd) : fd_(fd) {
    const timeval limit{5, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~TestClient() { close(); }
  TestClient(TestClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void send(const std::string& text) { EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size())); }
  // Until `text` came; what came by then.
  std::string until(const std::string& text) {
    std::size_t at;
    while ((at = got_.find(text)) == std::string::npos) {
      if (!more()) return std::exchange(got_, {}) + "(no more)";
    }
    std::string out = got_.substr(0, at + text.size());
    got_.erase(0, at + text.size());
    return out;
  }
  // A response with a length.
  std::string response() {
    std::string head = until("\r\n\r\n");
    const std::size_t at = head.find("content-length: ");
    if (at == std::string::npos) return head;
    std::size_t length = 0;
    for (std::size_t i = at + 16; head[i] >= '0' && head[i] <= '9'; ++i) length = length * 10 + static_cast<std::size_t>(head[i] - '0');
    while (got_.size() < length) {
      if (!more()) break;
    }
    head += got_.substr(0, length);
    got_.erase(0, length);
    return head;
  }
  bool ended() {
    while (more()) continue;
    return end_;
  }

 private:
  bool more() {
    char bytes[4096];
    const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
    end_ = n == 0;
    if (n > 0) got_.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }
  int fd_;
  std::string got_;
  bool end_ = false;
};

}  // namespace minnow::testing_connection
