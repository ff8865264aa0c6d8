#include "train/record_index.h"

#include <algorithm>

#include "base/error.h"
#include "base/fast_hash.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "train/text_pieces.h"

namespace minnow {
namespace {

constexpr uint64_t kDigestSeed = 0x5d1a;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string_view all_text(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

int64_t line_of(std::string_view text, std::size_t offset) {
  return 1 + std::ranges::count(text.substr(0, offset), '\n');
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

std::string_view without_line_ends(std::string_view text) {
  const std::size_t begin = text.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of("\r\n") + 1 - begin);
}

}  // namespace

class RecordIndexBuilder {
 public:
  RecordIndexBuilder(RecordIndex& index, const RecordIndexOptions& options) : index_(index), options_(options) {}

  void add_json_lines(std::string_view text, const std::string& name) {
    int64_t number = 0;
    std::size_t begin = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    while (begin < text.size()) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view line = text.substr(begin, end - begin);
      ++number;
      if (!is_blank(line)) {
        const std::string place = fmt::format("{}:{}", name, number);
        const Record record = parse_record(line, place, has_kind_ ? std::optional(index_.kind_) : std::nullopt);
        index_.kind_ = record.kind;
        has_kind_ = true;
        add({.offset = begin, .length = static_cast<uint32_t>(line.size()), .begins = 1, .ends = 1}, name);
      }
      looked_at(std::min(end + 1, text.size()) - begin);
      begin = end + 1;
    }
  }

  void add_text(std::string_view text, const std::string& name) {
    const std::size_t start = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    for (std::size_t begin = start; begin < text.size();) {
      const std::size_t found =
          options_.document_separator.empty() ? std::string_view::npos : text.find(options_.document_separator, begin);
      const std::size_t end = std::min(found, text.size());
      const std::string_view document = without_line_ends(text.substr(begin, end - begin));
      if (!document.empty()) add_document(text, static_cast<std::size_t>(document.data() - text.data()), document.size(), name);
      looked_at(end - begin);
      begin = end + options_.document_separator.size();
    }
  }

  void finish_file(std::string_view text, const std::string& name, std::size_t n_before) {
    if (index_.entries_.size() == n_before) fail(ErrorCode::kInvalidInput, "{}: there are no records in this file", name);
    index_.digest_ = hash_number(index_.digest_ ^ hash_text(text, kDigestSeed), kDigestSeed);
  }

 private:
  void add(RecordIndex::Entry entry, const std::string& name) {
    if (index_.entries_.size() >= limits::kMaxRecords) fail(ErrorCode::kLimit, "{}: more than {} records", name, limits::kMaxRecords);
    entry.file = static_cast<uint32_t>(index_.files_.size() - 1);
    index_.entries_.push_back(entry);
  }

  void add_document(std::string_view text, std::size_t begin, std::size_t size, const std::string& name) {
    const std::string_view upto = text.substr(0, begin + size);
    for (std::size_t at = begin; at < upto.size();) {
      const std::size_t end = piece_end(upto, at, std::max<uint32_t>(options_.piece_bytes, 1));
      if (!is_valid_utf8(upto.substr(at, end - at))) refuse_bytes(upto, at, name);
      add({.offset = at, .length = static_cast<uint32_t>(end - at), .begins = at == begin, .ends = end == upto.size()}, name);
      at = end;
    }
  }

  [[noreturn]] static void refuse_bytes(std::string_view text, std::size_t at, const std::string& name) {
    while (at < text.size()) {
      const Utf8Char c = decode_utf8(text.substr(at));
      if (!c.valid) break;
      at += c.length;
    }
    throw Error(ErrorCode::kInvalidInput, fmt::format("{}:{}: not UTF-8 at byte {}", name, line_of(text, at), at),
                "convert the text, e.g. with iconv -f latin1 -t utf8");
  }

  void looked_at(uint64_t bytes) const {
    if (options_.progress) options_.progress(bytes);
  }

  RecordIndex& index_;
  const RecordIndexOptions& options_;
  bool has_kind_ = false;
};

std::shared_ptr<const RecordIndex> RecordIndex::open(const std::vector<std::filesystem::path>& files, DataFormat format,
                                                     const RecordIndexOptions& options) {
  // Twice the length of a piece must fit into an entry.
  if (options.piece_bytes >= 1u << 30) fail(ErrorCode::kLimit, "pieces of {} bytes are too long", options.piece_bytes);
  const std::shared_ptr<RecordIndex> index(new RecordIndex);
  index->format_ = format;
  RecordIndexBuilder builder(*index, options);
  for (const std::filesystem::path& path : files) {
    const std::size_t n_before = index->entries_.size();
    index->files_.push_back(MappedFile::open(path));
    const std::string_view text = all_text(*index->files_.back());
    if (format == DataFormat::kJsonLines) {
      builder.add_json_lines(text, path.string());
    } else {
      builder.add_text(text, path.string());
    }
    builder.finish_file(text, path.string(), n_before);
    MappedFile::release(index->files_.back()->bytes());
  }
  index->entries_.shrink_to_fit();
  index->digest_ = hash_number(index->digest_ ^ index->entries_.size(), kDigestSeed);
  return index;
}

std::string_view RecordIndex::text(const Entry& entry) const {
  return all_text(*files_[entry.file]).substr(entry.offset, entry.length);
}

Record RecordIndex::record(std::size_t i) const {
  const Entry& entry = entries_.at(i);
  const std::string_view bytes = text(entry);
  if (format_ == DataFormat::kText) {
    return {.kind = RecordKind::kText, .text = std::string(bytes), .begins_document = entry.begins != 0, .ends_document = entry.ends != 0};
  }
  // It was read before: an error means that the file changed meanwhile.
  return parse_record(bytes, fmt::format("{} at byte {}", files_[entry.file]->path().string(), entry.offset), kind_);
}

std::string RecordIndex::place(std::size_t i) const {
  const Entry& entry = entries_.at(i);
  const MappedFile& file = *files_[entry.file];
  return fmt::format("{}:{}", file.path().string(), line_of(all_text(file), entry.offset));
}

uint64_t RecordIndex::bytes() const {
  uint64_t total = 0;
  for (const auto& file : files_) total += file->bytes().size();
  return total;
}

}  // namespace minnow
