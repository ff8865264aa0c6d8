// "Did you mean": the known word that a mistyped one was meant to be.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace minnow {

// The candidate that the fewest insertions, deletions and replacements of letters turn `word` into, case aside; empty when
// none is closer than half of the word. The first of equals.
std::string_view closest_word(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace minnow
