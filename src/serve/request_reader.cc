#include "serve/request_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>

#include "serve/target.h"

namespace minnow {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

std::string_view view(string_view text) { return {text.data(), text.size()}; }

// Two of them would leave open which one counts.
constexpr std::string_view kSingleHeaders[] = {"host", "authorization", "x-api-key", "origin", "content-length", "content-encoding", "expect"};

constexpr std::size_t kShortestChunkedEnd = std::string_view("0\r\n\r\n").size();
constexpr std::string_view kBareLineEnd = "lines of HTTP end with CR LF, and one here ends with LF alone";

bool has_bare_line_end(std::string_view bytes) {
  for (std::size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n', end + 1)) {
    if (end == 0 || bytes[end - 1] != '\r') return true;
  }
  return false;
}

Refusal refusal_of(const error_code& error) {
  if (error == http::error::header_limit) return {431, "the request's head is too large"};
  if (error == http::error::bad_version) return {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  if (error == http::error::body_limit) return {413, "the request's body is too large"};
  if (error == http::error::bad_chunk || error == http::error::bad_chunk_extension) return {400, "the chunks of the request's body are broken"};
  if (error == http::error::bad_content_length || error == http::error::multiple_content_length) return {400, "content-length is broken, or there are two lengths"};
  if (error == http::error::bad_transfer_encoding) return {400, "transfer-encoding is broken, or comes with a content-length"};
  return {400, "this is not a readable HTTP request"};
}

}  // namespace

struct RequestReader::Impl final : http::basic_parser<true> {
  explicit Impl(std::size_t max) : max_body(max) {
    header_limit(static_cast<std::uint32_t>(2 * limits::kMaxHeadBytes));  // counted here: it forgets fields that were whole
    body_limit(boost::none);  // counted here: what is too large is said in the route's words
    eager(false);
  }

  HttpRequest request;
  std::string authority;
  std::optional<Refusal> refusal;
  State state = State::kHead;
  std::size_t max_body;
  std::size_t head_bytes = 0;  // so far
  uint64_t chunk_left = 0;     // bytes that the chunk still has
  bool http_1_1 = false, in_body = false;

  void refuse(int status, std::string message, error_code& ec) {
    if (!refusal) refusal = Refusal{status, std::move(message)};
    ec = http::error::bad_field;
  }

  void on_request_impl(http::verb, string_view method, string_view target, int version, error_code& ec) override {
    request.method = view(method);
    http_1_1 = version >= 11;
    auto parsed = minnow::parse_target(view(target));
    if (!parsed) return refuse(400, "the path of the request is broken", ec);
    if (parsed->path == "*" && request.method != "OPTIONS") return refuse(400, "\"*\" is for OPTIONS only", ec);
    request.path = std::move(parsed->path);
    request.query = std::move(parsed->query);
    authority = std::move(parsed->authority);
  }

  void on_field_impl(http::field, string_view name, string_view value, error_code& ec) override {
    if (in_body) return;  // trailers say nothing that counts
    if (request.headers.size() >= limits::kMaxHeaders) return refuse(431, "the request has too many headers", ec);
    std::string key = lower(view(name));
    if (std::ranges::find(kSingleHeaders, key) != std::end(kSingleHeaders) && has(key)) return refuse(400, "header " + key + " is there twice", ec);
    request.headers.emplace_back(std::move(key), view(value));
  }

  bool has(std::string_view key) const {
    return std::ranges::any_of(request.headers, [&](const auto& h) { return h.first == key; });
  }

  void on_header_impl(error_code& ec) override {
    in_body = true;
    if (!authority.empty()) {  // counts, not the header (RFC 9112, 3.2.2)
      std::erase_if(request.headers, [](const auto& h) { return h.first == "host"; });
      request.headers.emplace_back("host", std::move(authority));
    }
    if (http_1_1 && !has("host")) return refuse(400, "header host is missing", ec);
    if (has("transfer-encoding")) {
      if (!http_1_1) return refuse(400, "HTTP/1.0 knows no transfer-encoding", ec);
      if (lower(request.header("transfer-encoding")) != "chunked") return refuse(501, "transfer-encoding must be chunked", ec);
    }
    if (request.header("content-length").find(',') != std::string_view::npos) return refuse(400, "content-length is broken", ec);
    const std::string coding = lower(request.header("content-encoding"));
    if (!coding.empty() && coding != "identity") return refuse(415, "bodies must come without content-encoding", ec);
    const std::string_view expect = request.header("expect");
    if (!expect.empty() && lower(expect) != "100-continue") refuse(417, "only 100-continue can be expected", ec);
  }

  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}

  std::size_t take_body(string_view body, error_code& ec) {
    if (body.size() > max_body - request.body.size()) {
      refuse(413, "the request's body is too large", ec);
      return 0;
    }
    request.body.append(view(body));
    return body.size();
  }
  std::size_t on_body_impl(string_view body, error_code& ec) override { return take_body(body, ec); }
  std::size_t on_chunk_body_impl(std::uint64_t left, string_view body, error_code& ec) override {
    const std::size_t taken = take_body(body, ec);
    chunk_left = left - taken;
    return taken;
  }
  void on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& ec) override {
    if (has_bare_line_end(view(extensions))) return refuse(400, std::string(kBareLineEnd), ec);  // escaped, in quotes
    if (size > max_body - request.body.size()) refuse(413, "the request's body is too large", ec);
    chunk_left = size;
  }
  void on_finish_impl(error_code&) override {}

  State refused(const error_code& ec) {
    if (!refusal) refusal = refusal_of(ec);
    return state = State::kRefused;
  }

  // The parser takes for granted that of the end of a chunked body it never sees less than the shortest.
  bool is_part_of_end(std::string_view waiting) {
    if (!is_header_done() || !chunked() || chunk_left > 0 || waiting.size() >= kShortestChunkedEnd) return false;
    if (waiting.starts_with("\r\n")) waiting.remove_prefix(2);
    return waiting.starts_with('0');
  }

  // A head that is too long, or that of a chunk that does not end, or lines that do not end as they should, for whose end the parser would
  // wait. `waiting`: bytes that were not used.
  void check_rest(bool was_head, std::string_view waiting) {
    if (was_head && head_bytes + (state == State::kHead ? waiting.size() : 0) > limits::kMaxHeadBytes) {
      refusal = Refusal{431, "the request's head is too large"};
    } else if ((state == State::kHead || (!was_head && state == State::kBody)) && has_bare_line_end(waiting)) {
      refusal = Refusal{400, std::string(kBareLineEnd)};
    } else if (!was_head && state == State::kBody && waiting.size() >= limits::kMaxHeadBytes) {
      refusal = Refusal{400, "the chunks of the request's body are broken"};
    }
    if (refusal) state = State::kRefused;
  }
};

RequestReader::RequestReader(std::size_t max_body) : impl_(std::make_unique<Impl>(max_body)) {}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;

RequestReader::State RequestReader::feed(std::string& bytes) {
  Impl& p = *impl_;
  if (p.state == State::kDone || p.state == State::kRefused) return p.state;
  if (p.state == State::kHead && !p.got_some()) {  // an empty line before a request is no harm (RFC 9112, 2.2)
    const std::size_t begin = std::min(bytes.find_first_not_of("\r\n"), bytes.size());
    bytes.erase(0, begin);
  }
  const std::string_view first_line = std::string_view(bytes).substr(0, bytes.find('\n') + 1);
  if (p.state == State::kHead && p.head_bytes == 0 && has_bare_line_end(first_line)) {  // to the parser it is of another version
    p.refusal = Refusal{400, std::string(kBareLineEnd)};
    return p.state = State::kRefused;
  }
  std::size_t used = 0;
  const bool was_head = p.state == State::kHead;
  while (used < bytes.size() && !p.is_part_of_end(std::string_view(bytes).substr(used))) {
    error_code ec;
    const std::size_t n = p.put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), ec);
    used += n;
    if (was_head) p.head_bytes += n;
    if (p.refusal || (ec && ec != http::error::need_more)) return p.refused(ec);
    if (p.is_header_done()) p.state = p.is_done() ? State::kDone : State::kBody;
    if (ec || p.state == State::kDone || (was_head && p.state == State::kBody)) break;
  }
  bytes.erase(0, used);
  p.check_rest(was_head, bytes);
  return p.state;
}

RequestReader::State RequestReader::state() const { return impl_->state; }
const Refusal& RequestReader::refusal() const { return *impl_->refusal; }
HttpRequest& RequestReader::request() { return impl_->request; }

std::optional<uint64_t> RequestReader::declared_length() const {
  if (!impl_->is_header_done()) return std::nullopt;
  const auto length = impl_->content_length();
  return length ? std::optional<uint64_t>(*length) : std::nullopt;
}

bool RequestReader::keep_alive() const { return impl_->is_header_done() && impl_->http_1_1 && impl_->keep_alive(); }
bool RequestReader::is_http_1_1() const { return impl_->http_1_1; }
bool RequestReader::expects_continue() const { return impl_->http_1_1 && !impl_->request.header("expect").empty(); }

}  // namespace minnow
