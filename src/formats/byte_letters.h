// The letters that vocabularies of byte-level BPE write for bytes: printable Latin-1 as itself, the others from U+0100 up.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace minnow {

inline constexpr std::array<char32_t, 256> kByteLetters = [] {
  std::array<char32_t, 256> letters{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
    letters[byte] = printable ? byte : next++;
  }
  return letters;
}();
inline constexpr std::size_t kByteLettersEnd = 0x144;  // beyond the last of them

inline std::string to_byte_letters(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) append_utf8(text, kByteLetters[static_cast<unsigned char>(c)]);
  return text;
}

}  // namespace minnow
