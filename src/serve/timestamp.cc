#include "serve/timestamp.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

namespace minnow {
namespace {

constexpr int64_t kDay = 86400;
constexpr int64_t kLongestPeriod = 1000 * 365 * kDay;

// Digits only, as many as the text has.
std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
  return value;
}

std::optional<int> part(std::string_view text, std::size_t at, std::size_t size, int lo, int hi) {
  const auto value = number(text.substr(at, size));
  return value && *value >= lo && *value <= hi ? value : std::nullopt;
}

// "09:05:07Z"
std::optional<int64_t> seconds_of_day(std::string_view text) {
  if (text.size() != 9 || text[2] != ':' || text[5] != ':' || text[8] != 'Z') return std::nullopt;
  const auto h = part(text, 0, 2, 0, 23), m = part(text, 3, 2, 0, 59), s = part(text, 6, 2, 0, 59);
  if (!h || !m || !s) return std::nullopt;
  return (*h * 60 + *m) * 60 + *s;
}

}  // namespace

int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string utc_text(int64_t unix_seconds) {
  const int64_t days = unix_seconds >= 0 ? unix_seconds / kDay : (unix_seconds - kDay + 1) / kDay;
  const int64_t rest = unix_seconds - days * kDay;
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{days}}};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), rest / 3600, rest / 60 % 60, rest % 60);
}

std::string utc_text_of_milliseconds(int64_t unix_milliseconds) {
  std::string text = utc_text(unix_milliseconds / 1000);
  text.pop_back();
  return text + fmt::format(".{:03}Z", unix_milliseconds % 1000);
}

std::optional<int64_t> parse_utc(std::string_view text) {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto y = part(text, 0, 4, 1970, 9999), m = part(text, 5, 2, 1, 12), d = part(text, 8, 2, 1, 31);
  if (!y || !m || !d) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*y}, std::chrono::month{static_cast<unsigned>(*m)},
                                         std::chrono::day{static_cast<unsigned>(*d)}};
  if (!date.ok()) return std::nullopt;
  const int64_t midnight = std::chrono::sys_days{date}.time_since_epoch().count() * kDay;
  if (text.size() == 10) return midnight;
  if (text[10] != 'T') return std::nullopt;
  const auto seconds = seconds_of_day(text.substr(11));
  return seconds ? std::optional(midnight + *seconds) : std::nullopt;
}

std::optional<int64_t> parse_period(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const auto count = number(text.substr(0, text.size() - 1));
  if (!count || *count < 1) return std::nullopt;
  int64_t unit = 0;
  switch (text.back()) {
    case 's': unit = 1; break;
    case 'm': unit = 60; break;
    case 'h': unit = 3600; break;
    case 'd': unit = kDay; break;
    case 'w': unit = 7 * kDay; break;
    case 'y': unit = 365 * kDay; break;
    default: return std::nullopt;
  }
  const int64_t seconds = *count * unit;
  return seconds <= kLongestPeriod ? std::optional(seconds) : std::nullopt;
}

}  // namespace minnow
