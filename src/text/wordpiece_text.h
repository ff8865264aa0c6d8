// How tokens of WordPiece are put together again: a space before each that begins a word.
#pragma once

#include <string>

#include "formats/tokenizer_spec.h"

namespace minnow {

// The token as it continues a text: "ing" for "##ing", " cat" for "cat", "." for "." where the spec cleans up.
std::string wordpiece_bytes(const TokenizerSpec& spec, const TokenEntry& token);

}  // namespace minnow
