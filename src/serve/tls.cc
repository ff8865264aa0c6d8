#include "serve/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <cerrno>
#include <string>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {
namespace {

std::string last_error() {
  const unsigned long code = ::ERR_peek_last_error();
  const char* reason = code != 0 ? ::ERR_reason_error_string(code) : nullptr;
  ::ERR_clear_error();
  return reason != nullptr ? reason : "unknown reason";
}

void check_exists(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) fail(ErrorCode::kNotFound, "{}: there is no such file", path.string());
}

// Of what a client offers, in the wire format of RFC 7301: nothing else is spoken here.
int choose_http_1_1(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered, unsigned int size, void*) {
  static constexpr std::array<unsigned char, 9> kOurs = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (::SSL_select_next_proto(&chosen, out_size, kOurs.data(), kOurs.size(), offered, size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int send_to_socket(BIO* bio, const char* bytes, int size) {
  int descriptor = -1;
  if (::BIO_get_fd(bio, &descriptor) < 0) return -1;
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::send(descriptor, bytes, static_cast<std::size_t>(size), kSendFlags);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

// OpenSSL's own for sockets, but for the flags it writes with.
const BIO_METHOD* socket_method() {
  static const std::unique_ptr<BIO_METHOD, void (*)(BIO_METHOD*)> kMethod = [] {
    const BIO_METHOD* own = ::BIO_s_socket();
    std::unique_ptr<BIO_METHOD, void (*)(BIO_METHOD*)> m(::BIO_meth_new(BIO_TYPE_SOCKET, "socket"), ::BIO_meth_free);
    if (!m) return m;
    ::BIO_meth_set_write(m.get(), send_to_socket);
    ::BIO_meth_set_read(m.get(), ::BIO_meth_get_read(own));
    ::BIO_meth_set_puts(m.get(), ::BIO_meth_get_puts(own));
    ::BIO_meth_set_ctrl(m.get(), ::BIO_meth_get_ctrl(own));
    ::BIO_meth_set_create(m.get(), ::BIO_meth_get_create(own));
    ::BIO_meth_set_destroy(m.get(), ::BIO_meth_get_destroy(own));
    return m;
  }();
  return kMethod.get();
}

}  // namespace

void TlsFree::operator()(ssl_st* session) const { ::SSL_free(session); }

TlsContext::TlsContext(const std::filesystem::path& certificate, const std::filesystem::path& key)
    : context_(::SSL_CTX_new(::TLS_server_method()), [](ssl_ctx_st* c) { ::SSL_CTX_free(c); }) {
  ssl_ctx_st* c = context_.get();
  if (c == nullptr) fail(ErrorCode::kInternal, "TLS cannot be set up: {}", last_error());
  check_exists(certificate);
  check_exists(key);
  ::SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  ::SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Buffers of idle connections are given back; a write goes on wherever its bytes lie by then.
  ::SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  ::SSL_CTX_set_max_send_fragment(c, limits::kMaxStreamWriteBytes);  // what is kept while a slow client takes it
  ::SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);  // tickets do without
  ::SSL_CTX_set_alpn_select_cb(c, choose_http_1_1, nullptr);
  if (::SSL_CTX_use_certificate_chain_file(c, certificate.c_str()) != 1) {
    fail(ErrorCode::kInvalidInput, "{}: not a certificate in PEM format ({})", certificate.string(), last_error());
  }
  if (::SSL_CTX_use_PrivateKey_file(c, key.c_str(), SSL_FILETYPE_PEM) != 1 || ::SSL_CTX_check_private_key(c) != 1) {
    fail(ErrorCode::kInvalidInput, "{}: not the key of {} in PEM format ({})", key.string(), certificate.string(), last_error());
  }
}

TlsSession TlsContext::session(int descriptor) const {
  TlsSession session(::SSL_new(context_.get()));
  BIO* socket = session && socket_method() != nullptr ? ::BIO_new(socket_method()) : nullptr;
  if (socket == nullptr) fail(ErrorCode::kInternal, "a TLS connection cannot be set up: {}", last_error());
  BIO_set_fd(socket, descriptor, BIO_NOCLOSE);
  ::SSL_set_bio(session.get(), socket, socket);
  ::SSL_set_accept_state(session.get());
  return session;
}

}  // namespace minnow
