#include "train/data_files.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/limits.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

bool is_json_lines(const fs::path& path) { return path.extension() == ".jsonl" || path.extension() == ".ndjson"; }
bool is_text(const fs::path& path) { return path.extension() == ".txt" || path.extension() == ".md"; }

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

class Finder {
 public:
  DataFiles run(const std::vector<fs::path>& paths) {
    if (paths.empty()) fail(ErrorCode::kUsage, "no training data was named");
    for (const fs::path& path : paths) {
      std::error_code error;
      const fs::file_status status = fs::status(path, error);
      if (!fs::exists(status)) fail(ErrorCode::kNotFound, "{}: no such file or folder", path.string());
      if (fs::is_directory(status)) {
        add_folder(path);
      } else {
        add(path);
      }
    }
    return std::move(found_);
  }

 private:
  void add(const fs::path& path) {
    if (path.extension() == ".json") {
      throw Error(ErrorCode::kInvalidInput, path.string() + ": training data are JSON lines, one record on each line",
                  "for a file that holds one list: jq -c '.[]' FILE.json > FILE.jsonl");
    }
    const DataFormat format = is_json_lines(path) ? DataFormat::kJsonLines : DataFormat::kText;
    if (!found_.files.empty() && format != found_.format) {
      fail(ErrorCode::kInvalidInput, "{} and {}: texts and JSON lines cannot be one data set", found_.files.front().string(), path.string());
    }
    if (found_.files.size() >= limits::kMaxDataFiles) {
      fail(ErrorCode::kLimit, "{}: more than {} files", path.string(), limits::kMaxDataFiles);
    }
    found_.format = format;
    found_.files.push_back(path);
  }

  void add_folder(const fs::path& folder) {
    if (fs::exists(folder / "train.jsonl")) {
      add(folder / "train.jsonl");
      for (const char* name : {"valid.jsonl", "validation.jsonl"}) {
        if (!fs::exists(folder / name)) continue;
        found_.validation.push_back(folder / name);
        break;
      }
      return;
    }
    const std::vector<fs::path> inside = files_in(folder);
    if (inside.empty()) {
      throw Error(ErrorCode::kNotFound, folder.string() + ": no training data in this folder", "*.jsonl, *.ndjson, *.txt and *.md are looked for");
    }
    for (const fs::path& path : inside) add(path);
  }

  static std::vector<fs::path> files_in(const fs::path& folder) {
    std::vector<fs::path> files;
    try {
      for (auto entry = fs::recursive_directory_iterator(folder); entry != fs::recursive_directory_iterator(); ++entry) {
        if (is_hidden(entry->path())) {
          if (entry->is_directory()) entry.disable_recursion_pending();
        } else if ((is_json_lines(entry->path()) || is_text(entry->path())) && entry->is_regular_file()) {
          files.push_back(entry->path());
        }
      }
    } catch (const fs::filesystem_error& e) {
      fail(ErrorCode::kIo, "{}: cannot be read: {}", folder.string(), e.code().message());
    }
    std::ranges::sort(files);
    return files;
  }

  DataFiles found_;
};

}  // namespace

DataFiles find_data_files(const std::vector<fs::path>& paths) { return Finder().run(paths); }

}  // namespace minnow
