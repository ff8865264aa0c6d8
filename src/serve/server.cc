#include "serve/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <thread>

#include "base/error.h"
#include "serve/connection.h"
#include "serve/listener.h"
#include "serve/server_core.h"
#include "serve/tls.h"

namespace minnow {

namespace asio = boost::asio;

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kOtherDescriptors = 128;  // models, logs, and what the libraries open

// As many connections as descriptors allow, asking for more of them first.
std::size_t connection_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return limits::kMaxConnections / 4;
  const rlim_t wanted = std::min<rlim_t>(limit.rlim_max, limits::kMaxConnections + kOtherDescriptors);
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = wanted;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
    (void)::getrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur <= 2 * kOtherDescriptors) return kOtherDescriptors;
  return std::min<std::size_t>(limits::kMaxConnections, limit.rlim_cur - kOtherDescriptors);
}

std::shared_ptr<const TlsContext> load_tls(const ServerOptions& o) {
  if (o.tls_certificate.empty() != o.tls_key.empty()) fail(ErrorCode::kUsage, "--tls-cert and --tls-key go together");
  return o.tls_certificate.empty() ? nullptr : std::make_shared<const TlsContext>(o.tls_certificate, o.tls_key);
}

std::string url(bool tls, const asio::ip::tcp::endpoint& e) {
  const std::string host = e.address().is_v6() ? "[" + e.address().to_string() + "]" : e.address().to_string();
  return fmt::format("{}://{}:{}", tls ? "https" : "http", host, e.port());
}

}  // namespace

struct Server::Impl {
  Impl(ServerOptions options, ServerParts parts)
      : tls(load_tls(options)), listener(io), core(std::make_unique<ServerCore>(std::move(options), std::move(parts))), signals(io), max_connections(connection_limit()) {
    if (!core->options.tcp && core->options.unix_path.empty()) fail(ErrorCode::kUsage, "there is nothing to listen on");
  }

  bool listen_tcp();
  void listen();
  void arrive(Arrival arrival);
  bool make_room();
  static asio::awaitable<void> run_connection(std::unique_ptr<Connection> connection);
  asio::awaitable<void> watch_signals();
  asio::awaitable<void> drain();
  asio::awaitable<bool> all_gone_within(std::chrono::milliseconds time);
  void begin_drain();
  void reload();
  void wake_all();

  asio::io_context io{1};
  std::shared_ptr<const TlsContext> tls;  // null: plain
  Listener listener;
  std::unique_ptr<ServerCore> core;  // joins its workers before the context goes, which their jobs use
  asio::signal_set signals;
  std::size_t max_connections;
  bool open_to_any_host = false;  // see CheckOptions
  bool forced = false;
  bool drained = false;  // every connection has ended
};

// Whether others than this machine can reach it.
bool Server::Impl::listen_tcp() {
  const ServerOptions& o = core->options;
  const auto addresses = Listener::resolve(o.host);
  const bool wide = std::ranges::any_of(addresses, [](const auto& a) { return !a.is_loopback(); });
  if (wide && !core->auth.has_keys() && !o.allow_open) {
    throw Error(ErrorCode::kUsage, fmt::format("refusing to listen on {} without API keys: anybody who reaches it could use it", o.host),
                "make a key with 'minnow key add', or say --allow-open if that is what you want");
  }
  listener.listen_tcp(addresses, o.port);
  return wide;
}

void Server::Impl::listen() {
  const ServerOptions& o = core->options;
  bool wide = false;
  if (o.tcp) {
    try {
      wide = listen_tcp();
    } catch (const Error& error) {
      throw Error(error.code(), error.what(), o.address_hint);
    }
  }
  if (!o.unix_path.empty()) listener.listen_unix(o.unix_path);
  open_to_any_host = wide && core->auth.has_keys();
  core->checks = RequestChecks({.any_host = open_to_any_host, .hosts = o.hosts, .origins = o.origins});
  if (wide && !core->auth.has_keys()) core->log("warning: anybody who reaches this server can use it: it listens beyond this machine and asks for no keys");
  if (wide && !tls) core->log("warning: listening beyond this machine without TLS: keys and chats can be read on their way");
}

// At the limit of connections the one that has idled longest makes room.
bool Server::Impl::make_room() {
  if (core->connections.size() < max_connections) return true;
  Connection* oldest = nullptr;
  for (Connection* c : core->connections) {
    if (c->idle_since() && (oldest == nullptr || *c->idle_since() < *oldest->idle_since())) oldest = c;
  }
  if (oldest == nullptr) return false;
  oldest->close();
  return core->connections.size() < max_connections + kOtherDescriptors / 2;
}

void Server::Impl::arrive(Arrival arrival) try {
  if (!make_room()) return;  // closes it
  TlsSession session;
  if (tls && !arrival.own.empty()) session = tls->session(arrival.socket.native_handle());
  auto transport = std::make_shared<Transport>(std::move(arrival.socket), std::move(session));
  auto connection = std::make_unique<Connection>(*core, std::move(transport), Connection::Ends{std::move(arrival.own), std::move(arrival.peer)});
  asio::co_spawn(io, run_connection(std::move(connection)), asio::detached);
} catch (const std::exception& error) {  // not enough memory: the next one may fare better
  core->log(std::string("a connection was not taken: ") + error.what());
}

asio::awaitable<void> Server::Impl::run_connection(std::unique_ptr<Connection> connection) { co_await connection->run(); }

asio::awaitable<void> Server::Impl::watch_signals() {
  for (;;) {
    const auto [error, number] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
    if (number == SIGHUP) {
      reload();
    } else if (!core->draining) {
      core->log("stopping: what is being answered has time to end; a second signal ends it now");
      begin_drain();
      if (drained) co_return;  // at once: nobody was connected
    } else {
      forced = true;
      io.stop();
    }
  }
}

void Server::Impl::reload() {
  core->queries.submit_first([this] {
    const ServerOptions& o = core->options;
    const auto prepare = [this, &o](const std::vector<std::string>& origins) -> std::function<void()> {
      auto fresh = load_tls(o);
      auto checks = std::make_shared<RequestChecks>(CheckOptions{.any_host = open_to_any_host, .hosts = o.hosts, .origins = origins});
      return [this, fresh, checks] {
        asio::post(io, [this, fresh, checks] {
          tls = fresh;
          core->checks = std::move(*checks);
        });
      };
    };
    try {
      if (o.reload) return o.reload(prepare);
      prepare(o.origins)();
      core->log("reloaded");
    } catch (const std::exception& error) {
      core->log(std::string("not reloaded: ") + error.what());
    }
  });
}

void Server::Impl::begin_drain() {
  if (core->draining) return;
  core->draining = true;
  listener.close();
  asio::co_spawn(io, drain(), asio::detached);
}

void Server::Impl::wake_all() {
  for (Connection* c : core->connections) c->wake();
}

asio::awaitable<bool> Server::Impl::all_gone_within(std::chrono::milliseconds time) {
  const auto until = SteadyClock::now() + time;
  asio::steady_timer timer(io);
  while (!core->connections.empty() && SteadyClock::now() < until) {
    timer.expires_after(10ms);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_return core->connections.empty();
}

// Open answers may end; then they are told to; then they are cut.
asio::awaitable<void> Server::Impl::drain() {
  wake_all();
  bool gone = co_await all_gone_within(core->options.times.drain);
  if (!gone) {
    core->stopping = true;
    wake_all();
    gone = co_await all_gone_within(500ms);
  }
  while (!gone) {
    const auto open = core->connections;  // closing one may end others
    for (Connection* c : open) {
      if (core->connections.contains(c)) c->close();
    }
    gone = co_await all_gone_within(100ms);
  }
  drained = true;
  signals.cancel();
}

Server::Server(ServerOptions options, ServerParts parts) : impl_(std::make_unique<Impl>(std::move(options), std::move(parts))) {}
Server::~Server() = default;

void Server::listen() { impl_->listen(); }
uint16_t Server::port() const { return impl_->listener.port(); }

std::vector<std::string> Server::addresses() const {
  std::vector<std::string> out;
  for (const auto& endpoint : impl_->listener.endpoints()) out.push_back(url(impl_->tls != nullptr, endpoint));
  if (!impl_->listener.unix_path().empty()) out.push_back("unix:" + impl_->listener.unix_path());
  return out;
}

bool Server::run(const std::function<void()>& ready) {
  Impl& s = *impl_;
  (void)::signal(SIGPIPE, SIG_IGN);  // whoever reads the log may go away
  boost::system::error_code ignored;
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) s.signals.add(number, ignored);
  asio::co_spawn(s.io, s.watch_signals(), asio::detached);
  s.listener.start([&s](Arrival arrival) { s.arrive(std::move(arrival)); });
  if (ready) ready();
  s.io.run();
  if (s.forced) return false;
  const auto idle = [&] { return s.core->workers.idle() && s.core->queries.idle(); };
  for (int i = 0; i < 30 && !idle(); ++i) std::this_thread::sleep_for(10ms);
  return idle();
}

void Server::stop() {
  asio::post(impl_->io, [this] { impl_->begin_drain(); });
}

void Server::reload() { impl_->reload(); }

}  // namespace minnow
