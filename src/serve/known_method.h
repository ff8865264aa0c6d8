// A client may send any word as its method; logs and labels of metrics hold those of HTTP only.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace minnow {

// The method itself, or "other".
inline std::string_view known_method(std::string_view method) {
  static constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"};
  return std::ranges::find(kMethods, method) != std::end(kMethods) ? method : "other";
}

}  // namespace minnow
