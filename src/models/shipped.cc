#include "models/shipped.h"

#include <cstdlib>
#include <set>

namespace minnow {
namespace fs = std::filesystem;

std::vector<fs::path> shipped_model_folders() {
  std::vector<fs::path> folders;
  if (const char* own = std::getenv("MINNOW_MODELS"); own != nullptr && *own != '\0') folders.emplace_back(own);
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return folders;
  // build/release/minnow
  folders.push_back(program.parent_path() / ".." / ".." / "models");
  folders.push_back(program.parent_path() / ".." / "share" / "minnow" / "models");
  return folders;
}

fs::path find_shipped_model(const fs::path& name) {
  std::error_code error;
  if (name.empty() || name.has_parent_path() || fs::exists(name, error)) return name;
  for (const fs::path& folder : shipped_model_folders()) {
    const fs::path path = folder / (name.string() + ".gguf");
    if (fs::is_regular_file(path, error)) return path.lexically_normal();
  }
  return name;
}

std::vector<std::string> shipped_models() {
  std::set<std::string> names;
  std::error_code error;
  for (const fs::path& folder : shipped_model_folders()) {
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".gguf") names.insert(entry.path().stem().string());
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace minnow
