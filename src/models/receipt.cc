#include "models/receipt.h"

#include <algorithm>

#include "base/file.h"
#include "models/sha256.h"
#include "models/shipped.h"

namespace minnow {
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> files_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file() && entry.path().filename() != "receipt.json") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

Json described(const std::vector<fs::path>& paths) {
  Json list = Json::array();
  for (const fs::path& named : paths) {
    const fs::path path = find_shipped_model(named);
    for (const fs::path& file : files_of(path)) {
      const std::string name = fs::is_directory(path) ? (path.filename() / file.lexically_relative(path)).string() : file.filename().string();
      list.push_back({{"name", name}, {"bytes", fs::file_size(file)}, {"sha256", sha256_of_file(file).hex()}});
    }
  }
  return list;
}

}  // namespace

fs::path receipt_path(const fs::path& output) {
  if (fs::is_directory(output)) return output / "receipt.json";
  fs::path path = output;
  return path.replace_extension(".receipt.json");
}

void write_receipt(const fs::path& output, const Receipt& receipt) {
  const Json json = {{"step", receipt.step}, {"minnow", MINNOW_VERSION}, {"output", described({output})}, {"parents", described(receipt.parents)},
                     {"data", described(receipt.data)}, {"settings", receipt.settings}, {"measured", receipt.measured}};
  AtomicFile file(receipt_path(output));
  file.write(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  file.commit();
}

}  // namespace minnow
