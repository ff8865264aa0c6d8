// Which files a data set is made of.
#pragma once

#include <filesystem>
#include <vector>

namespace minnow {

enum class DataFormat { kText, kJsonLines };

struct DataFiles {
  DataFormat format = DataFormat::kText;
  std::vector<std::filesystem::path> files;       // in the order given, those of a folder by name
  std::vector<std::filesystem::path> validation;  // valid.jsonl or validation.jsonl beside a folder's train.jsonl
};

// Files as they are named: *.jsonl and *.ndjson are JSON lines, all others text. Of a folder with a train.jsonl only that, and
// its validation file; of any other folder all *.jsonl, *.ndjson, *.txt and *.md files in it and below. Throws kNotFound for what does
// not exist and for folders without such files, kInvalidInput when formats are mixed, kLimit for too many files.
DataFiles find_data_files(const std::vector<std::filesystem::path>& paths);

}  // namespace minnow
