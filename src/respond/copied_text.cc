#include "respond/copied_text.h"

#include <algorithm>
#include <unordered_set>

namespace minnow {
namespace {

constexpr const char* kMark = "x-copied";

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

bool is_marked(const OrderedJson& schema) { return schema.is_object() && schema.contains(kMark) && schema[kMark] == true; }

}  // namespace

std::vector<std::string> word_runs(std::string_view text) {
  std::vector<std::size_t> begins, ends;  // of words
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_word(text[i])) continue;
    if (i == 0 || !is_word(text[i - 1])) begins.push_back(i);
    if (i + 1 == text.size() || !is_word(text[i + 1])) ends.push_back(i + 1);
  }
  std::vector<std::string> runs;
  std::unordered_set<std::string_view> known;
  const auto add = [&](std::size_t begin, std::size_t end) {
    if (known.insert(text.substr(begin, end - begin)).second) runs.emplace_back(text.substr(begin, end - begin));
  };
  for (std::size_t w = 0; w < begins.size() && runs.size() < kMaxCopies; ++w) {
    const std::size_t begin = begins[w];
    const bool opens = begin > 0 && std::string_view("(+").find(text[begin - 1]) != std::string_view::npos;
    for (std::size_t last = w; last < std::min(ends.size(), w + kMaxCopiedWords); ++last) {
      const std::size_t end = ends[last];
      const bool closes = end < text.size() && std::string_view(".)/").find(text[end]) != std::string_view::npos;
      add(begin, end);
      if (closes) add(begin, end + 1);
      if (opens) add(begin - 1, end);
    }
  }
  return runs;
}

bool has_copied_texts(const OrderedJson& schema) {
  if (is_marked(schema)) return true;
  return schema.is_structured() && std::any_of(schema.begin(), schema.end(), has_copied_texts);
}

OrderedJson with_copied_texts(OrderedJson schema, std::string_view message) {
  if (is_marked(schema)) {
    const std::vector<std::string> runs = word_runs(message);
    return {{"enum", runs.empty() ? std::vector<std::string>{std::string(message)} : runs}};
  }
  if (schema.is_structured()) {
    for (OrderedJson& part : schema) part = with_copied_texts(std::move(part), message);
  }
  return schema;
}

}  // namespace minnow
