// Times of the calendar as texts, always in UTC, and periods such as "30d".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace minnow {

// Seconds since 1970, now.
int64_t unix_now();

// "2026-08-31T09:05:07Z".
std::string utc_text(int64_t unix_seconds);
// "2026-08-31T09:05:07.250Z".
std::string utc_text_of_milliseconds(int64_t unix_milliseconds);

// "2026-08-31" (its beginning) or "2026-08-31T09:05:07Z", years 1970 to 9999; nullopt for anything else, such as February 30.
std::optional<int64_t> parse_utc(std::string_view text);
// A whole number above 0 and s, m, h, d, w or y (365 days), up to a thousand years, in seconds; nullopt for anything else.
std::optional<int64_t> parse_period(std::string_view text);

}  // namespace minnow
