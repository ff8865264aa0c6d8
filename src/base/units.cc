#include "base/units.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <span>
#include <string_view>

namespace minnow {
namespace {

// At most `digits` digits, of which at most `decimals` behind the point. Rounds before it picks the unit, so
// that 999999 is 1.0 M and not 1000 K.
std::string scaled(double value, std::span<const std::string_view> units, int digits, int decimals) {
  std::size_t unit = 0;
  while (true) {
    int places = decimals;
    for (double limit = std::pow(10, digits - decimals); places > 0 && value >= limit; limit *= 10) --places;
    const double step = std::pow(10, -places);
    const double rounded = std::round(value / step) * step;
    const bool grew =
        places > 0 && rounded >= std::pow(10, digits - places);  // 9.96 -> 10.0, one place too many
    if (grew) --places;
    if (rounded < 1000 || unit + 1 == units.size())
      return fmt::format("{:.{}f}{}", rounded, places, units[unit]);
    value /= 1000;
    ++unit;
  }
}

}  // namespace

std::string format_bytes(uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  static constexpr std::array<std::string_view, 6> kUnits = {" kB", " MB", " GB", " TB", " PB", " EB"};
  return scaled(static_cast<double>(bytes) / 1000, kUnits, 3, 1);
}

std::string format_count(uint64_t count) {
  if (count < 1000) return fmt::format("{}", count);
  static constexpr std::array<std::string_view, 4> kUnits = {" K", " M", " B", " T"};
  return scaled(static_cast<double>(count) / 1000, kUnits, 3, 2);
}

std::string format_duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e15) return "?";
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto s = static_cast<uint64_t>(std::llround(seconds));
  if (s < 3600) return fmt::format("{}m {:02}s", s / 60, s % 60);
  const uint64_t minutes = (s + 30) / 60;
  if (minutes < 24 * 60) return fmt::format("{}h {:02}m", minutes / 60, minutes % 60);
  const uint64_t hours = (s + 1800) / 3600;
  return fmt::format("{}d {:02}h", hours / 24, hours % 24);
}

}  // namespace minnow
