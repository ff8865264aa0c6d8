#include "text/chat_output/marker_matcher.h"

#include <utility>

namespace minnow::chat_output {

MarkerMatcher::MarkerMatcher(std::vector<std::string_view> marks) : marks_(std::move(marks)) {
  for (const std::string_view mark : marks_) {
    if (!mark.empty()) begins_[static_cast<unsigned char>(mark[0])] = true;
  }
}

std::optional<MarkerMatcher::Found> MarkerMatcher::take(bool at_end) {
  if (held_.empty()) return std::nullopt;
  Found found;
  if (begins_[static_cast<unsigned char>(held_[0])]) {
    for (std::size_t i = 0; i < marks_.size(); ++i) {
      const std::string_view mark = marks_[i];
      if (mark.size() > held_.size()) {
        if (!at_end && mark.starts_with(held_)) return std::nullopt;  // may still become this one
      } else if (!mark.empty() && held_.starts_with(mark) &&
                 (found.mark == kNone || mark.size() > marks_[found.mark].size())) {
        found.mark = i;
      }
    }
  }
  if (found.mark == kNone) found.byte = held_[0];
  held_.erase(0, found.mark == kNone ? 1 : marks_[found.mark].size());
  return found;
}

std::string MarkerMatcher::take_rest() { return std::exchange(held_, {}); }

}  // namespace minnow::chat_output
