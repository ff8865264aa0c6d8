// Unicode normalization form C.
#pragma once

#include <string>
#include <string_view>

namespace minnow {

// Puts the NFC of `text` into `out` and returns true; returns false, leaving `out` alone, when the text is
// ASCII, is not UTF-8, or holds a heap of combining marks that no writing system has (sorting them would take
// quadratic time).
bool normalize_nfc(std::string_view text, std::string& out);

}  // namespace minnow
