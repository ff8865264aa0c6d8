#include "formats/quote_name.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace minnow {

std::string quote_name(std::string_view name) {
  constexpr std::size_t kMaxShown = 100;
  std::string out = "'";
  while (!name.empty()) {
    if (out.size() > kMaxShown) {
      out += "...";
      break;
    }
    const Utf8Char c = decode_utf8(name);
    // C1 controls and the Unicode line separators count as line ends in some terminals and log readers.
    const bool control = c.code_point < 0x20 || (c.code_point >= 0x7F && c.code_point < 0xA0) ||
                         c.code_point == 0x2028 || c.code_point == 0x2029;
    if (c.valid && !control) {
      out.append(name.substr(0, c.length));
    } else {
      for (std::size_t i = 0; i < c.length; ++i) {
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(name[i]));
      }
    }
    name.remove_prefix(c.length);
  }
  return out + "'";
}

}  // namespace minnow
