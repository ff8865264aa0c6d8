// Filters on text.
#include <algorithm>

#include "text/jinja/builtin.h"
#include "text/jinja/operations.h"
#include "text/jinja/text_edit.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

Value keep_safe(const Call& call, const Value& text) {
  return Value::string(text.as_text(), call.self.is_safe());
}

Value filter_upper(Call& call) {
  return keep_safe(call, map_case(call.rt, to_text(call.rt, call.self), CaseMap::kUpper));
}

Value filter_lower(Call& call) {
  return keep_safe(call, map_case(call.rt, to_text(call.rt, call.self), CaseMap::kLower));
}

Value filter_capitalize(Call& call) {
  return keep_safe(call, capitalized(call.rt, to_text(call.rt, call.self)));
}

// Unlike the method, words begin after space and opening brackets only: "it's" gives "It's".
Value filter_title(Call& call) {
  std::string_view text = to_text(call.rt, call.self);
  TextBuilder out(call.rt);
  bool at_start = true;
  while (!text.empty()) {
    const char32_t c = next_char(text);
    append_mapped(out, c, at_start ? CaseMap::kUpper : CaseMap::kLower);
    at_start = is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  }
  return out.finish();
}

Value filter_trim(Call& call) {
  const std::string_view text = to_text(call.rt, call.self);
  call.rt.scan_bytes(text.size());
  if (call.argument(0) == nullptr || call.argument(0)->is_none()) {
    return Value::string(strip(text), call.self.is_safe());
  }
  const std::string_view set = call.text(0, "");
  charge_strip(call.rt, text, set);
  return Value::string(strip_right(strip_left(text, set), set), call.self.is_safe());
}

Value filter_replace(Call& call) {
  const int64_t count = call.integer(2, -1);
  const std::string_view text = to_text(call.rt, call.self);
  return replaced(call.rt, text, to_text(call.rt, *call.argument(0)), to_text(call.rt, *call.argument(1)),
                  count);
}

Value filter_indent(Call& call) {
  if (call.self.is_undefined()) call.rt.fail_undefined(call.self);
  if (!call.self.is_string()) call.rt.fail("indent needs text, not {}", type_name(call.self));
  TextBuilder spaces(call.rt);
  std::string_view indentation;
  if (call.argument(0) != nullptr && call.argument(0)->is_string()) {
    indentation = call.argument(0)->as_text();
  } else {
    spaces.append(static_cast<uint64_t>(std::max<int64_t>(0, call.integer(0, 4))), ' ');
    indentation = spaces.view();
  }
  const bool first = call.flag(1, false), blank = call.flag(2, false);
  TextBuilder out(call.rt);
  std::string_view rest = call.self.as_text();
  if (first) out.append(indentation);
  // A line break at the end is kept, as if one more, empty line followed.
  for (bool at_first = true, more = true; more; at_first = false) {
    const LineBreak end = find_line_break(rest);
    const std::string_view line = rest.substr(0, end.position);
    if (!at_first) {
      out.append('\n');
      if (blank || !line.empty()) out.append(indentation);
    }
    out.append(line);
    more = end.length > 0;
    rest.remove_prefix(end.position + end.length);
  }
  return out.finish(call.self.is_safe());
}

Value filter_format(Call& call) {
  const std::string_view format = to_text(call.rt, call.self);
  if (call.rest.named.empty()) {
    return format_percent(call.rt, format, call.rt.list_of(call.rest.positional, ListKind::kTuple));
  }
  Dict* names = call.rt.arena.make<Dict>();
  for (const Binding& named : call.rest.named)
    dict_set(call.rt, *names, Value::string(named.name), named.value);
  return format_percent(call.rt, format, Value::dict(names));
}

Value filter_wordcount(Call& call) {
  std::string_view text = to_text(call.rt, call.self);
  call.rt.scan_bytes(text.size() * 2);
  int64_t words = 0;
  for (bool inside = false; !text.empty();) {
    const char32_t c = next_char(text);
    const bool word = c == '_' || is_letter(c) || is_decimal(c);
    words += word && !inside ? 1 : 0;
    inside = word;
  }
  return Value::integer(words);
}

Value filter_center(Call& call) {
  return padded(call.rt, to_text(call.rt, call.self), call.integer(0, 80), " ", Padding::kCenter);
}

Value filter_truncate(Call& call) {
  if (!call.self.is_string()) call.rt.fail("truncate needs text, not {}", type_name(call.self));
  const std::string_view text = to_text(call.rt, call.self), end = call.text(2, "...");
  const int64_t wanted = call.integer(0, 255), leeway = std::clamp<int64_t>(call.integer(3, 5), 0, INT32_MAX);
  call.rt.scan_bytes(text.size() + end.size());
  const auto end_chars = static_cast<int64_t>(count_chars(end));
  if (wanted < end_chars || wanted > INT32_MAX)
    call.rt.fail("truncate: length must be {} or more", end_chars);
  if (static_cast<int64_t>(count_chars(text)) <= wanted + leeway) return call.self;
  std::string_view kept = text.substr(0, char_offset(text, static_cast<uint64_t>(wanted - end_chars)));
  if (!call.flag(1, false)) kept = kept.substr(0, kept.rfind(' '));
  return call.rt.concatenate(kept, end);
}

constexpr Builtin kTable[] = {
    {"upper", "", 0, filter_upper},
    {"lower", "", 0, filter_lower},
    {"capitalize", "", 0, filter_capitalize},
    {"title", "", 0, filter_title},
    {"trim", "chars", 0, filter_trim},
    {"replace", "old new count", 2, filter_replace},
    {"indent", "width first blank", 0, filter_indent},
    {"format", "", 0, filter_format, true},
    {"wordcount", "", 0, filter_wordcount},
    {"center", "width", 0, filter_center},
    {"truncate", "length killwords end leeway", 0, filter_truncate},
};

}  // namespace

std::span<const Builtin> text_filters() { return kTable; }

}  // namespace minnow::jinja
