#include "serve/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <string>

#include "base/error.h"

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
  if (!session || ::SSL_set_fd(session.get(), descriptor) != 1) fail(ErrorCode::kInternal, "a TLS connection cannot be set up: {}", last_error());
  ::SSL_set_accept_state(session.get());
  return session;
}

}  // namespace minnow
