// Methods of text about letters: upper(), title(), isdigit(), …
#include "text/jinja/builtin.h"
#include "text/jinja/text_edit.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

template <CaseMap map>
Value mapped(Call& call) {
  return Value::string(map_case(call.rt, call.self.as_text(), map).as_text(), call.self.is_safe());
}

Value method_capitalize(Call& call) {
  return Value::string(capitalized(call.rt, call.self.as_text()).as_text(), call.self.is_safe());
}

// A word begins at each letter that follows none.
Value method_title(Call& call) {
  std::string_view text = call.self.as_text();
  TextBuilder out(call.rt);
  for (bool at_start = true; !text.empty();) {
    const char32_t c = next_char(text);
    append_mapped(out, c, at_start ? CaseMap::kTitle : CaseMap::kLower);
    at_start = !is_letter(c);
  }
  return out.finish(call.self.is_safe());
}

// Whether the text is not empty and all its characters are such.
template <typename Predicate>
Value all(Call& call, Predicate predicate) {
  std::string_view text = call.self.as_text();
  call.rt.scan_bytes(text.size() * 2);
  bool result = !text.empty();
  while (!text.empty() && result) result = predicate(next_char(text));
  return Value::boolean(result);
}

Value method_isupper(Call& call) {
  call.rt.scan_bytes(call.self.as_text().size() * 2);
  return Value::boolean(all_upper(call.self.as_text()));
}

Value method_islower(Call& call) {
  call.rt.scan_bytes(call.self.as_text().size() * 2);
  return Value::boolean(all_lower(call.self.as_text()));
}

constexpr Builtin kTable[] = {
    {"upper", "", 0, mapped<CaseMap::kUpper>},
    {"lower", "", 0, mapped<CaseMap::kLower>},
    {"casefold", "", 0, mapped<CaseMap::kLower>},
    {"swapcase", "", 0, mapped<CaseMap::kSwap>},
    {"title", "", 0, method_title},
    {"capitalize", "", 0, method_capitalize},
    {"isdigit", "", 0, [](Call& c) { return all(c, is_decimal); }},
    {"isdecimal", "", 0, [](Call& c) { return all(c, is_decimal); }},
    {"isnumeric", "", 0, [](Call& c) { return all(c, is_decimal); }},
    {"isalpha", "", 0, [](Call& c) { return all(c, is_letter); }},
    {"isalnum", "", 0,
     [](Call& c) { return all(c, [](char32_t x) { return is_letter(x) || is_decimal(x); }); }},
    {"isspace", "", 0, [](Call& c) { return all(c, is_space); }},
    {"isupper", "", 0, method_isupper},
    {"islower", "", 0, method_islower},
};

}  // namespace

std::span<const Builtin> case_methods() { return kTable; }

}  // namespace minnow::jinja
