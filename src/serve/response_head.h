// Bytes of HTTP/1.1 responses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minnow {

struct ResponseHead {
  int status = 200;
  std::string_view content_type = {};           // empty: none
  std::optional<uint64_t> content_length = {};  // nullopt: chunked, or until the connection ends
  bool chunked = false;
  bool close = false;                           // the connection ends after this response
  std::string_view request_id = {};
  std::string_view date = {};
};

// The status line, these fields, `headers`, and the empty line. Control characters in headers become spaces: none can begin another.
void append_head(std::string& out, const ResponseHead& head, const std::vector<std::pair<std::string, std::string>>& headers);

// One chunk of a body; nothing for no data, which would end it.
void append_chunk(std::string& out, std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

std::string_view reason_phrase(int status);
// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
std::string http_date(int64_t unix_seconds);

}  // namespace minnow
