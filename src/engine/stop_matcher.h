// Stop strings in a stream of text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minnow {

// Finds the first of several stop strings while text arrives in pieces; where the pieces are cut makes no
// difference. The first is the one that ends first, and of those that end together the longest. Linear in the
// text for each stop string, whatever the strings (Knuth, Morris, Pratt 1977).
class StopMatcher {
 public:
  // At most limits::kMaxStopStrings strings, none empty; else throws kInvalidInput.
  explicit StopMatcher(std::vector<std::string> stops);

  struct Output {
    std::string emit;  // text that cannot be part of a stop string any more
    bool stopped;      // a stop string was found: nothing will follow
  };
  // After a stop string was found, further text is swallowed.
  Output push(std::string_view text);
  // The text that was held back because a stop string might have begun in it. Call once, at the end.
  std::string finish();

  bool stopped() const { return stopped_; }
  // The one that was found; empty before.
  const std::string& stop_string() const { return stop_string_; }

 private:
  struct Pattern {
    std::string text;
    std::vector<uint32_t>
        fallback;  // [n]: length of the longest proper suffix of the first n + 1 bytes that begins text
    uint32_t matched = 0;  // bytes of text that the stream ends with
  };
  static void advance(Pattern& pattern, char byte);
  std::string release(std::size_t end);

  std::vector<Pattern> patterns_;
  std::string held_;  // the first released_ bytes have been emitted
  std::size_t released_ = 0;
  bool stopped_ = false;
  std::string stop_string_;
};

}  // namespace minnow
