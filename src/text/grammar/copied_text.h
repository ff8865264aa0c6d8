// Texts that are parts of a message, so that a model that points at something cannot make it up.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "text/grammar/byte_graph.h"

namespace minnow::grammar {

// Runs of words of the message as they stand in it, written as in a JSON string: from the beginning of a word (or a bracket or a plus
// before it) to the end of one (or a full stop, bracket or slash after it). They begin at the first kMaxCopiedBegins places and lie within
// the first kMaxCopiedBytes. A message without words is one such text.
inline constexpr std::size_t kMaxCopiedBegins = 1000, kMaxCopiedBytes = 32 << 10;
ByteGraph copied_texts(std::string_view message);

// Where in the message the first such run that is `text` ends.
std::optional<std::size_t> end_of_copied(std::string_view message, std::string_view text);
// Whether a run could begin in the message.
bool has_words(std::string_view message);

}  // namespace minnow::grammar
