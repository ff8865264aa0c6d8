// Methods of text that cut, search and join: Python's str.
#include <algorithm>

#include "text/jinja/builtin.h"
#include "text/jinja/format_braces.h"
#include "text/jinja/operations.h"
#include "text/jinja/text_edit.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

constexpr uint64_t kNoLimit = UINT64_MAX;

Value part(const Call& call, std::string_view text) { return Value::string(text, call.self.is_safe()); }

enum class Sides : uint8_t { kLeft, kRight, kBoth };

Value stripped(Call& call, Sides sides) {
  std::string_view text = call.self.as_text();
  call.rt.scan_bytes(text.size());
  if (call.argument(0) == nullptr || call.argument(0)->is_none()) {
    if (sides != Sides::kRight) text = strip_left(text);
    return part(call, sides == Sides::kLeft ? text : strip_right(text));
  }
  const std::string_view set = call.text(0, "");
  charge_strip(call.rt, text, set);
  if (sides != Sides::kRight) text = strip_left(text, set);
  return part(call, sides == Sides::kLeft ? text : strip_right(text, set));
}

Value method_strip(Call& call) { return stripped(call, Sides::kBoth); }
Value method_lstrip(Call& call) { return stripped(call, Sides::kLeft); }
Value method_rstrip(Call& call) { return stripped(call, Sides::kRight); }

// Words between runs of white space, at most `limit` cuts from the left.
void split_words(Call& call, List& parts, uint64_t limit) {
  std::string_view rest = strip_left(call.self.as_text());
  while (!rest.empty()) {
    if (parts.items.size() == limit) {
      parts.items.push_back(call.rt.arena, part(call, strip_right(rest)));
      return;
    }
    std::string_view end = rest;
    while (!end.empty()) {
      std::string_view after = end;
      if (is_space(next_char(after))) break;
      end = after;
    }
    parts.items.push_back(call.rt.arena, part(call, rest.substr(0, rest.size() - end.size())));
    rest = strip_left(end);
  }
}

void split_words_from_right(Call& call, List& parts, uint64_t limit) {
  std::string_view rest = strip_right(call.self.as_text());
  while (!rest.empty()) {
    if (parts.items.size() == limit) {
      parts.items.push_back(call.rt.arena, part(call, strip_left(rest)));
      break;
    }
    std::string_view before = rest;
    while (!before.empty()) {
      std::string_view shorter = before;
      if (is_space(drop_last_char(shorter))) break;
      before = shorter;
    }
    const std::string_view word = rest.substr(before.size());
    parts.items.push_back(call.rt.arena, part(call, word));
    rest = strip_right(before);
  }
  std::reverse(parts.items.begin(), parts.items.end());
}

void split_at(Call& call, List& parts, std::string_view separator, uint64_t limit) {
  std::string_view rest = call.self.as_text();
  while (parts.items.size() < limit) {
    const std::size_t at = position_of(rest, separator);
    if (at == std::string_view::npos) break;
    parts.items.push_back(call.rt.arena, part(call, rest.substr(0, at)));
    call.rt.scan_bytes(separator.size());
    rest.remove_prefix(at + separator.size());
  }
  parts.items.push_back(call.rt.arena, part(call, rest));
}

void split_at_from_right(Call& call, List& parts, std::string_view separator, uint64_t limit) {
  std::string_view rest = call.self.as_text();
  while (parts.items.size() < limit) {
    const std::size_t at = rest.rfind(separator);
    if (at == std::string_view::npos) break;
    parts.items.push_back(call.rt.arena, part(call, rest.substr(at + separator.size())));
    rest = rest.substr(0, at);
  }
  parts.items.push_back(call.rt.arena, part(call, rest));
  std::reverse(parts.items.begin(), parts.items.end());
}

Value split(Call& call, bool from_right) {
  const int64_t maxsplit = call.integer(1, -1);
  const uint64_t limit = maxsplit < 0 ? kNoLimit : static_cast<uint64_t>(maxsplit);
  List* parts = call.rt.new_list();
  const bool words = call.argument(0) == nullptr || call.argument(0)->is_none();
  const std::string_view separator = call.text(0, "");
  if (!words && separator.empty()) call.rt.fail("{}(): the separator is empty", call.name);
  charge_search(call.rt, call.self.as_text(), separator);
  if (words) {
    from_right ? split_words_from_right(call, *parts, limit) : split_words(call, *parts, limit);
  } else {
    from_right ? split_at_from_right(call, *parts, separator, limit)
               : split_at(call, *parts, separator, limit);
  }
  call.rt.scan_elements(parts->items.size());
  return Value::list(parts);
}

Value method_split(Call& call) { return split(call, false); }
Value method_rsplit(Call& call) { return split(call, true); }

Value method_splitlines(Call& call) {
  std::string_view rest = call.self.as_text();
  call.rt.scan_bytes(rest.size());
  List* lines = call.rt.new_list();
  while (!rest.empty()) {
    const LineBreak end = find_line_break(rest);
    const std::size_t kept = end.position + (call.flag(0, false) ? end.length : 0);
    lines->items.push_back(call.rt.arena, part(call, rest.substr(0, kept)));
    rest.remove_prefix(end.position + end.length);
  }
  return Value::list(lines);
}

// The part of the text between two optional positions in characters.
std::string_view window(Call& call, std::size_t first_argument, int64_t& offset) {
  SliceBounds bounds;
  const auto bound = [&](std::size_t i) -> std::optional<int64_t> {
    if (call.argument(i) == nullptr || call.argument(i)->is_none()) return std::nullopt;
    return call.integer(i, 0);
  };
  bounds.start = bound(first_argument);
  bounds.stop = bound(first_argument + 1);
  if (!bounds.start && !bounds.stop) {
    offset = 0;
    return call.self.as_text();
  }
  const auto size = static_cast<int64_t>(length(call.rt, call.self));
  const int64_t start = bounds.start.value_or(0);
  offset = start < 0 ? std::max<int64_t>(0, start + size) : start;
  if (offset > size) return {};
  return get_slice(call.rt, call.self, bounds).as_text();
}

Value affix(Call& call, bool at_start) {
  int64_t offset = 0;
  const std::string_view text = window(call, 1, offset);
  const Value& wanted = *call.argument(0);
  const auto matches = [&](const Value& v) {
    if (v.is_undefined()) call.rt.fail_undefined(v);
    if (!v.is_string()) call.rt.fail("{}() needs text, not {}", call.name, type_name(v));
    call.rt.scan_bytes(v.as_text().size());
    return at_start ? text.starts_with(v.as_text()) : text.ends_with(v.as_text());
  };
  if (!wanted.is(Kind::kList)) return Value::boolean(matches(wanted));
  const auto choices = elements(call.rt, wanted);
  return Value::boolean(std::any_of(choices.begin(), choices.end(), matches));
}

Value method_startswith(Call& call) { return affix(call, true); }
Value method_endswith(Call& call) { return affix(call, false); }

Value method_replace(Call& call) {
  const std::string_view old = call.text(0, ""), with = call.text(1, "");
  return replaced(call.rt, call.self.as_text(), old, with, call.integer(2, -1));
}

Value method_join(Call& call) {
  TextBuilder out(call.rt);
  bool first = true;
  for (const Value& item : elements(call.rt, *call.argument(0))) {
    call.rt.step();
    if (item.is_undefined()) call.rt.fail_undefined(item);
    if (!item.is_string()) call.rt.fail("join() needs texts, not {}", type_name(item));
    if (!first) out.append(call.self.as_text());
    first = false;
    out.append(item.as_text());
  }
  return out.finish();
}

// Characters before the first or last occurrence; -1 when there is none.
int64_t search(Call& call, bool from_right) {
  int64_t offset = 0;
  const std::string_view text = window(call, 1, offset);
  const std::string_view wanted = call.text(0, "");
  if (text.data() == nullptr && !call.self.as_text().empty()) return -1;  // the window lies outside
  charge_search(call.rt, text, wanted);
  const std::size_t at = from_right ? text.rfind(wanted) : position_of(text, wanted);
  if (at == std::string_view::npos) return -1;
  return offset + static_cast<int64_t>(count_chars(text.substr(0, at)));
}

Value method_find(Call& call) { return Value::integer(search(call, false)); }
Value method_rfind(Call& call) { return Value::integer(search(call, true)); }

Value position_or_fail(Call& call, bool from_right) {
  const int64_t position = search(call, from_right);
  if (position < 0) call.rt.fail("{}(): not found", call.name);
  return Value::integer(position);
}

Value method_index(Call& call) { return position_or_fail(call, false); }
Value method_rindex(Call& call) { return position_or_fail(call, true); }

Value method_count(Call& call) {
  int64_t offset = 0, n = 0;
  std::string_view text = window(call, 1, offset);
  const std::string_view wanted = call.text(0, "");
  charge_search(call.rt, text, wanted);
  if (wanted.empty()) return Value::integer(static_cast<int64_t>(count_chars(text)) + 1);
  for (; true; ++n) {
    const std::size_t at = position_of(text, wanted);
    if (at == std::string_view::npos) return Value::integer(n);
    call.rt.scan_bytes(wanted.size());
    text.remove_prefix(at + wanted.size());
  }
}

Value partition(Call& call, bool from_right) {
  const std::string_view text = call.self.as_text(), separator = call.text(0, "");
  if (separator.empty()) call.rt.fail("{}(): the separator is empty", call.name);
  charge_search(call.rt, text, separator);
  const std::size_t at = from_right ? text.rfind(separator) : position_of(text, separator);
  Value parts[] = {part(call, text), part(call, ""), part(call, "")};
  if (at != std::string_view::npos) {
    parts[0] = part(call, text.substr(0, at));
    parts[1] = part(call, separator);
    parts[2] = part(call, text.substr(at + separator.size()));
  } else if (from_right) {
    std::swap(parts[0], parts[2]);
  }
  return call.rt.list_of(parts, ListKind::kTuple);
}

Value method_partition(Call& call) { return partition(call, false); }
Value method_rpartition(Call& call) { return partition(call, true); }

Value method_removeprefix(Call& call) {
  std::string_view text = call.self.as_text();
  const std::string_view prefix = call.text(0, "");
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  return part(call, text);
}

Value method_removesuffix(Call& call) {
  std::string_view text = call.self.as_text();
  const std::string_view suffix = call.text(0, "");
  if (text.ends_with(suffix)) text.remove_suffix(suffix.size());
  return part(call, text);
}

Value method_center(Call& call) {
  return padded(call.rt, call.self.as_text(), call.integer(0, 0), call.text(1, " "), Padding::kCenter);
}

Value method_ljust(Call& call) {
  return padded(call.rt, call.self.as_text(), call.integer(0, 0), call.text(1, " "), Padding::kLeft);
}

Value method_rjust(Call& call) {
  return padded(call.rt, call.self.as_text(), call.integer(0, 0), call.text(1, " "), Padding::kRight);
}

Value method_zfill(Call& call) {
  std::string_view text = call.self.as_text();
  int64_t width = call.integer(0, 0);
  if (!text.starts_with('-') && !text.starts_with('+'))
    return padded(call.rt, text, width, "0", Padding::kRight);
  const std::string_view sign = text.substr(0, 1);
  text.remove_prefix(1);
  return call.rt.concatenate(
      sign, padded(call.rt, text, std::max<int64_t>(1, width) - 1, "0", Padding::kRight).as_text());
}

Value method_format(Call& call) { return format_braces(call.rt, call.self.as_text(), call.rest); }

constexpr Builtin kTable[] = {
    {"strip", "chars", 0, method_strip},
    {"lstrip", "chars", 0, method_lstrip},
    {"rstrip", "chars", 0, method_rstrip},
    {"split", "sep maxsplit", 0, method_split},
    {"rsplit", "sep maxsplit", 0, method_rsplit},
    {"splitlines", "keepends", 0, method_splitlines},
    {"startswith", "prefix start end", 1, method_startswith},
    {"endswith", "suffix start end", 1, method_endswith},
    {"replace", "old new count", 2, method_replace},
    {"join", "iterable", 1, method_join},
    {"find", "sub start end", 1, method_find},
    {"rfind", "sub start end", 1, method_rfind},
    {"index", "sub start end", 1, method_index},
    {"rindex", "sub start end", 1, method_rindex},
    {"count", "sub start end", 1, method_count},
    {"partition", "sep", 1, method_partition},
    {"rpartition", "sep", 1, method_rpartition},
    {"removeprefix", "prefix", 1, method_removeprefix},
    {"removesuffix", "suffix", 1, method_removesuffix},
    {"center", "width fillchar", 1, method_center},
    {"ljust", "width fillchar", 1, method_ljust},
    {"rjust", "width fillchar", 1, method_rjust},
    {"zfill", "width", 1, method_zfill},
    {"format", "", 0, method_format, true},
};

}  // namespace

std::span<const Builtin> text_methods() { return kTable; }

}  // namespace minnow::jinja
