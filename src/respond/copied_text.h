// Schemas whose texts are parts of what was asked: {"type": "string", "x-copied": true} may only be words of the message, so that a
// model that points at something cannot make it up.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace minnow {

// Runs of words of the text, as they stand in it: from the beginning of a word (or a bracket or a plus before it) to the end of one (or a
// full stop, bracket or slash after it). At most kMaxCopiedWords words long, and kMaxCopies in all, the first ones.
inline constexpr std::size_t kMaxCopiedWords = 12, kMaxCopies = 1000;
std::vector<std::string> word_runs(std::string_view text);

bool has_copied_texts(const OrderedJson& schema);
// The schema with the runs of words in the places that are to be copied.
OrderedJson with_copied_texts(OrderedJson schema, std::string_view message);

}  // namespace minnow
