#include "serve/listener.h"

#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr int kBacklog = 1024;  // connections that the kernel keeps until they are accepted

std::string text_of(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  return address.to_string();
}

// Slow clients hold little of the kernel's memory.
template <typename Socket>
void bound_buffer(Socket& socket) {
  error_code ignored;
  socket.set_option(asio::socket_base::send_buffer_size(limits::kSocketSendBytes), ignored);
}

// Small events go out at once, and clients that vanished without a word are noticed.
void set_options(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  bound_buffer(socket);
  const auto set = [&](int name, int value) { (void)::setsockopt(socket.native_handle(), IPPROTO_TCP, name, &value, sizeof value); };
  set(TCP_KEEPIDLE, 60);
  set(TCP_KEEPINTVL, 10);
  set(TCP_KEEPCNT, 3);
}

void remove_stale_socket(const std::string& path, asio::io_context& io) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  if (!std::filesystem::exists(status)) return;
  if (!std::filesystem::is_socket(status)) fail(ErrorCode::kIo, "{}: is there already, and is no socket", path);
  asio::local::stream_protocol::socket probe(io);
  error_code refused;
  probe.connect(asio::local::stream_protocol::endpoint(path), refused);
  if (!refused) fail(ErrorCode::kIo, "{}: another program listens there", path);
  std::filesystem::remove(path, error);
}

}  // namespace

Listener::~Listener() { close(); }

std::vector<asio::ip::address> Listener::resolve(const std::string& host) {
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  if (!error) return {address};
  asio::io_context io;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(host, "", error);
  std::vector<asio::ip::address> out;
  for (const auto& entry : found) out.push_back(entry.endpoint().address());
  if (error || out.empty()) throw Error(ErrorCode::kNotFound, fmt::format("host {}: no address is known for it", host), "name an address of this machine with --host");
  return out;
}

void Listener::listen_tcp(const std::vector<asio::ip::address>& addresses, uint16_t port) {
  port_ = port;
  error_code error;
  for (const auto& address : addresses) {
    tcp::acceptor acceptor(io_);
    const tcp::endpoint endpoint(address, port_);
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(kBacklog, error);
    if (error) {
      if (tcp_.empty() && address == addresses.back()) {
        throw Error(ErrorCode::kIo, fmt::format("cannot listen on {} port {}: {}", address.to_string(), port_, error.message()),
                    error == asio::error::address_in_use ? "another program does; choose a port with --port" : "");
      }
      continue;
    }
    port_ = acceptor.local_endpoint().port();
    tcp_.push_back(std::move(acceptor));
  }
}

void Listener::listen_unix(const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) fail(ErrorCode::kUsage, "{}: too long for the path of a socket", path);
  remove_stale_socket(path, io_);
  Local::acceptor acceptor(io_);
  error_code error;
  acceptor.open(Local(), error);
  if (!error && ::fchmod(acceptor.native_handle(), 0600) != 0) error.assign(errno, boost::system::system_category());
  if (!error) acceptor.bind(Local::endpoint(path), error);
  if (!error) acceptor.listen(kBacklog, error);
  if (error) fail(ErrorCode::kIo, "cannot listen on {}: {}", path, error.message());
  unix_path_ = path;
  unix_.emplace(std::move(acceptor));
  if (::chmod(path.c_str(), 0660) != 0) fail(ErrorCode::kIo, "{}: its mode cannot be set", path);  // the user and the group
}

std::vector<tcp::endpoint> Listener::endpoints() const {
  std::vector<tcp::endpoint> out;
  for (const auto& acceptor : tcp_) out.push_back(acceptor.local_endpoint());
  return out;
}

void Listener::start(const std::function<void(Arrival)>& on_arrival) {
  for (auto& acceptor : tcp_) asio::co_spawn(io_, accept_tcp(acceptor, on_arrival), asio::detached);
  if (unix_) asio::co_spawn(io_, accept_unix(on_arrival), asio::detached);
}

void Listener::close() {
  error_code ignored;
  for (auto& acceptor : tcp_) acceptor.close(ignored);
  if (unix_) unix_->close(ignored);
  if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
  unix_path_.clear();
}

asio::awaitable<void> Listener::accept_tcp(tcp::acceptor& acceptor, std::function<void(Arrival)> on_arrival) {
  while (acceptor.is_open()) {
    tcp::socket socket(io_);
    const auto [error] = co_await acceptor.async_accept(socket, asio::as_tuple(asio::use_awaitable));
    if (error) {
      co_await after(error);
      continue;
    }
    error_code ignored;
    std::string own = text_of(socket.local_endpoint(ignored).address()), peer = text_of(socket.remote_endpoint(ignored).address());
    set_options(socket);
    on_arrival({Transport::Socket(std::move(socket)), std::move(own), std::move(peer)});
  }
}

asio::awaitable<void> Listener::accept_unix(std::function<void(Arrival)> on_arrival) {
  while (unix_->is_open()) {
    Local::socket socket(io_);
    const auto [error] = co_await unix_->async_accept(socket, asio::as_tuple(asio::use_awaitable));
    if (error) {
      co_await after(error);
      continue;
    }
    bound_buffer(socket);
    on_arrival({Transport::Socket(std::move(socket)), {}, {}});
  }
}

// Without descriptors or memory the next try would fail at once again.
asio::awaitable<void> Listener::after(const error_code& error) {
  if (error == asio::error::connection_aborted || error == asio::error::operation_aborted) co_return;
  asio::steady_timer timer(io_, std::chrono::milliseconds(100));
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace minnow
