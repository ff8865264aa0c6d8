// Where the records of a data set lie in its files. Texts stay on disk: a record is read when it is asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "train/data_files.h"
#include "train/record.h"

namespace minnow {

struct RecordIndexOptions {
  // Texts: what stands between two documents of one file; empty when a file is one document.
  std::string document_separator = "<|endoftext|>";
  // Texts: documents longer than this are cut at line ends into pieces of this to twice this many bytes, each a record. About 16
  // bytes for each position of a training sequence make pieces of several sequences.
  uint32_t piece_bytes = 32 << 10;
  // Called with the number of bytes that were looked at since the last call.
  std::function<void(uint64_t)> progress;
};

// Immutable once open; may be read from many threads. Takes 16 bytes of memory for each record.
class RecordIndex {
 public:
  // Looks at every record once. Throws what parse_record throws, kInvalidInput for texts that are not UTF-8 and for files without any
  // record, each with file and line; kLimit for more than limits::kMaxRecords.
  static std::shared_ptr<const RecordIndex> open(const std::vector<std::filesystem::path>& files, DataFormat format,
                                                 const RecordIndexOptions& options = {});

  RecordKind kind() const { return kind_; }
  std::size_t size() const { return entries_.size(); }
  Record record(std::size_t i) const;
  // "chats.jsonl:17". Counts lines from the start of the file: for messages only.
  std::string place(std::size_t i) const;
  uint64_t bytes() const;  // of all files
  // Tells data from other data, so that a run is not resumed with others. Not a cryptographic digest.
  uint64_t digest() const { return digest_; }

 private:
  struct Entry {
    uint64_t offset;
    uint32_t length;
    uint32_t file : 30, begins : 1, ends : 1;
  };
  friend class RecordIndexBuilder;
  RecordIndex() = default;
  std::string_view text(const Entry& entry) const;

  RecordKind kind_ = RecordKind::kText;
  DataFormat format_ = DataFormat::kText;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::vector<Entry> entries_;
  uint64_t digest_ = 0;
};

}  // namespace minnow
