// What teachers said, kept on disk: rows of numbers by the contents of the document they belong to, so that they are found again in
// later epochs and runs, in whatever order and company the document comes.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/file.h"
#include "base/json.h"

namespace minnow {

struct DocumentKey {
  uint64_t a = 0, b = 0;
  auto operator<=>(const DocumentKey&) const = default;
};
// Of the tokens and of which of them carry loss.
DocumentKey document_key(std::span<const int32_t> tokens, std::span<const int32_t> targets);

class TeacherCache {
 public:
  // `folder` (made if needed) holds files of rows, each whole or absent. `settings` say all that the numbers depend on but the document.
  // Throws kInvalidInput for files of other settings and for damaged ones, naming the file; kIo.
  TeacherCache(std::filesystem::path folder, Json settings, uint64_t max_bytes);

  // Valid until the next flush(); empty when the document is not known.
  std::span<const float> find(const DocumentKey& key) const;
  // Kept in memory until flush(), which happens by itself from time to time. Once max_bytes are used, nothing is added.
  void add(const DocumentKey& key, std::span<const float> numbers);
  void flush();

  std::size_t n_documents() const { return found_.size(); }
  bool is_full() const { return bytes_ >= max_bytes_; }

 private:
  void read(const std::filesystem::path& path);
  std::filesystem::path folder_;
  Json settings_;
  uint64_t max_bytes_, bytes_ = 0;  // of the documents known
  uint64_t next_file_ = 1;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::map<DocumentKey, std::span<const float>> found_;
  struct Pending {
    DocumentKey key;
    std::vector<float> numbers;
  };
  std::deque<Pending> pending_;
  uint64_t pending_bytes_ = 0;
};

}  // namespace minnow
