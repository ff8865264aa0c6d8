// Base64 (RFC 4648, section 4).
#pragma once

#include <string>
#include <string_view>

namespace minnow {

// Puts the bytes into `out`; false when the text is not base64. Padding may be left out; no other character is allowed.
bool decode_base64(std::string_view text, std::string& out);
std::string encode_base64(std::string_view bytes);

}  // namespace minnow
