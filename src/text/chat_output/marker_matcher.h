// Finds marks (fixed texts) in a stream of bytes, the longest where several begin at one place.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minnow::chat_output {

class MarkerMatcher {
 public:
  // Ignores empty marks. Their texts must outlive the matcher.
  explicit MarkerMatcher(std::vector<std::string_view> marks);

  // A byte more. Afterwards take() until it gives nothing.
  void push(char c) { held_ += c; }
  // What has been decided: one byte that begins no mark, or a mark. After a mark, rest() is what had been
  // read past it.
  struct Found {
    std::size_t mark = kNone;  // index of the mark, or
    char byte = 0;             // a byte of text
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  // With `at_end`, nothing more will come: what might have become a longer mark is decided.
  std::optional<Found> take(bool at_end = false);
  std::string take_rest();
  bool idle() const { return held_.empty(); }

 private:
  std::vector<std::string_view> marks_;
  std::array<bool, 256> begins_{};
  std::string held_;  // at most as long as the longest mark
};

}  // namespace minnow::chat_output
