#include "train/word_counts.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <optional>

#include "base/error.h"
#include "base/fast_hash.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "train/text_pieces.h"

namespace minnow {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kPartBytes = 1 << 20;   // what a thread takes at a time
constexpr std::size_t kBlockBytes = 1 << 20;  // of kept words

struct Part {
  const MappedFile* file;
  std::size_t begin, size;

  std::string_view text() const {
    return std::string_view(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()).substr(begin, size);
  }
};

std::size_t line_end(std::string_view text, std::size_t begin) {
  if (text.size() - begin <= kPartBytes) return text.size();
  const std::size_t found = text.find('\n', begin + kPartBytes);
  return found == std::string_view::npos ? text.size() : found + 1;
}

std::vector<Part> parts_of(const MappedFile& file, DataFormat format) {
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  std::vector<Part> parts;
  for (std::size_t begin = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0; begin < text.size();) {
    const std::size_t end = format == DataFormat::kText ? piece_end(text, begin, kPartBytes) : line_end(text, begin);
    parts.push_back({&file, begin, end - begin});
    begin = end;
  }
  return parts;
}

// What one thread counts.
class Counter {
 public:
  explicit Counter(const WordCounting& how) : how_(how) {}

  void add(const Part& part, DataFormat format) {
    if (format == DataFormat::kText) {
      if (!is_valid_utf8(part.text())) {
        throw Error(ErrorCode::kInvalidInput, fmt::format("{}: not UTF-8 between the bytes {} and {}", part.file->path().string(), part.begin, part.begin + part.size),
                    "convert the text, e.g. with iconv -f latin1 -t utf8");
      }
      add_text(part.text());
    } else {
      add_lines(part);
    }
    if (how_.progress) how_.progress(part.size);
  }

  const WordTable& words() const { return words_; }

 private:
  void add_text(std::string_view text) {
    for (std::size_t begin = 0; begin < text.size();) {
      const SpecialTokenMatcher::Match match = how_.specials.empty() ? SpecialTokenMatcher::Match{} : how_.specials.next(text, begin);
      const std::size_t end = match.id == kNoToken ? text.size() : match.begin;
      add_words(text.substr(begin, end - begin));
      begin = end + match.length;
    }
  }

  void add_words(std::string_view text) {
    uint32_t begin = 0;
    for (const uint32_t flagged : how_.splitter.split(text, scratch_)) {
      const uint32_t end = flagged & ~kLeftOut;
      if (end == flagged) words_.add(text.substr(begin, end - begin));
      begin = end;
    }
  }

  void add_lines(const Part& part) {
    std::string_view rest = part.text();
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      const std::string_view line = rest.substr(0, end);
      if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
        const auto offset = part.begin + static_cast<std::size_t>(line.data() - part.text().data());
        add_strings(parse_json(line, fmt::format("{}: the line at byte {}", part.file->path().string(), offset)));
      }
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }

  void add_strings(const Json& value) {
    if (value.is_string()) add_text(value.get_ref<const std::string&>());
    if (value.is_array()) {
      for (const Json& item : value) add_strings(item);
    }
    if (!value.is_object()) return;
    for (auto item = value.begin(); item != value.end(); ++item) {
      if (item.key() != "role") add_strings(*item);
    }
  }

  const WordCounting& how_;
  PreTokenizerScratch scratch_;
  WordTable words_;
};

std::vector<WordCount> sorted_words(const WordTable& table) {
  std::vector<WordCount> words;
  words.reserve(table.size());
  table.for_each([&](std::string_view word, uint64_t count) { words.push_back({std::string(word), count}); });
  std::ranges::sort(words, {}, &WordCount::word);
  return words;
}

}  // namespace

WordTable::WordTable() : seed_(random_hash_seed()), slots_(1 << 12) {}

void WordTable::add(std::string_view word, uint64_t count) {
  if (n_words_ * 3 >= slots_.size() * 2) grow();
  const uint64_t hash = hash_text(word, seed_);
  const auto upper = static_cast<uint32_t>(hash >> 32);
  std::size_t at = hash & (slots_.size() - 1);
  for (; slots_[at].count > 0; at = (at + 1) & (slots_.size() - 1)) {
    Slot& slot = slots_[at];
    if (slot.hash == upper && std::string_view(slot.word, slot.size) == word) {
      slot.count += count;
      return;
    }
  }
  slots_[at] = {keep(word), static_cast<uint32_t>(word.size()), upper, count};
  ++n_words_;
}

const char* WordTable::keep(std::string_view word) {
  if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < word.size()) {
    blocks_.emplace_back();
    blocks_.back().reserve(std::max(kBlockBytes, word.size()));
  }
  std::string& block = blocks_.back();
  block.append(word);
  return block.data() + block.size() - word.size();
}

void WordTable::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  std::swap(old, slots_);
  for (const Slot& slot : old) {
    if (slot.count == 0) continue;
    std::size_t at = hash_text({slot.word, slot.size}, seed_) & (slots_.size() - 1);
    while (slots_[at].count > 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }
}

std::vector<WordCount> count_words(const DataFiles& files, const WordCounting& how, ThreadPool& pool) {
  std::vector<std::shared_ptr<const MappedFile>> mapped;
  std::vector<Part> parts;
  for (const std::filesystem::path& path : files.files) {
    mapped.push_back(MappedFile::open(path));
    const std::vector<Part> more = parts_of(*mapped.back(), files.format);
    parts.insert(parts.end(), more.begin(), more.end());
  }
  std::vector<std::optional<Counter>> counters(static_cast<std::size_t>(pool.size()));
  std::atomic<std::size_t> next{0};
  pool.run([&](int member) {
    Counter& counter = counters[static_cast<std::size_t>(member)].emplace(how);
    try {
      for (std::size_t i = next++; i < parts.size(); i = next++) counter.add(parts[i], files.format);
    } catch (...) {
      next = parts.size();
      throw;
    }
  });
  WordTable all;
  for (const auto& counter : counters) counter->words().for_each([&](std::string_view word, uint64_t count) { all.add(word, count); });
  return sorted_words(all);
}

}  // namespace minnow
