#include "serve/transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

namespace minnow {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

Transport::Transport(Socket socket, TlsSession session)
    : socket_(std::move(socket)), session_(std::move(session)), timer_(socket_.get_executor()) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
}

Transport::~Transport() = default;

Transport::Result Transport::after_tls(int result) {
  const int error = ::SSL_get_error(session_.get(), result);
  ::ERR_clear_error();
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Result::kAgain;
  return Result::kClosed;
}

Transport::Result Transport::read(std::string& to, std::span<char> scratch) {
  if (!is_open()) return Result::kClosed;
  if (!readable_) return Result::kAgain;
  if (session_) {
    tls_wants_write_ = false;
    ::ERR_clear_error();
    const int n = ::SSL_read(session_.get(), scratch.data(), static_cast<int>(scratch.size()));
    if (n > 0) {
      to.append(scratch.data(), static_cast<std::size_t>(n));
      return Result::kDone;
    }
    tls_wants_write_ = SSL_want_write(session_.get());
    if (after_tls(n) == Result::kClosed) return Result::kClosed;
    readable_ = false;
    return Result::kAgain;
  }
  const ssize_t n = ::recv(socket_.native_handle(), scratch.data(), scratch.size(), MSG_DONTWAIT);
  if (n > 0) {
    to.append(scratch.data(), static_cast<std::size_t>(n));
    readable_ = static_cast<std::size_t>(n) == scratch.size();
    return Result::kDone;
  }
  if (n == 0 || !would_block(errno)) return Result::kClosed;
  readable_ = errno == EINTR;
  return Result::kAgain;
}

Transport::Result Transport::write(std::string_view& rest) {
  if (!is_open()) return Result::kClosed;
  if (!writable_ && !tls_wants_read_) return Result::kAgain;
  while (!rest.empty()) {
    if (session_) {
      tls_wants_read_ = false;
      ::ERR_clear_error();
      const int n = ::SSL_write(session_.get(), rest.data(), static_cast<int>(std::min<std::size_t>(rest.size(), 1u << 20)));
      if (n > 0) {
        rest.remove_prefix(static_cast<std::size_t>(n));
        continue;
      }
      tls_wants_read_ = SSL_want_read(session_.get());
      if (after_tls(n) == Result::kClosed) return Result::kClosed;
      writable_ = tls_wants_read_;
      if (tls_wants_read_) readable_ = false;
      return Result::kAgain;
    }
    const ssize_t n = ::send(socket_.native_handle(), rest.data(), rest.size(), MSG_DONTWAIT | kSendFlags);
    if (n >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      if (!would_block(errno)) return Result::kClosed;
      writable_ = false;
      return Result::kAgain;
    }
  }
  return Result::kDone;
}

bool Transport::hung_up() {
  if (!is_open()) return true;
  pollfd p{socket_.native_handle(), POLLRDHUP, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void Transport::arm(bool read) {
  (read ? reading_ : writing_) = true;
  const auto what = read ? asio::socket_base::wait_read : asio::socket_base::wait_write;
  socket_.async_wait(what, [self = shared_from_this(), read](const error_code&) {
    (read ? self->reading_ : self->writing_) = false;
    (read ? self->readable_ : self->writable_) = true;  // also when it was cancelled: the next call tells
    self->notify();
  });
}

asio::awaitable<void> Transport::wait(SteadyClock::time_point until, Want want) {
  const bool read = want.read || (want.write && tls_wants_read_), write = want.write || (want.read && tls_wants_write_);
  const bool ready = (read && readable_) || (want.write && writable_ && !tls_wants_read_) || !is_open();
  if (!notified_ && !ready) {
    if (read && !reading_) arm(true);
    if (write && !writing_) arm(false);
    timer_.expires_at(until);
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  notified_ = false;
  if (tls_wants_write_ && writable_) readable_ = true;
}

void Transport::notify() {
  notified_ = true;
  timer_.cancel();
}

void Transport::wake() {
  if (wake_posted_.exchange(true)) return;
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->wake_posted_ = false;
    self->notify();
  });
}

void Transport::set_send_bytes(int bytes) {
  error_code ignored;
  socket_.set_option(asio::socket_base::send_buffer_size(bytes), ignored);
}

void Transport::shut_down() {
  if (!is_open()) return;
  if (session_ && ::SSL_is_init_finished(session_.get()) == 1) {
    ::SSL_shutdown(session_.get());
    ::ERR_clear_error();
  }
  error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
}

void Transport::close() {
  error_code ignored;
  socket_.close(ignored);
  notify();
}

}  // namespace minnow
