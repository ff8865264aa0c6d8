// Any bytes as requests, cut anywhere: read the same as in one piece, or refused. What is accepted keeps its bounds. The first byte
// says how they are cut.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "serve/request_reader.h"

namespace {

using minnow::RequestReader;
using State = RequestReader::State;

constexpr std::size_t kMaxBody = 4096;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Outcome {
  State state = State::kHead;
  int status = 0;
  std::string method, path, body;
  std::size_t n_headers = 0, rest = 0;
  bool operator==(const Outcome&) const = default;
};

void check(minnow::HttpRequest& request) {
  require(request.body.size() <= kMaxBody);
  require(request.headers.size() <= minnow::limits::kMaxHeaders + 1);
  require(request.path == "*" || request.path.starts_with('/'));
  require(minnow::is_valid_utf8(request.path));
  require(request.path == "*" || request.path.find("//") == std::string::npos);
  require((request.path + "/").find("/../") == std::string::npos && (request.path + "/").find("/./") == std::string::npos);
  require(std::ranges::none_of(request.path, [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
  for (const auto& [name, value] : request.headers) require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos && !name.empty());
}

Outcome read(std::string_view text, std::size_t step) {
  RequestReader reader(kMaxBody);
  std::string buffer;
  std::size_t same = 0;
  while (reader.state() != State::kDone && reader.state() != State::kRefused && same < 3) {
    const State before = reader.state();
    const std::size_t held = buffer.size();
    const std::string_view piece = text.substr(0, step);
    buffer += piece;
    text.remove_prefix(piece.size());
    const State after = reader.feed(buffer);
    require(buffer.size() <= held + piece.size());
    same = piece.empty() && after == before ? same + 1 : 0;
  }
  Outcome out{.state = reader.state(), .rest = buffer.size() + text.size()};
  if (out.state == State::kRefused) {
    out.status = reader.refusal().status;
    require(out.status >= 400 && out.status < 600 && !reader.refusal().message.empty());
    return {.state = out.state, .status = out.status};
  }
  if (out.state == State::kDone) {
    minnow::HttpRequest& request = reader.request();
    check(request);
    out.method = request.method;
    out.path = request.path;
    out.body = request.body;
    out.n_headers = request.headers.size();
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 64 << 10) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = read(text, text.size() + 1);
  const Outcome cut = read(text, 1 + data[0] % 61);
  // When a fault is seen, and which of several, may depend on what had come by then; what is accepted may not.
  require((whole.state == State::kDone) == (cut.state == State::kDone));
  if (whole.state == State::kDone) require(whole == cut);
  return 0;
}
