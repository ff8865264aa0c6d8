#include "text/chat_output/json_scanner.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "base/limits.h"

namespace minnow::chat_output {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_scalar(char c) {
  return std::string_view("+-.0123456789abcdefghijklmnopqrstuvwxyzE").find(c) != std::string_view::npos;
}

}  // namespace

bool JsonScanner::step(char c) {
  if (place_ == Place::kInKey || place_ == Place::kInString) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      place_ = place_ == Place::kInKey ? Place::kColon : Place::kAfterValue;
    }
    return true;
  }
  if (place_ == Place::kInScalar) {
    if (is_scalar(c)) return true;
    place_ = Place::kAfterValue;
  }
  if (is_space(c)) return true;
  switch (place_) {
    case Place::kFirstElement:
      if (c == ']') return close('[');
      return begin_value(c);
    case Place::kValue:
      return begin_value(c);
    case Place::kFirstKey:
      if (c == '}') return close('{');
      [[fallthrough]];
    case Place::kKey:
      place_ = Place::kInKey;
      return c == '"';
    case Place::kColon:
      place_ = Place::kValue;
      return c == ':';
    case Place::kAfterValue:
      return after_value(c);
    default:
      return false;
  }
}

bool JsonScanner::begin_value(char c) {
  if (c == '{' || c == '[') return open(c);
  if (open_.empty()) return false;
  place_ = c == '"' ? Place::kInString : Place::kInScalar;
  return c == '"' || is_scalar(c);
}

bool JsonScanner::after_value(char c) {
  if (c == ']') return close('[');
  if (c == '}') return close('{');
  place_ = open_.back() == '{' ? Place::kKey : Place::kValue;
  return c == ',';
}

bool JsonScanner::open(char bracket) {
  if (depth() >= limits::kMaxJsonDepth) return false;
  open_ += bracket;
  place_ = bracket == '{' ? Place::kFirstKey : Place::kFirstElement;
  return true;
}

bool JsonScanner::close(char bracket) {
  if (open_.back() != bracket) return false;
  open_.pop_back();
  place_ = open_.empty() ? Place::kEnd : Place::kAfterValue;
  return true;
}

void append_string_byte(std::string& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20) {
    out += c;
  } else {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
  }
}

}  // namespace minnow::chat_output
