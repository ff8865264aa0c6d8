#include "engine/mark_scanner.h"

#include <algorithm>

namespace minnow {

MarkScanner::MarkScanner(std::shared_ptr<const Marks> marks, std::string aside_until) : marks_(std::move(marks)), aside_until_(std::move(aside_until)) {}

std::optional<std::size_t> MarkScanner::push(char c) {
  pending_ += c;
  if (!aside_until_.empty()) {
    if (pending_.ends_with(aside_until_)) {
      aside_until_.clear();
      pending_.clear();
    } else if (pending_.size() >= aside_until_.size()) {
      pending_.erase(0, 1);
    }
    return std::nullopt;
  }
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

// Between calls without marks ; and , are no text.
void MarkScanner::settle(std::string_view text) {
  const auto is_text = [&](char c) { return std::string_view(" \t\r\n").find(c) == std::string_view::npos && !(has_calls_ && (c == ';' || c == ',')); };
  if (std::any_of(text.begin(), text.end(), is_text)) is_fresh_ = false;
}

bool MarkScanner::may_grow() const {
  const auto longer = [&](const std::string& mark) { return mark.size() > pending_.size() && mark.starts_with(pending_); };
  return std::any_of(marks_->openings.begin(), marks_->openings.end(), longer) || std::any_of(marks_->words.begin(), marks_->words.end(), longer) ||
         std::any_of(marks_->asides.begin(), marks_->asides.end(), [&](const auto& aside) { return longer(aside.first); });
}

// Takes from the front of what is pending what cannot become a mark any more, or is a word or the beginning of an aside.
std::optional<std::size_t> MarkScanner::decide() {
  while (!pending_.empty() && !may_grow()) {
    std::size_t length = 0;
    const std::string* until = nullptr;
    for (const std::string& word : marks_->words) {
      if (word.size() > length && pending_.starts_with(word)) length = word.size();
    }
    for (const auto& [opens, closes] : marks_->asides) {
      if (opens.size() <= length || !pending_.starts_with(opens)) continue;
      length = opens.size();
      until = &closes;
    }
    if (length == 0) settle(std::string_view(pending_).substr(0, 1));
    pending_.erase(0, std::max<std::size_t>(length, 1));
    if (until == nullptr) continue;
    aside_until_ = *until;
    const std::string rest = std::exchange(pending_, {});
    for (const char c : rest) {
      if (const auto found = push(c)) return found;
    }
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace minnow
