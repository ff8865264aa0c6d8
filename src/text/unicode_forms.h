// Unicode normalization forms (UAX #15), case and accents.
#pragma once

#include <string>
#include <string_view>

namespace minnow {

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

// Puts the form of `text` into `out` and returns true; returns false when nothing changes: `out` is then not to be used.
// What is not UTF-8 stays as it is, and so does a heap of combining marks that no writing system has (sorting them would
// take quadratic time). Linear time.
bool to_unicode_form(UnicodeForm form, std::string_view text, std::string& out);

// Each character by itself: no final sigma. Bytes that are not UTF-8 stay.
void to_lower_case(std::string_view text, std::string& out);

enum class Marks { kNonspacing, kAll };
// Leaves combining marks out.
void drop_marks(Marks marks, std::string_view text, std::string& out);

}  // namespace minnow
