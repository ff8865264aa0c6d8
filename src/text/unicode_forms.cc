#include "text/unicode_forms.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "base/utf8.h"

namespace minnow {
namespace {

// Unicode's Stream-Safe Text Format (UAX #15) allows 30.
constexpr int kMaxCombiningMarks = 64;

// The first code points that a form may change or join with the one before.
constexpr char32_t kFirstCombining = 0x300, kFirstNotAscii = 0x80;

// Valid, normalized in linear time, and possibly changed by the form.
bool wants_normalizing(UnicodeForm form, std::string_view text) {
  const char32_t first = form == UnicodeForm::kNfc ? kFirstCombining : kFirstNotAscii;
  int marks = 0;
  bool wanted = false;
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (!c.valid) return false;
    wanted |= c.code_point >= first;
    const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c.code_point));
    marks = property->combining_class != 0 ? marks + 1 : 0;
    if (marks > kMaxCombiningMarks) return false;
    text.remove_prefix(c.length);
  }
  return wanted;
}

struct Free {
  void operator()(utf8proc_uint8_t* p) const { std::free(p); }
};

utf8proc_option_t options_of(UnicodeForm form) {
  int options = UTF8PROC_STABLE;
  options |= form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd) options |= UTF8PROC_COMPAT;
  return static_cast<utf8proc_option_t>(options);
}

void append_normalized(UnicodeForm form, std::string_view text, std::string& out) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &mapped, options_of(form));
  const std::unique_ptr<utf8proc_uint8_t, Free> owner(mapped);
  if (length < 0) {
    out += text;
  } else {
    out.append(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(length));
  }
}

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

bool is_mark(Marks marks, char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  if (category == UTF8PROC_CATEGORY_MN) return true;
  return marks == Marks::kAll && (category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME);
}

}  // namespace

bool to_unicode_form(UnicodeForm form, std::string_view text, std::string& out) {
  // ASCII never changes and never joins with what is before it; only its last character may join with what follows. So
  // the text is normalized in stretches of other characters, each with the character before it.
  std::size_t done = 0;
  bool changed = false;
  for (std::size_t at = 0; at < text.size();) {
    if (is_ascii(text[at])) {
      ++at;
      continue;
    }
    const std::size_t begin = at > done ? at - 1 : at;
    while (at < text.size() && !is_ascii(text[at])) ++at;
    const std::string_view stretch = text.substr(begin, at - begin);
    if (!wants_normalizing(form, stretch)) continue;
    if (!changed) out.clear();
    changed = true;
    out += text.substr(done, begin - done);
    append_normalized(form, stretch, out);
    done = at;
  }
  if (changed) out += text.substr(done);
  return changed;
}

void to_lower_case(std::string_view text, std::string& out) {
  constexpr char32_t kCapitalIWithDot = 0x130;  // the only one whose small form is two characters
  out.clear();
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (!c.valid) {
      out += text.front();
    } else if (c.code_point < 0x80) {
      out += text.front() >= 'A' && text.front() <= 'Z' ? static_cast<char>(text.front() - 'A' + 'a') : text.front();
    } else if (c.code_point == kCapitalIWithDot) {
      out += "i\u0307";
    } else {
      append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.code_point))));
    }
    text.remove_prefix(c.length);
  }
}

void drop_marks(Marks marks, std::string_view text, std::string& out) {
  out.clear();
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (!c.valid || c.code_point < 0x80 || !is_mark(marks, c.code_point)) out += text.substr(0, c.length);
    text.remove_prefix(c.length);
  }
}

}  // namespace minnow
