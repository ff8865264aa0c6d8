// One field of a formatted text: "%05.1f" and "{:>8,}" in the same terms.
#pragma once

#include <optional>

#include "text/jinja/runtime.h"

namespace minnow::jinja {

struct FormatSpec {
  char32_t fill = ' ';
  char align = 0;   // '<', '>', '^', '=' (after the sign); 0: as the type wants it
  char sign = '-';  // '+' and ' ' show one for positive numbers too
  bool alternate = false;
  bool thousands = false;
  uint64_t width = 0;  // code points
  std::optional<int> precision;
  char type = 0;  // 0: by the value; s d x X o b c e E f F g G %
};

// Reads digits; false when there are none. Throws kLimit past a billion.
bool read_number(Runtime& rt, std::string_view& text, uint64_t& number);

// Appends the value in that form. Throws when the type does not fit the value.
void write_formatted(TextBuilder& out, const Value& value, const FormatSpec& spec);

}  // namespace minnow::jinja
