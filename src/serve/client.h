// The other end of a connection: what it sent, what it gets, and whether it is still there.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "serve/server_times.h"
#include "serve/transport.h"

namespace minnow {

class Client {
 public:
  // `scratch` may be shared by all connections of a thread.
  Client(std::shared_ptr<Transport> transport, std::span<char> scratch, const ServerTimes& times);

  // False: it is gone, or reads too slowly. The bytes must live until then.
  boost::asio::awaitable<bool> write(std::string_view bytes);
  // Waits for more input until `until`, and appends it to input(); also returns when the transport is woken. False: it is gone.
  boost::asio::awaitable<bool> read(SteadyClock::time_point until);
  // The same while it is being answered: what it sends meanwhile is kept, as much as a head may be long.
  boost::asio::awaitable<bool> watch(SteadyClock::time_point until);
  // Ends the connection so that the client can read the last response although it is still sending: closing at once would make
  // its kernel throw that away.
  boost::asio::awaitable<void> linger();

  std::string& input() { return input_; }
  Transport& transport() { return *transport_; }
  const std::shared_ptr<Transport>& shared_transport() const { return transport_; }

 private:
  std::shared_ptr<Transport> transport_;
  std::span<char> scratch_;
  const ServerTimes& times_;
  std::string input_;
};

}  // namespace minnow
