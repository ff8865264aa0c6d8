#include "text/grammar/schema_formats.h"

#include <fmt/format.h>

namespace minnow::grammar {
namespace {

// RFC 3339, years 0001 to 9999.
std::string date() {
  const std::string year = R"((?:\d{3}[1-9]|\d{2}[1-9]\d|\d[1-9]\d{2}|[1-9]\d{3}))";
  const std::string leap = R"((?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00))";
  return fmt::format("(?:{}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|"
                     "02-(?:0[1-9]|1\\d|2[0-8]))|{}-02-29)", year, leap);
}

std::string time() {
  // The offsets that are in use.
  return R"((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d))";
}

// ISO 8601 as RFC 3339 appendix A has it.
std::string duration() {
  const std::string n = R"(\d{1,9})";
  const std::string clock = fmt::format("T(?:{0}H(?:{0}M(?:{0}S)?)?|{0}M(?:{0}S)?|{0}S)", n);
  return fmt::format("P(?:{0}W|(?:{0}Y(?:{0}M(?:{0}D)?)?|{0}M(?:{0}D)?|{0}D)(?:{1})?|{1})", n, clock);
}

// Labels of letters and digits with single hyphens, none longer than 63, a name no longer than 253.
std::string hostname() {
  const std::string label = "[A-Za-z0-9]{1,15}(?:-[A-Za-z0-9]{1,15}){0,2}";
  return fmt::format("{0}(?:\\.{0}){{0,4}}", label);
}

std::string email() {
  const std::string atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}";
  return fmt::format("{0}(?:\\.{0}){{0,2}}@{1}", atom, hostname());
}

std::string ipv4() {
  return R"((?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d))";
}

// RFC 4291: eight groups, or fewer with one gap.
std::string ipv6() {
  const std::string group = "[0-9A-Fa-f]{1,4}";
  std::string out = fmt::format("(?:{0}:){{7}}{0}", group);
  for (int before = 0; before <= 7; ++before) {
    const std::string left = before == 0 ? ":" : fmt::format("(?:{}:){{{}}}", group, before);
    const int after = 7 - before;
    const std::string right = after == 0 ? "" : fmt::format("(?:{0}(?::{0}){{0,{1}}})?", group, after - 1);
    out += "|" + left + ":" + right;
  }
  return "(?:" + out + ")";
}

constexpr const char* kPathCharacter = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";

std::string after_path() { return fmt::format("(?:\\?(?:{0}|[/?])*)?(?:#(?:{0}|[/?])*)?", kPathCharacter); }

// Two slashes at the beginning would be followed by a host.
std::string relative_uri() { return fmt::format("(?:/|(?:/{0}+)(?:/{0}*)*)?{1}", kPathCharacter, after_path()); }

std::string uri() {
  return fmt::format("[A-Za-z][A-Za-z0-9+.-]{{0,20}}://{}(?::[1-9]\\d{{0,3}})?(?:/{}*)*{}", hostname(), kPathCharacter, after_path());
}

std::string json_pointer() { return "(?:/(?:[^/~]|~[01])*)*"; }

struct Format {
  std::string_view name;
  std::string (*pattern)();
};

constexpr Format kFormats[] = {
    {"date-time", [] { return date() + "T" + time(); }},
    {"date", date},
    {"time", time},
    {"duration", duration},
    {"email", email},
    {"hostname", hostname},
    {"ipv4", ipv4},
    {"ipv6", ipv6},
    {"uri", uri},
    {"uri-reference", [] { return "(?:" + uri() + "|" + relative_uri() + ")"; }},
    {"uuid", [] { return std::string("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"); }},
    {"json-pointer", json_pointer},
    {"relative-json-pointer", [] { return "(?:0|[1-9]\\d{0,8})(?:#|" + json_pointer() + ")"; }},
};

}  // namespace

std::optional<std::string> format_pattern(std::string_view name) {
  for (const Format& format : kFormats) {
    if (format.name == name) return "^(?:" + format.pattern() + ")$";
  }
  return std::nullopt;
}

std::vector<std::string_view> format_names() {
  std::vector<std::string_view> names;
  for (const Format& format : kFormats) names.push_back(format.name);
  return names;
}

}  // namespace minnow::grammar
