#include "serve/client.h"

#include <algorithm>

namespace minnow {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kWritePart = 64u << 10;   // each has its own deadline
constexpr std::size_t kLingerBytes = 2 * limits::kMaxBodyBytes;  // that are thrown away: many clients read nothing before all is sent
constexpr auto kHangUpPoll = std::chrono::milliseconds(200);

}  // namespace

Client::Client(std::shared_ptr<Transport> transport, std::span<char> scratch, const ServerTimes& times)
    : transport_(std::move(transport)), scratch_(scratch), times_(times) {}

asio::awaitable<bool> Client::write(std::string_view bytes) {
  while (!bytes.empty()) {
    std::string_view part = bytes.substr(0, kWritePart);
    bytes.remove_prefix(part.size());
    SteadyClock::time_point deadline{};
    for (;;) {
      const Transport::Result result = transport_->write(part);
      if (result == Transport::Result::kDone) break;
      if (result == Transport::Result::kClosed) co_return false;
      const auto now = SteadyClock::now();
      if (deadline == SteadyClock::time_point{}) deadline = now + times_.write;
      if (now >= deadline) co_return false;
      co_await transport_->wait(deadline, {.write = true});
    }
  }
  co_return true;
}

asio::awaitable<bool> Client::read(SteadyClock::time_point until) {
  Transport::Result result = transport_->read(input_, scratch_);
  if (result == Transport::Result::kAgain) {
    co_await transport_->wait(until, {.read = true});
    result = transport_->read(input_, scratch_);
  }
  co_return result != Transport::Result::kClosed;
}

asio::awaitable<bool> Client::watch(SteadyClock::time_point until) {
  const bool room = input_.size() < limits::kMaxHeadBytes;
  if (!room) until = std::min(until, SteadyClock::now() + kHangUpPoll);
  co_await transport_->wait(until, {.read = room});
  if (!room) co_return !transport_->hung_up();
  co_return transport_->read(input_, scratch_.first(std::min(scratch_.size(), limits::kMaxHeadBytes))) != Transport::Result::kClosed;
}

asio::awaitable<void> Client::linger() {
  transport_->shut_down();
  const auto until = SteadyClock::now() + times_.linger;
  std::size_t thrown_away = 0;
  while (thrown_away < kLingerBytes && SteadyClock::now() < until) {
    input_.clear();
    const bool open = co_await read(until);
    if (!open) break;
    thrown_away += input_.size();
  }
}

}  // namespace minnow
