#include "serve/connection.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <thread>

#include "base/error.h"
#include "serve/metrics.h"
#include "serve/response_store.h"
#include "serve/test_answers.h"
#include "serve/test_connection.h"

namespace minnow {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing_answers::answer_of;
using testing_answers::Script;
using testing_connection::TestClient;
using testing_connection::TestKeys;
using testing_connection::TestObserver;

Routes test_routes(std::shared_ptr<Script> script) {
  const auto say = [](const HttpRequest& r, Services&) -> Outcome { return HttpResponse{.content_type = "text/plain", .body = r.method + " " + r.path + " " + r.body}; };
  const auto fail_it = [](const HttpRequest&, Services&) -> Outcome { fail(ErrorCode::kInvalidInput, "field x: must be a number"); };
  const auto slow = [](const HttpRequest&, Services&) -> Outcome {
    std::this_thread::sleep_for(60ms);
    return HttpResponse{.body = "slow"};
  };
  const auto answer = [script](bool stream) {
    return [script, stream](const HttpRequest&, Services&) -> Outcome { return answer_of({script}, stream); };
  };
  return {{"GET", "/health", Dialect::kLlamaServer, Scope::kOpen, say},   {"GET", "/v1/say", Dialect::kOpenAi, Scope::kInfer, say},
          {"POST", "/v1/say", Dialect::kOpenAi, Scope::kInfer, say},      {"POST", "/api/fail", Dialect::kOllama, Scope::kInfer, fail_it},
          {"GET", "/v1/fail", Dialect::kOpenAi, Scope::kInfer, fail_it},
          {"POST", "/v1/manage", Dialect::kOpenAi, Scope::kManage, say},  {"POST", "/v1/slow", Dialect::kOpenAi, Scope::kInfer, slow},
          {"POST", "/v1/stream", Dialect::kOpenAi, Scope::kInfer, answer(true)}, {"POST", "/v1/whole", Dialect::kOpenAi, Scope::kInfer, answer(false)}};
}

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() : models_(PoolOptions{}), services_{models_, metrics_, responses_, 0} {}
  ~ConnectionTest() override {
    if (!core_) return;
    on_server([&] {
      for (Connection* c : core_->connections) c->close();
    });
    for (int i = 0; i < 400 && on_server([&] { return core_->connections.size(); }) > 0; ++i) std::this_thread::sleep_for(5ms);
    guard_.reset();
    thread_.join();
    core_.reset();
  }

  void start() {
    ServerOptions options;
    options.times = times_;
    options.max_requests = max_requests_;
    options.log = [](std::string_view) {};
    core_ = std::make_unique<ServerCore>(std::move(options), ServerParts{test_routes(script_), services_, keys_, observer_});
    thread_ = std::thread([this] { io_.run(); });
  }
  TestClient connect() {
    if (!core_) start();
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    on_server([&] {
      Transport::Socket socket(io_, asio::generic::stream_protocol(AF_UNIX, 0), fds[0]);
      auto connection = std::make_unique<Connection>(*core_, std::make_shared<Transport>(std::move(socket), TlsSession()), Connection::Ends{"127.0.0.1", "127.0.0.1"});
      asio::co_spawn(io_, run(std::move(connection)), asio::detached);
    });
    return TestClient(fds[1]);
  }
  static asio::awaitable<void> run(std::unique_ptr<Connection> connection) { co_await connection->run(); }

  // Runs it on the thread of the connections.
  template <typename F>
  std::invoke_result_t<F> on_server(F f) {
    std::packaged_task<decltype(f())()> task(std::move(f));
    auto result = task.get_future();
    asio::post(io_, [&] { task(); });
    return result.get();
  }

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_ = asio::make_work_guard(io_);
  ModelPool models_;
  Metrics metrics_;
  ResponseStore responses_;
  Services services_;
  TestKeys keys_;
  TestObserver observer_;
  std::shared_ptr<Script> script_ = std::make_shared<Script>();
  ServerTimes times_;
  std::size_t max_requests_ = 8;
  std::unique_ptr<ServerCore> core_;
  std::thread thread_;
};

std::string get(const std::string& path, const std::string& headers = {}) { return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n"; }
std::string post(const std::string& path, const std::string& body = "x", const std::string& headers = {}) {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
}

bool starts(const std::string& text, const std::string& begin) { return text.starts_with(begin); }
bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_F(ConnectionTest, ServesOneRequestAfterTheOther) {
  TestClient client = connect();
  for (int i = 0; i < 3; ++i) {
    client.send(post("/v1/say", "hello"));
    const std::string response = client.response();
    EXPECT_TRUE(starts(response, "HTTP/1.1 200 OK\r\n")) << response;
    EXPECT_TRUE(response.ends_with("POST /v1/say hello")) << response;
    EXPECT_TRUE(has(response, "x-request-id: req_")) << response;
  }
}

TEST_F(ConnectionTest, PipelinedRequestsAreAnsweredInOrder) {
  TestClient client = connect();
  client.send(post("/v1/say", "1") + post("/v1/slow") + get("/health") + post("/v1/say", "2"));
  EXPECT_TRUE(client.response().ends_with(" 1"));
  EXPECT_TRUE(client.response().ends_with("slow"));
  EXPECT_TRUE(client.response().ends_with("GET /health "));
  EXPECT_TRUE(client.response().ends_with(" 2"));
}

TEST_F(ConnectionTest, HeadHasNoBody) {
  TestClient client = connect();
  client.send("HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/health"));
  const std::string head = client.until("\r\n\r\n");
  EXPECT_TRUE(has(head, "content-length: 13\r\n")) << head;
  EXPECT_TRUE(client.response().ends_with("GET /health "));
}

TEST_F(ConnectionTest, ErrorsAreInTheDialectOfTheRoute) {
  TestClient client = connect();
  client.send(post("/api/fail"));
  std::string response = client.response();
  EXPECT_TRUE(starts(response, "HTTP/1.1 400 ")) << response;
  EXPECT_TRUE(response.ends_with(R"({"error":"field x: must be a number"})")) << response;
  client.send(get("/v1/nothing"));
  response = client.response();
  EXPECT_TRUE(starts(response, "HTTP/1.1 404 ")) << response;
  EXPECT_TRUE(has(response, R"("type":"not_found_error")")) << response;
  client.send(get("/api/fail"));
  response = client.response();
  EXPECT_TRUE(starts(response, "HTTP/1.1 405 ")) << response;
  EXPECT_TRUE(has(response, "allow: OPTIONS, POST\r\n")) << response;
}

TEST_F(ConnectionTest, KeysAreAskedForBeforeTheBodyIsRead) {
  keys_.asks = true;
  TestClient client = connect();
  client.send("POST /v1/say HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
  const std::string response = client.response();
  EXPECT_TRUE(starts(response, "HTTP/1.1 401 ")) << response;
  EXPECT_TRUE(has(response, "www-authenticate: Bearer\r\n")) << response;
  EXPECT_TRUE(has(response, "connection: close\r\n")) << response;
}

TEST_F(ConnectionTest, ARefusalIsReadByWhoSendsAllOfALargeBodyFirst) {
  TestClient client = connect();
  client.send(post("/v1/say", std::string(limits::kMaxBodyBytes + 1000, 'x')));
  EXPECT_TRUE(starts(client.response(), "HTTP/1.1 413 "));
}

TEST_F(ConnectionTest, KeysOpenWhatTheyAreFor) {
  keys_.asks = true;
  TestClient client = connect();
  const auto status = [&](const std::string& request) {
    client.send(request);
    return client.response().substr(9, 3);
  };
  EXPECT_EQ(status(get("/health")), "200");
  EXPECT_EQ(status(post("/v1/say", "x", "Authorization: Bearer less\r\n")), "200");
  EXPECT_EQ(status(post("/v1/manage", "x", "Authorization: Bearer less\r\n")), "403");
  EXPECT_EQ(status(post("/v1/manage", "x", "Authorization: Bearer secret\r\n")), "200");
  EXPECT_EQ(status(get("/v1/manage")), "401");  // that the method is wrong is said to those who may know
  EXPECT_EQ(status(get("/v1/manage", "Authorization: Bearer secret\r\n")), "405");
}

TEST_F(ConnectionTest, PreflightsOfAllowedOriginsNeedNoKey) {
  keys_.asks = true;
  TestClient client = connect();
  const std::string preflight = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n";
  client.send("OPTIONS /v1/say HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n" + preflight + "\r\n");
  std::string response = client.response();
  EXPECT_TRUE(starts(response, "HTTP/1.1 204 ")) << response;
  EXPECT_TRUE(has(response, "access-control-allow-origin: http://localhost:3000\r\n")) << response;
  client.send("OPTIONS /v1/say HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n" + preflight + "\r\n");
  response = client.response();
  EXPECT_TRUE(starts(response, "HTTP/1.1 403 ")) << response;
  EXPECT_FALSE(has(response, "access-control-allow-origin")) << response;
  client.send("OPTIONS /v1/say HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(starts(client.response(), "HTTP/1.1 401 "));
}

TEST_F(ConnectionTest, StreamsComeAsTheyAreMade) {
  TestClient client = connect();
  client.send(post("/v1/stream"));
  script_->say("one");
  EXPECT_TRUE(has(client.until("0:one;"), "<begin>"));
  script_->say("two");
  client.until("0:two;");
  script_->end();
  const std::string rest = client.until("0\r\n\r\n");
  EXPECT_TRUE(has(rest, "0.;<end>")) << rest;
  client.send(get("/health"));
  EXPECT_TRUE(client.response().ends_with("GET /health "));
  const auto facts = observer_.wait_for(1);
  EXPECT_EQ(facts[0].generated_tokens, 2);
  EXPECT_EQ(facts[0].status, 200);
  EXPECT_FALSE(facts[0].client_gone);
}

TEST_F(ConnectionTest, WholeAnswersComeAtTheEnd) {
  TestClient client = connect();
  client.send(post("/v1/whole"));
  script_->say("one ");
  script_->say("two");
  script_->end();
  EXPECT_TRUE(client.response().ends_with("one two|"));
}

TEST_F(ConnectionTest, WhatFailsBeforeTheFirstByteHasItsOwnStatus) {
  TestClient client = connect();
  client.send(post("/v1/stream"));
  script_->end(FinishReason::kError, "no pages left");
  const std::string response = client.response();
  EXPECT_TRUE(starts(response, "HTTP/1.1 500 ")) << response;
  EXPECT_TRUE(has(response, "no pages left")) << response;
}

TEST_F(ConnectionTest, WhatFailsLaterIsSaidInTheStream) {
  TestClient client = connect();
  client.send(post("/v1/stream"));
  script_->say("one");
  client.until("0:one;");
  script_->end(FinishReason::kError, "no pages left");
  EXPECT_TRUE(has(client.until("0\r\n\r\n"), "<error: no pages left>"));
}

TEST_F(ConnectionTest, QuietStreamsArePinged) {
  times_.ping = 20ms;
  times_.first_event = 20ms;
  TestClient client = connect();
  client.send(post("/v1/stream"));
  EXPECT_TRUE(has(client.until("<begin>"), "200 OK"));
  EXPECT_FALSE(has(client.until("<ping>"), "no more"));
  EXPECT_FALSE(has(client.until("<ping>"), "no more"));
  script_->end();
  client.until("<end>");
}

TEST_F(ConnectionTest, GoneClientsCancelStreams) {
  TestClient client = connect();
  client.send(post("/v1/stream"));
  script_->say("one");
  client.until("0:one;");
  client.close();
  const auto facts = observer_.wait_for(1);
  ASSERT_EQ(facts.size(), 1u);
  EXPECT_TRUE(facts[0].client_gone);
  EXPECT_EQ(facts[0].prompt_tokens, 3);
  EXPECT_TRUE(script_->cancelled);
}

TEST_F(ConnectionTest, GoneClientsCancelWholeAnswers) {
  TestClient client = connect();
  client.send(post("/v1/whole"));
  std::this_thread::sleep_for(20ms);
  client.close();
  const auto facts = observer_.wait_for(1);
  ASSERT_EQ(facts.size(), 1u);
  EXPECT_TRUE(facts[0].client_gone);
  EXPECT_EQ(facts[0].status, 0);
  EXPECT_TRUE(script_->cancelled);
}

TEST_F(ConnectionTest, RequestsBehindAnAnswerAreNoEnd) {
  TestClient client = connect();
  client.send(post("/v1/stream"));
  script_->say("one");
  client.until("0:one;");
  client.send(get("/health"));
  std::this_thread::sleep_for(10ms);
  script_->say("two");
  client.until("0:two;");
  script_->end();
  client.until("0\r\n\r\n");
  EXPECT_TRUE(client.response().ends_with("GET /health "));
}

TEST_F(ConnectionTest, EndsAreSeenBehindManyRequestsToo) {
  TestClient client = connect();
  client.send(post("/v1/stream"));
  script_->say("one");
  client.until("0:one;");
  client.send(std::string(3 * limits::kMaxHeadBytes, 'x'));
  client.close();
  const auto facts = observer_.wait_for(1);
  ASSERT_EQ(facts.size(), 1u);
  EXPECT_TRUE(facts[0].client_gone);
  EXPECT_TRUE(script_->cancelled);
}

TEST_F(ConnectionTest, SlowHeadsAreCut) {
  times_.head = 30ms;
  TestClient client = connect();
  client.send("GET /health HTT");
  EXPECT_TRUE(starts(client.response(), "HTTP/1.1 408 "));
  EXPECT_TRUE(client.ended());
}

TEST_F(ConnectionTest, SlowBodiesAreCut) {
  times_.body = 30ms;
  TestClient client = connect();
  client.send("POST /v1/say HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(starts(client.response(), "HTTP/1.1 408 "));
}

TEST_F(ConnectionTest, WhatIsSlowAtHeadAndBodyHasOneDeadline) {
  times_.body = 1s;
  TestClient client = connect();
  client.send("POST /v1/say HTTP/1.1\r\nHost: localhost\r\n");
  std::this_thread::sleep_for(1100ms);
  const auto head_ends = std::chrono::steady_clock::now();
  client.send("Content-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(starts(client.response(), "HTTP/1.1 408 "));
  EXPECT_LT(std::chrono::steady_clock::now() - head_ends, 900ms) << "the second began with the first byte";
}

TEST_F(ConnectionTest, IdleConnectionsEnd) {
  times_.idle = 30ms;
  TestClient client = connect();
  client.send(get("/health"));
  EXPECT_TRUE(client.response().ends_with("GET /health "));
  EXPECT_TRUE(client.ended());
}

TEST_F(ConnectionTest, SlowReadersAreCut) {
  times_.write = 50ms;
  TestClient client = connect();
  client.send(post("/v1/stream"));
  const std::string piece(10'000, 'x');
  for (int i = 0; i < 200; ++i) script_->say(piece);
  const auto facts = observer_.wait_for(1);
  ASSERT_EQ(facts.size(), 1u);
  EXPECT_TRUE(facts[0].client_gone);
  EXPECT_TRUE(script_->cancelled);
}

TEST_F(ConnectionTest, TooManyRequestsAreRefusedAtOnce) {
  max_requests_ = 1;
  TestClient first = connect(), second = connect();
  first.send(post("/v1/whole"));
  std::this_thread::sleep_for(20ms);
  second.send(post("/v1/say"));
  const std::string response = second.response();
  EXPECT_TRUE(starts(response, "HTTP/1.1 503 ")) << response;
  EXPECT_TRUE(has(response, "retry-after: ")) << response;
  second.send(get("/v1/say"));  // a query
  EXPECT_TRUE(starts(second.response(), "HTTP/1.1 200 "));
  script_->end();
  first.response();
  second.send(post("/v1/say"));
  EXPECT_TRUE(starts(second.response(), "HTTP/1.1 200 "));
}

TEST_F(ConnectionTest, AnswersThatTakeTooLongAreEnded) {
  times_.answer = 40ms;
  TestClient client = connect();
  client.send(post("/v1/stream"));
  script_->say("one");
  client.until("0:one;");
  EXPECT_TRUE(has(client.until("0\r\n\r\n"), "<error: the answer took longer"));
  client.send(post("/v1/whole"));
  const std::string response = client.response();
  EXPECT_TRUE(starts(response, "HTTP/1.1 503 ")) << response;
}

TEST_F(ConnectionTest, OldClientsGetStreamsWithoutChunks) {
  TestClient client = connect();
  client.send("POST /v1/stream HTTP/1.0\r\nContent-Length: 1\r\n\r\nx");
  script_->say("one");
  script_->end();
  const std::string response = client.until("<end>");
  EXPECT_FALSE(has(response, "chunked")) << response;
  EXPECT_TRUE(has(response, "connection: close\r\n")) << response;
  EXPECT_TRUE(has(response, "\r\n\r\n<begin>0:one;0.;<end>")) << response;
  EXPECT_TRUE(client.ended());
}

TEST_F(ConnectionTest, ContinueIsSaidToWhoWaitsForIt) {
  TestClient client = connect();
  client.send("POST /v1/say HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hello");
  EXPECT_TRUE(client.response().ends_with("hello"));
}

TEST_F(ConnectionTest, OpenStreamsAreToldWhenTheServerStops) {
  TestClient client = connect();
  client.send(post("/v1/stream"));
  script_->say("one");
  client.until("0:one;");
  on_server([&] {
    core_->draining = core_->stopping = true;
    for (Connection* c : core_->connections) c->wake();
  });
  EXPECT_TRUE(has(client.until("0\r\n\r\n"), "<error: the server is stopping"));
  EXPECT_TRUE(client.ended());
}

TEST_F(ConnectionTest, IdsOfClientsAreKeptWhenTheyAreOnes) {
  TestClient client = connect();
  client.send(get("/health", "X-Request-Id: my-id_1.2\r\n"));
  EXPECT_TRUE(has(client.response(), "x-request-id: my-id_1.2\r\n"));
  for (const std::string& other : {std::string("a b"), std::string("a/b"), std::string("\"a\""), std::string(65, 'a')}) {
    client.send(get("/health", "X-Request-Id: " + other + "\r\n"));
    EXPECT_TRUE(has(client.response(), "x-request-id: req_")) << other;
  }
}

TEST_F(ConnectionTest, ErrorsOfOpenAiPathsAreInTheWordsOfAnthropicForItsClients) {
  TestClient client = connect();
  const std::string version = "anthropic-version: 2023-06-01\r\n";
  for (const std::string& request : {get("/v1/fail", version), get("/v1/nothing", version)}) {
    client.send(request);
    const std::string response = client.response();
    EXPECT_TRUE(has(response, R"({"type":"error","error":{"type":)")) << response;
    EXPECT_TRUE(has(response, "\r\nrequest-id: req_")) << response;
  }
  client.send(get("/v1/fail"));
  EXPECT_TRUE(has(client.response(), R"("param":)"));
}

}  // namespace
}  // namespace minnow
