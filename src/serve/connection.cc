#include "serve/connection.h"

#include <algorithm>

#include "base/error.h"
#include "serve/answer_stream.h"
#include "serve/response_head.h"

namespace minnow {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr const char* kRetrySeconds = "2";  // of what is refused because too much is asked at once
constexpr auto kLong = std::chrono::hours(1);

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= limits::kMaxRequestIdBytes && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

Refusal busy() { return {503, "server busy, please try again: too many requests are being answered or waiting"}; }
Refusal stopping() { return {503, "the server is stopping"}; }

// Counts what it holds of a shared amount.
class Share {
 public:
  Share(std::size_t& total, std::size_t amount) : total_(total), amount_(amount) { total_ += amount_; }
  ~Share() { total_ -= amount_; }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;
  void set(std::size_t amount) {
    total_ += amount - amount_;
    amount_ = amount;
  }

 private:
  std::size_t& total_;
  std::size_t amount_;
};

}  // namespace

Connection::Connection(ServerCore& core, std::shared_ptr<Transport> transport, Ends ends)
    : core_(core), client_(std::move(transport), core.scratch, core.options.times), ends_(std::move(ends)) {
  core_.connections.insert(this);
}

Connection::~Connection() { core_.connections.erase(this); }

asio::awaitable<void> Connection::run() {
  bool go_on = true;
  while (go_on) {
    try {
      go_on = co_await serve_next();
    } catch (const std::exception& error) {
      core_.log(std::string("a connection failed: ") + error.what());
      if (in_request_) end_facts();
      go_on = false;
    }
  }
  // Closing while bytes are unread makes the kernel throw away what the client has not read yet.
  const bool rest = unread_ || !client_.input().empty();
  if (rest && !facts_.client_gone) co_await client_.linger();
  client_.transport().shut_down();
  client_.transport().close();
}

// True: another request may come.
asio::awaitable<bool> Connection::serve_next() {
  RequestReader reader;
  facts_ = {};
  keep_alive_ = head_only_ = unread_ = false;
  http_1_1_ = true;
  cors_.clear();
  const Head head = co_await read_head(reader);
  if (head == Head::kGone) {
    facts_.client_gone = true;
    co_return false;
  }
  started_ = SteadyClock::now();
  HttpRequest& request = reader.request();
  begin_facts(request);
  Admission admission;
  if (head == Head::kTooLate) {
    admission = refuse({408, "the request's head took too long"});
  } else if (head == Head::kRefused) {
    admission = refuse(reader.refusal());
  } else {
    http_1_1_ = reader.is_http_1_1();
    keep_alive_ = reader.keep_alive();
    head_only_ = request.method == "HEAD";
    admission = admit(request);
    if (!admission.response && reader.declared_length() > limits::kMaxBodyBytes) admission = refuse({413, "the request's body is too large"});
  }
  if (!admission.response && reader.state() == RequestReader::State::kBody) {
    const auto refusal = co_await read_body(reader);
    if (refusal && refusal->status == 0) {
      facts_.client_gone = true;
      end_facts();
      co_return false;
    }
    if (refusal) admission = refuse(*refusal);
  }
  client_.input().shrink_to_fit();  // a large body came through it
  facts_.request_bytes = request.body.size();
  if (!admission.response) co_return co_await answer(*admission.route, std::move(request));
  facts_.error = admission.error;
  if (reader.state() == RequestReader::State::kBody) reader.feed(client_.input());  // most bodies came with their heads
  unread_ = reader.state() != RequestReader::State::kDone;
  keep_alive_ = keep_alive_ && !unread_;
  co_return co_await respond(std::move(*admission.response));
}

asio::awaitable<Connection::Head> Connection::read_head(RequestReader& reader) {
  const ServerTimes& times = core_.options.times;
  bool begun = false;
  idle_since_ = SteadyClock::now();
  auto deadline = *idle_since_ + (first_ ? times.head : times.idle);
  for (;;) {
    if (!client_.input().empty()) {
      if (!begun) {
        begun_ = SteadyClock::now();
        deadline = begun_ + times.head;
      }
      begun = true;
      idle_since_.reset();
      const RequestReader::State state = reader.feed(client_.input());
      first_ = false;
      if (state == RequestReader::State::kRefused) co_return Head::kRefused;
      if (state != RequestReader::State::kHead) co_return Head::kWhole;
    }
    if (core_.stopping || (core_.draining && !begun)) co_return Head::kGone;
    if (SteadyClock::now() >= deadline) co_return begun ? Head::kTooLate : Head::kGone;
    if (client_.input().empty()) client_.input().shrink_to_fit();
    const bool there = co_await client_.read(deadline);
    if (!there) co_return Head::kGone;
  }
}

// A refusal of status 0: the client is gone.
asio::awaitable<std::optional<Refusal>> Connection::read_body(RequestReader& reader) {
  const auto deadline = begun_ + core_.options.times.body;
  Share held(core_.body_bytes, 0);
  if (reader.expects_continue() && client_.input().empty()) {
    const bool taken = co_await client_.write(kContinue);
    if (!taken) co_return Refusal{0, ""};
  }
  for (;;) {
    const RequestReader::State state = reader.feed(client_.input());
    if (state == RequestReader::State::kDone) co_return std::nullopt;
    if (state == RequestReader::State::kRefused) co_return reader.refusal();
    held.set(reader.request().body.size());
    if (core_.body_bytes > limits::kMaxBodiesBytes) co_return busy();
    if (core_.stopping) co_return stopping();
    if (SteadyClock::now() >= deadline) co_return Refusal{408, "the request's body took too long"};
    const bool there = co_await client_.read(deadline);
    if (!there) co_return Refusal{0, ""};
  }
}

Connection::Admission Connection::refuse(const Refusal& refusal) const {
  Admission out{.response = error_response(facts_.dialect, refusal.status, refusal.message, facts_.id), .error = refusal.message};
  auto& headers = out.response->headers;
  headers.insert(headers.end(), refusal.headers.begin(), refusal.headers.end());
  if (refusal.retry_after_seconds > 0) headers.emplace_back("retry-after", std::to_string(refusal.retry_after_seconds));
  if (refusal.status == 401) headers.emplace_back("www-authenticate", "Bearer");
  return out;
}

void Connection::begin_facts(const HttpRequest& request) {
  const std::string_view sent = request.header("x-request-id");
  facts_.number = ++core_.n_requests;
  facts_.id = is_request_id(sent) ? std::string(sent) : core_.new_id();
  facts_.method = request.method;
  facts_.dialect = dialect_of(request, request.path.empty() ? Dialect::kOpenAi : dialect_of_path(request.path));
  facts_.peer = ends_.peer;
  in_request_ = true;
}

void Connection::end_facts() {
  in_request_ = false;
  facts_.seconds = std::chrono::duration<double>(SteadyClock::now() - started_).count();
  core_.observer.request_ended(facts_);
}

bool Connection::is_query(const Route& route) const { return route.method == "GET"; }

// Host and origin, route, key, room: in this order, so that strangers learn nothing.
Connection::Admission Connection::admit(HttpRequest& request) {
  request.id = facts_.id;
  if (const auto refusal = core_.checks.check(request, ends_.own)) return refuse(*refusal);
  RequestChecks::add_cors(request, cors_);
  Router::Match match = core_.router.match(request.method, request.path);
  const bool everything = request.path == "*";
  if (RequestChecks::is_preflight(request) && (everything || !match.allowed.empty())) {
    return {.response = RequestChecks::preflight(request, everything ? "GET, HEAD, POST, DELETE, OPTIONS" : match.allowed)};
  }
  if (everything) return {.response = HttpResponse{.status = 204, .content_type = ""}};
  if (match.same_path == nullptr) return refuse({404, "there is nothing at this path"});
  const Route& route = match.route != nullptr ? *match.route : *match.same_path;
  facts_.dialect = dialect_of(request, route.dialect);
  facts_.route = route.path;
  request.path_values = std::move(match.values);
  core_.observer.request_started(facts_);
  AuthResult result = core_.auth.check(request, route, ends_.peer);
  if (const auto* refusal = std::get_if<Refusal>(&result)) return refuse(*refusal);
  facts_.caller = request.caller = std::get<Caller>(std::move(result));
  if (match.route == nullptr) {
    if (request.method == "OPTIONS") return {.response = HttpResponse{.status = 204, .content_type = "", .headers = {{"allow", match.allowed}}}};
    return refuse({405, "this path knows other methods only: " + match.allowed, 0, {{"allow", match.allowed}}});
  }
  if (core_.draining && route.scope != Scope::kOpen) return refuse(stopping());
  if (!is_query(route) && core_.in_progress >= core_.options.max_requests) return refuse(busy());
  return {.route = &route};
}

asio::awaitable<bool> Connection::answer(const Route& route, HttpRequest request) {
  const Share slot(core_.in_progress, is_query(route) ? 0 : 1);
  std::optional<JobResult> result;
  if (route.scope == Scope::kOpen && is_query(route)) {
    const auto transport = client_.shared_transport();
    result = run_handler(route, request, core_.services, [transport] { transport->wake(); });
  } else {
    result = co_await run_job(route, std::move(request));
  }
  if (!result) {
    facts_.client_gone = true;
    end_facts();
    co_return false;
  }
  facts_.error = result->error;
  if (result->internal) core_.log("request " + facts_.id + " (" + facts_.route + ") failed: " + result->error);
  if (result->answer) co_return co_await give(route, std::move(result->answer));
  co_return co_await respond(std::move(*result->response));
}

// nullopt: the client went away.
asio::awaitable<std::optional<JobResult>> Connection::run_job(const Route& route, HttpRequest request) {
  const auto transport = client_.shared_transport();
  const auto job = std::make_shared<Job>(route, std::move(request), [transport] { transport->wake(); });
  WorkerPool& pool = is_query(route) ? core_.queries : core_.workers;
  if (!pool.submit([job, &services = core_.services] { job->run(services); })) {
    co_return JobResult{.response = refuse(busy()).response, .error = busy().message};
  }
  while (!job->is_finished()) {
    const bool there = co_await client_.watch(SteadyClock::now() + kLong);
    if (job->is_finished() || (there && !core_.stopping)) continue;
    if (!job->abandon()) core_.discard(job->take().answer);
    if (!there) co_return std::nullopt;
    co_return JobResult{.response = refuse(stopping()).response, .error = stopping().message};
  }
  co_return job->take();
}

asio::awaitable<bool> Connection::give(const Route& route, std::unique_ptr<PreparedAnswer> prepared) {
  facts_.model = prepared->model ? prepared->model->entry().name : "";
  facts_.stream = prepared->stream;
  facts_.choices = static_cast<int>(prepared->answers.size());
  facts_.max_tokens = prepared->max_tokens;
  const bool chunked = http_1_1_;
  AnswerContext context{.client = client_, .times = core_.options.times, .observer = core_.observer, .facts = facts_,
                        .started = started_, .stopping = core_.stopping, .chunked = chunked, .head_only = head_only_};
  context.stream_head = [&] {
    HttpResponse response{.content_type = std::string(prepared->format->stream_content_type()), .headers = prepared->headers};
    response.headers.emplace_back("cache-control", "no-cache");
    response.headers.emplace_back("x-accel-buffering", "no");
    keep_alive_ = keep_alive_ && chunked && !core_.draining;
    facts_.status = 200;
    std::string head;
    append_head(head, {.content_type = response.content_type, .chunked = chunked, .close = !keep_alive_, .request_id = facts_.id, .date = core_.date()},
                headers_for(response));
    return head;
  };
  AnswerEnd end = co_await give_answer(std::move(context), *prepared);
  if (end.response && facts_.status == 0 && end.error.empty()) {
    for (const auto& header : prepared->headers) end.response->headers.push_back(header);
  }
  core_.discard(std::move(prepared));
  facts_.error = end.error;
  if (!end.error.empty() && !core_.stopping) core_.log("request " + facts_.id + " (" + route.path + ") failed: " + end.error);
  if (end.response && !end.gone) co_return co_await respond(std::move(*end.response));
  facts_.client_gone = end.gone;
  end_facts();
  co_return keep_alive_ && !end.gone && !core_.draining;
}

std::vector<std::pair<std::string, std::string>> Connection::headers_for(const HttpResponse& response) const {
  auto headers = response.headers;
  const auto has = [&](std::string_view name) { return std::ranges::any_of(headers, [&](const auto& h) { return h.first == name; }); };
  if ((response.status == 503 || response.status == 429) && !has("retry-after")) headers.emplace_back("retry-after", kRetrySeconds);
  headers.insert(headers.end(), cors_.begin(), cors_.end());
  return headers;
}

// True: another request may come.
asio::awaitable<bool> Connection::respond(HttpResponse response) {
  keep_alive_ = keep_alive_ && !core_.draining;
  facts_.status = response.status;
  facts_.response_bytes = response.body.size();
  if (facts_.model.empty()) facts_.model = response.model;
  if (response.prompt_tokens > 0) facts_.prompt_tokens = response.prompt_tokens;
  if (response.prompt_seconds > 0) facts_.prompt_seconds = response.prompt_seconds;
  std::string bytes;
  append_head(bytes, {.status = response.status, .content_type = response.content_type, .content_length = response.body.size(),
                      .close = !keep_alive_, .request_id = facts_.id, .date = core_.date()}, headers_for(response));
  if (!head_only_) bytes += response.body;
  response.body = {};
  const bool bulk = bytes.size() > static_cast<std::size_t>(limits::kSocketBulkBytes);  // is in memory anyway: the kernel may have more
  if (bulk) client_.transport().set_send_bytes(limits::kSocketBulkBytes);
  const bool taken = co_await client_.write(bytes);
  if (bulk) client_.transport().set_send_bytes(limits::kSocketSendBytes);
  facts_.client_gone = !taken;
  end_facts();
  co_return taken && keep_alive_;
}

}  // namespace minnow
