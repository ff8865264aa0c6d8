#include "text/tokenizer_nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/utf8.h"

namespace minnow {
namespace {

// Unicode's Stream-Safe Text Format (UAX #15) allows 30.
constexpr int kMaxCombiningMarks = 64;

// Valid, and normalized in linear time.
bool is_safe(std::string_view text) {
  int marks = 0;
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (!c.valid) return false;
    const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c.code_point));
    marks = property->combining_class != 0 ? marks + 1 : 0;
    if (marks > kMaxCombiningMarks) return false;
    text.remove_prefix(c.length);
  }
  return true;
}

struct Free {
  void operator()(utf8proc_uint8_t* p) const { std::free(p); }
};

}  // namespace

bool normalize_nfc(std::string_view text, std::string& out) {
  const bool ascii = std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii || !is_safe(text)) return false;
  utf8proc_uint8_t* mapped = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, Free> owner(mapped);
  if (length < 0) return false;
  out.assign(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(length));
  return true;
}

}  // namespace minnow
