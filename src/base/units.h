// Quantities as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace minnow {

// SI, powers of 1000: 999 -> "999 B", 1234567 -> "1.2 MB", 123456789 -> "123 MB".
std::string format_bytes(uint64_t bytes);

// Three digits: 999 -> "999", 1234 -> "1.23 K", 1234567890 -> "1.23 B" (short scale: K, M, B, T).
std::string format_count(uint64_t count);

// 0.0123 -> "12 ms", 4.56 -> "4.6 s", 75 -> "1m 15s", 3700 -> "1h 01m", 90000 -> "1d 01h". "?" when negative
// or NaN.
std::string format_duration(double seconds);

}  // namespace minnow
