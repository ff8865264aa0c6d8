#include "serve/listener.h"

#include <gtest/gtest.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>

#include "base/limits.h"

namespace minnow {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

// A connection that was accepted, and its other end, which reads nothing.
class ListenerTest : public testing::Test {
 protected:
  void SetUp() override {
    Listener listener(io_);
    listener.listen_tcp(Listener::resolve("127.0.0.1"), 0);
    listener.start([&](Arrival arrival) {
      descriptor_ = arrival.socket.native_handle();
      transport_ = std::make_shared<Transport>(std::move(arrival.socket), TlsSession());
      listener.close();
    });
    reader_.connect(tcp::endpoint(asio::ip::address_v4::loopback(), listener.port()));
    io_.run_for(5s);
    ASSERT_TRUE(transport_);
  }

  // Until the other end takes no more for a while.
  void write_until_full(std::size_t piece_bytes) {
    const std::string piece(piece_bytes, 'x');
    for (int waits = 0; waits < 5;) {
      std::string_view rest = piece;
      while (transport_->write(rest) == Transport::Result::kAgain && waits < 5) {
        ++waits;
        asio::co_spawn(io_, transport_->wait(SteadyClock::now() + 20ms, {.write = true}), asio::detached);
        io_.restart();
        io_.run_for(40ms);
      }
    }
  }

  // What the kernel keeps of what was written, its own part included.
  uint32_t queued() const {
    std::array<uint32_t, SK_MEMINFO_VARS> values{};
    socklen_t size = sizeof values;
    EXPECT_EQ(::getsockopt(descriptor_, SOL_SOCKET, SO_MEMINFO, values.data(), &size), 0);
    return values[SK_MEMINFO_WMEM_QUEUED];
  }

  asio::io_context io_{1};
  tcp::socket reader_{io_};
  std::shared_ptr<Transport> transport_;
  int descriptor_ = -1;
};

TEST_F(ListenerTest, WhoReadsNothingHoldsLittleOfTheKernelsMemory) {
  write_until_full(limits::kMaxStreamWriteBytes);
  EXPECT_GT(queued(), 0u);
  EXPECT_LT(queued(), 2u * limits::kSocketSendBytes + limits::kMaxStreamWriteBytes);
}

TEST_F(ListenerTest, SmallPiecesAreNoWayAroundThat) {
  write_until_full(250);
  EXPECT_LT(queued(), 2u * limits::kSocketSendBytes + limits::kMaxStreamWriteBytes);
}

TEST_F(ListenerTest, WholeResponsesMayHaveMoreOfIt) {
  transport_->set_send_bytes(limits::kSocketBulkBytes);
  write_until_full(64u << 10);
  EXPECT_GT(queued(), 2u * limits::kSocketSendBytes + limits::kMaxStreamWriteBytes);
}

}  // namespace
}  // namespace minnow
