// The bounds that minnow serve keeps, for people and scripts.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace minnow {

struct ServeLimit {
  std::string_view name;  // of the constant in base/limits.h
  uint64_t value;
  std::string_view unit;  // "bytes", "seconds", or empty: a count
  std::string_view what;
};

std::span<const ServeLimit> serve_limits();
void print_serve_limits(bool json);

}  // namespace minnow
