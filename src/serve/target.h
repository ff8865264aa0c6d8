// What a request line asks for, taken apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minnow {

struct Target {
  // Decoded, then normalized: begins with a slash; no empty, "." or ".." parts; no slash at the end but that of "/". "*" for OPTIONS *.
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;  // decoded
  std::string authority;                                   // of the absolute form, "http://authority/path"; else empty
};

// nullopt: a broken %XX, control characters, invalid UTF-8, a fragment, or neither of the forms "/path", "http://host/path", "*".
std::optional<Target> parse_target(std::string_view text);

}  // namespace minnow
