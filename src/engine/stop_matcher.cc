#include "engine/stop_matcher.h"

#include <algorithm>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {

StopMatcher::StopMatcher(std::vector<std::string> stops) {
  if (stops.size() > limits::kMaxStopStrings) {
    fail(ErrorCode::kInvalidInput, "stop: {} stop strings, at most {} are allowed", stops.size(),
         limits::kMaxStopStrings);
  }
  for (std::string& stop : stops) {
    if (stop.empty())
      fail(ErrorCode::kInvalidInput, "stop: an empty stop string would stop everything; leave it out");
    Pattern pattern{std::move(stop), {0}, 0};
    // Matching the pattern against itself, one byte late, gives the fallbacks.
    for (std::size_t i = 1; i < pattern.text.size(); ++i) {
      advance(pattern, pattern.text[i]);
      pattern.fallback.push_back(pattern.matched);
    }
    pattern.matched = 0;
    patterns_.push_back(std::move(pattern));
  }
}

void StopMatcher::advance(Pattern& pattern, char byte) {
  while (pattern.matched > 0 && pattern.text[pattern.matched] != byte) {
    pattern.matched = pattern.fallback[pattern.matched - 1];
  }
  if (pattern.text[pattern.matched] == byte) ++pattern.matched;
}

StopMatcher::Output StopMatcher::push(std::string_view text) {
  if (stopped_) return {"", true};
  held_ += text;
  for (std::size_t i = held_.size() - text.size(); i < held_.size(); ++i) {
    const Pattern* found = nullptr;
    for (Pattern& pattern : patterns_) {
      advance(pattern, held_[i]);
      const bool longer = found == nullptr || pattern.text.size() > found->text.size();
      if (pattern.matched == pattern.text.size() && longer) found = &pattern;
    }
    if (found == nullptr) continue;
    stopped_ = true;
    stop_string_ = found->text;
    held_.resize(i + 1 - found->text.size());
    return {release(held_.size()), true};
  }
  std::size_t hold = 0;
  for (const Pattern& pattern : patterns_) hold = std::max<std::size_t>(hold, pattern.matched);
  return {release(held_.size() - hold), false};
}

std::string StopMatcher::finish() { return release(held_.size()); }

// Moving the rest to the front only when it is the smaller part keeps single bytes from costing a long stop
// string.
std::string StopMatcher::release(std::size_t end) {
  std::string text = held_.substr(released_, end - released_);
  released_ = end;
  if (released_ >= held_.size() - released_) {
    held_.erase(0, released_);
    released_ = 0;
  }
  return text;
}

}  // namespace minnow
