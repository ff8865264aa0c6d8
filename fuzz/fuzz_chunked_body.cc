// Any bytes behind the head of a request with a chunked body. The first byte says how they are cut: the body must not depend on it.
#include <cstdlib>
#include <string>
#include <string_view>

#include "serve/request_reader.h"

namespace {

using minnow::RequestReader;
using State = RequestReader::State;

constexpr std::size_t kMaxBody = 4096;

void require(bool condition) {
  if (!condition) std::abort();
}

State read(std::string_view text, std::size_t step, std::string& body, std::size_t& rest) {
  RequestReader reader(kMaxBody);
  std::string buffer = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
  require(reader.feed(buffer) == State::kBody && buffer.empty());
  State state = State::kBody;
  while (!text.empty() && state == State::kBody) {
    const std::string_view piece = text.substr(0, step);
    buffer += piece;
    text.remove_prefix(piece.size());
    state = reader.feed(buffer);
    require(reader.request().body.size() <= kMaxBody);
    require(state != State::kBody || buffer.size() < minnow::limits::kMaxHeadBytes);
  }
  body = reader.request().body;
  rest = buffer.size() + text.size();
  return state;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 64 << 10) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string whole, cut;
  std::size_t whole_rest = 0, cut_rest = 0;
  const State a = read(text, text.size() + 1, whole, whole_rest);
  const State b = read(text, 1 + data[0] % 61, cut, cut_rest);
  require((a == State::kDone) == (b == State::kDone));  // a fault may be seen earlier in one of them
  if (a == State::kDone) require(whole == cut && whole_rest == cut_rest);
  return 0;
}
