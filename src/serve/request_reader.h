// A request taken apart as its bytes arrive (RFC 9112). No sockets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/limits.h"
#include "serve/http_types.h"
#include "serve/refusal.h"

namespace minnow {

class RequestReader {
 public:
  explicit RequestReader(std::size_t max_body = limits::kMaxBodyBytes);
  ~RequestReader();
  RequestReader(RequestReader&&) noexcept;
  RequestReader& operator=(RequestReader&&) noexcept;

  enum class State : uint8_t {
    kHead,     // wants more bytes of the head
    kBody,     // the head is whole; wants bytes of the body
    kDone,
    kRefused,  // refusal() says why; nothing behind it can be understood
  };

  // Takes from the front of `bytes` what belongs to the request, and at most the rest of its head or of its body: after the head
  // it returns, so that it can be looked at before anything more is read. Bytes of the next request stay.
  State feed(std::string& bytes);

  State state() const;
  const Refusal& refusal() const;
  // What is known so far: in kBody everything but the body.
  HttpRequest& request();
  std::optional<uint64_t> declared_length() const;  // nullopt: chunked, or no body
  bool keep_alive() const;         // the client may send another request on this connection
  bool is_http_1_1() const;        // else 1.0, which knows no chunks
  bool expects_continue() const;   // the client waits for "100 Continue" before it sends the body

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minnow
