// One connection's socket, plain or encrypted, and the one place where its coroutine waits.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "serve/tls.h"

namespace minnow {

using SteadyClock = std::chrono::steady_clock;

// All functions but wake() are called on the thread of its socket's context.
class Transport : public std::enable_shared_from_this<Transport> {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  // Plain without a session.
  Transport(Socket socket, TlsSession session);
  ~Transport();

  enum class Result : uint8_t { kDone, kAgain, kClosed };  // kAgain: not before the next wait
  // Appends to `to` what has come, as much as fits `scratch`. Does nothing unless readable().
  Result read(std::string& to, std::span<char> scratch);
  // Takes from the front of `rest` what the other side has room for.
  Result write(std::string_view& rest);
  // False: nothing has come since the last read.
  bool readable() const { return readable_; }
  // Whether the other side has ended the connection, even when bytes that it sent before were not read yet.
  bool hung_up();

  struct Want {
    bool read = false, write = false;
  };
  // Returns when something of this happened: it is readable, it is writable, wake() was called, `until` came. At times for no reason.
  boost::asio::awaitable<void> wait(SteadyClock::time_point until, Want want);
  // Any thread: ends a wait, or the next one when nobody waits. Many calls are as good as one.
  void wake();

  // How many bytes the kernel keeps of what was written and did not arrive yet.
  void set_send_bytes(int bytes);
  // No more bytes from here; the other side may still send.
  void shut_down();
  void close();
  bool is_open() const { return socket_.is_open(); }

 private:
  Result after_tls(int result);
  void arm(bool read);
  void notify();

  Socket socket_;
  TlsSession session_;
  boost::asio::steady_timer timer_;
  bool readable_ = true, writable_ = true;
  bool reading_ = false, writing_ = false;  // a wait for the socket is under way
  bool tls_wants_write_ = false, tls_wants_read_ = false;  // to go on with the other direction
  bool notified_ = false;
  std::atomic<bool> wake_posted_ = false;
};

}  // namespace minnow
