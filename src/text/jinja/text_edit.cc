#include "text/jinja/text_edit.h"

#include <string.h>

#include <algorithm>

#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

Value spread(Runtime& rt, std::string_view text, std::string_view with, uint64_t count) {
  TextBuilder out(rt);
  for (; count > 0; --count) {
    out.append(with);
    if (text.empty()) return out.finish();
    const uint64_t bytes = char_offset(text, 1);
    out.append(text.substr(0, bytes));
    text.remove_prefix(bytes);
  }
  out.append(text);
  return out.finish();
}

}  // namespace

Value replaced(Runtime& rt, std::string_view text, std::string_view old, std::string_view with,
               int64_t count) {
  auto left = count < 0 ? UINT64_MAX : static_cast<uint64_t>(count);
  if (old.empty()) return spread(rt, text, with, left);
  TextBuilder out(rt);
  charge_search(rt, text, old);
  for (; left > 0; --left) {
    const std::size_t at = position_of(text, old);
    if (at == std::string_view::npos) break;
    out.append(text.substr(0, at));
    out.append(with);
    text.remove_prefix(at + old.size());
    rt.scan_bytes(old.size());  // preparing the search
  }
  if (out.size() == 0) return Value::string(text);
  out.append(text);
  return out.finish();
}

Value capitalized(Runtime& rt, std::string_view text) {
  TextBuilder out(rt);
  for (bool first = true; !text.empty(); first = false) {
    append_mapped(out, next_char(text), first ? CaseMap::kTitle : CaseMap::kLower);
  }
  return out.finish();
}

Value padded(Runtime& rt, std::string_view text, int64_t width, std::string_view fill, Padding where) {
  rt.scan_bytes(text.size());
  const auto size = static_cast<int64_t>(count_chars(text));
  if (count_chars(fill) != 1) rt.fail("the fill must be one character");
  if (width <= size) return Value::string(text);
  const int64_t missing = width - size;
  int64_t before = where == Padding::kLeft ? 0 : missing;
  if (where == Padding::kCenter) before = missing / 2 + (missing & width & 1);
  TextBuilder out(rt);
  const auto write = [&](int64_t n) {
    if (fill.size() == 1) return out.append(static_cast<uint64_t>(n), fill[0]);
    for (; n > 0; --n) out.append(fill);
  };
  write(before);
  out.append(text);
  write(missing - before);
  return out.finish();
}

LineBreak find_line_break(std::string_view text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t at = text.size() - rest.size();
    const char32_t c = next_char(rest);
    const std::size_t length = text.size() - rest.size() - at;
    if (c == '\r' && rest.starts_with('\n')) return {at, 2};
    if ((c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029) {
      return {at, length};
    }
  }
  return {text.size(), 0};
}

void charge_strip(Runtime& rt, std::string_view text, std::string_view set) {
  rt.scan_bytes(std::min<uint64_t>(text.size(), UINT32_MAX) * (1 + set.size() / 16));
}

void charge_search(Runtime& rt, std::string_view text, std::string_view part) {
  rt.scan_bytes(part.size() + text.size() * (1 + part.size() / 64));
}

std::size_t position_of(std::string_view text, std::string_view part) {
  if (part.empty()) return 0;  // memmem takes no null pointers, which empty views may hold
  if (part.size() > text.size()) return std::string_view::npos;
  // One byte is the common case, and memchr, unlike memmem under a sanitizer, looks no further than its find.
  const void* found = part.size() == 1 ? std::memchr(text.data(), part[0], text.size())
                                       : memmem(text.data(), text.size(), part.data(), part.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace minnow::jinja
