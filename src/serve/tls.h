// Certificates, and the state of one encrypted connection.
#pragma once

#include <sys/socket.h>

#include <filesystem>
#include <memory>

struct ssl_ctx_st;
struct ssl_st;

namespace minnow {

// Of every write to a client. Without MSG_EOR the kernel adds to the piece that it has last, up to half of what the client takes at
// once, whatever the send buffer says.
inline constexpr int kSendFlags = MSG_NOSIGNAL | MSG_EOR;

struct TlsFree {
  void operator()(ssl_st* session) const;
};
using TlsSession = std::unique_ptr<ssl_st, TlsFree>;

// A certificate (with its chain) and its key. TLS 1.2 and 1.3.
class TlsContext {
 public:
  // PEM files. Throws kNotFound, and kInvalidInput for what is no certificate, no key, or a key of another certificate.
  TlsContext(const std::filesystem::path& certificate, const std::filesystem::path& key);

  // The server's side of a connection over this non-blocking descriptor, which it does not own. The handshake is part of the
  // first read. Throws kInternal.
  TlsSession session(int descriptor) const;

 private:
  std::shared_ptr<ssl_ctx_st> context_;
};

}  // namespace minnow
