#include "engine/mark_scanner.h"

#include <algorithm>
#include <utility>

namespace minnow {

MarkScanner::MarkScanner(std::shared_ptr<const Marks> marks, std::optional<std::size_t> in_aside) : marks_(std::move(marks)), aside_(in_aside) {}

std::optional<std::size_t> MarkScanner::push(char c) {
  if (aside_) {
    push_aside(c);
    return std::nullopt;
  }
  pending_ += c;
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < marks_->openings.size(); ++i) {
    const std::string& mark = marks_->openings[i];
    if (mark.empty() || !pending_.ends_with(mark)) continue;
    if (!found || mark.size() > marks_->openings[*found].size()) found = i;
  }
  if (!found) return decide();
  settle(std::string_view(pending_).substr(0, pending_.size() - marks_->openings[*found].size()));
  pending_.clear();
  return found;
}

void MarkScanner::push_aside(char c) {
  pending_ += c;
  std::size_t longest = 0;
  for (const std::string& mark : marks_->asides[*aside_].closes) {
    longest = std::max(longest, mark.size());
    if (!pending_.ends_with(mark)) continue;
    aside_.reset();
    pending_.clear();
    return;
  }
  if (pending_.size() >= longest) pending_.erase(0, 1);
}

// Between calls without marks ; and , are no text.
void MarkScanner::settle(std::string_view text) {
  const auto is_text = [&](char c) { return std::string_view(" \t\r\n").find(c) == std::string_view::npos && !(has_calls_ && (c == ';' || c == ',')); };
  if (std::any_of(text.begin(), text.end(), is_text)) is_fresh_ = false;
}

bool MarkScanner::may_grow() const {
  const auto longer = [&](const std::string& mark) { return mark.size() > pending_.size() && mark.starts_with(pending_); };
  return std::any_of(marks_->openings.begin(), marks_->openings.end(), longer) || std::any_of(marks_->words.begin(), marks_->words.end(), longer) ||
         std::any_of(marks_->asides.begin(), marks_->asides.end(), [&](const Aside& aside) { return longer(aside.opens); });
}

// Takes from the front of what is pending what cannot become a mark any more, or is a word or the beginning of an aside.
std::optional<std::size_t> MarkScanner::decide() {
  while (!pending_.empty() && !may_grow()) {
    std::size_t length = 0;
    std::optional<std::size_t> aside;
    for (const std::string& word : marks_->words) {
      if (word.size() > length && pending_.starts_with(word)) length = word.size();
    }
    for (std::size_t i = 0; i < marks_->asides.size(); ++i) {
      const std::string& opens = marks_->asides[i].opens;
      if (opens.size() <= length || !pending_.starts_with(opens)) continue;
      length = opens.size();
      aside = i;
    }
    if (length == 0) settle(std::string_view(pending_).substr(0, 1));
    pending_.erase(0, std::max<std::size_t>(length, 1));
    if (!aside) continue;
    aside_ = aside;
    const std::string rest = std::exchange(pending_, {});
    for (const char c : rest) {
      if (const auto found = push(c)) return found;
    }
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace minnow
