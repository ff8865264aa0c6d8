#include "respond/model_names.h"

#include <algorithm>
#include <chrono>
#include <system_error>

#include "base/error.h"
#include "base/suggest.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

bool are_digits(std::string_view text) { return text.find_first_not_of("0123456789") == std::string_view::npos; }

// The length of "-00001-of-00003" at the end of a stem; 0 when there is none.
std::size_t part_suffix(std::string_view stem) {
  constexpr std::size_t kLength = 15;
  if (stem.size() <= kLength) return 0;
  const std::string_view end = stem.substr(stem.size() - kLength);
  const bool is_part = end[0] == '-' && are_digits(end.substr(1, 5)) && end.substr(6, 4) == "-of-" && are_digits(end.substr(10));
  return is_part ? kLength : 0;
}

// Bytes of a file, or of all files of a folder.
uint64_t bytes_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const auto size = fs::file_size(path, error);
    return error ? 0 : size;
  }
  uint64_t bytes = 0;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const auto size = it->is_regular_file(ignored) ? it->file_size(ignored) : 0;
    if (!ignored) bytes += size;
  }
  return bytes;
}

int64_t modified_unix(const fs::path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  if (error) return 0;
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::file_clock::to_sys(time).time_since_epoch()).count();
}

}  // namespace

std::string model_name(const fs::path& path) {
  const std::string extension = lower(path.extension().string());
  const bool is_file = extension == ".gguf" || extension == ".safetensors" || extension == ".bin";
  std::string name = is_file ? path.stem().string() : path.filename().string();
  if (name.empty()) name = path.parent_path().filename().string();  // "folder/"
  if (is_file) name.resize(name.size() - part_suffix(name));
  return name;
}

ModelEntry model_entry(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) fail(ErrorCode::kNotFound, "{}: there is no such model", path.string());
  return {.name = model_name(path), .path = path, .bytes = bytes_of(path), .modified_unix = modified_unix(path)};
}

void ModelNames::add(ModelEntry entry) {
  if (entry.name.empty()) fail(ErrorCode::kInvalidInput, "{}: a model without a name", entry.path.string());
  const auto [it, is_new] = added_.try_emplace(lower(entry.name), entry);
  if (is_new) return;
  std::error_code error;
  if (it->second.path == entry.path || fs::equivalent(it->second.path, entry.path, error)) return;
  throw Error(ErrorCode::kInvalidInput, fmt::format("{}: {} has the name \"{}\" already", entry.path.string(), it->second.path.string(), entry.name),
              "rename one of the files");
}

void ModelNames::read_folders() {
  found_.clear();
  hidden_.clear();
  for (const fs::path& folder : folders_) {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      std::error_code ignored;
      if (lower(it->path().extension().string()) == ".gguf" && it->is_regular_file(ignored)) files.push_back(it->path());
    }
    std::sort(files.begin(), files.end());  // the first of equal names counts
    for (const fs::path& file : files) {
      const std::string stem = file.stem().string();
      const std::size_t suffix = part_suffix(stem);
      if (suffix > 0 && stem.compare(stem.size() - suffix, 6, "-00001") != 0) continue;
      const std::string name = lower(model_name(file));
      if (name.empty()) continue;
      const bool is_new = found_.try_emplace(name, model_entry(file)).second;
      const auto added = added_.find(name);
      const fs::path& first = added != added_.end() ? added->second.path : found_.at(name).path;
      if ((is_new && added == added_.end()) || first == file || fs::equivalent(first, file, error)) continue;
      hidden_.push_back(fmt::format("{}: is not served, {} has the name \"{}\" already; rename one of the files", file.string(),
                                    first.string(), model_name(first)));
    }
  }
}

std::vector<ModelEntry> ModelNames::all() const {
  std::map<std::string, ModelEntry> joined = added_;
  joined.insert(found_.begin(), found_.end());
  std::vector<ModelEntry> entries;
  for (const auto& [name, entry] : joined) entries.push_back(entry);
  return entries;
}

const ModelEntry* ModelNames::find(std::string_view name) const {
  std::string key = lower(name);
  for (const std::string_view begin : {"https://", "registry.ollama.ai/", "library/"}) {
    if (key.starts_with(begin)) key.erase(0, begin.size());
  }
  for (const std::string_view end : {"", ":latest", ".gguf"}) {
    if (!key.ends_with(end)) continue;
    key.erase(key.size() - end.size());
    for (const auto* names : {&added_, &found_}) {
      const auto it = names->find(key);
      if (it != names->end()) return &it->second;
    }
  }
  return nullptr;
}

std::string ModelNames::nearest(const std::string& name) const {
  const std::vector<ModelEntry> entries = all();
  std::vector<std::string_view> names;
  for (const ModelEntry& e : entries) names.push_back(e.name);
  return std::string(closest_word(name, names));
}

}  // namespace minnow
