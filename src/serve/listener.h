// Sockets that connections come to.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "serve/transport.h"

namespace minnow {

struct Arrival {
  Transport::Socket socket;
  std::string own, peer;  // addresses without ports; empty for a Unix socket
};

class Listener {
 public:
  explicit Listener(boost::asio::io_context& io) : io_(io) {}
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Addresses of a name. Throws kNotFound.
  static std::vector<boost::asio::ip::address> resolve(const std::string& host);
  // Throws kIo. Of several addresses one is enough; with port 0 all get the same.
  void listen_tcp(const std::vector<boost::asio::ip::address>& addresses, uint16_t port);
  // A socket that nobody listens on any more is replaced. Throws kIo, or kUsage for a path that is too long.
  void listen_unix(const std::string& path);

  uint16_t port() const { return port_; }
  std::vector<boost::asio::ip::tcp::endpoint> endpoints() const;
  const std::string& unix_path() const { return unix_path_; }

  // Hands over what comes, until close().
  void start(const std::function<void(Arrival)>& on_arrival);
  void close();

 private:
  using Tcp = boost::asio::ip::tcp;
  using Local = boost::asio::local::stream_protocol;
  boost::asio::awaitable<void> accept_tcp(Tcp::acceptor& acceptor, std::function<void(Arrival)> on_arrival);
  boost::asio::awaitable<void> accept_unix(std::function<void(Arrival)> on_arrival);
  boost::asio::awaitable<void> after(const boost::system::error_code& error);

  boost::asio::io_context& io_;
  std::list<Tcp::acceptor> tcp_;
  std::optional<Local::acceptor> unix_;
  std::string unix_path_;
  uint16_t port_ = 0;
};

}  // namespace minnow
