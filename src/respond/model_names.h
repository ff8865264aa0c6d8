// Files of models by the names that people call them.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "respond/model_pool.h"

namespace minnow {

// The file's stem; of a split model without the number of its part; of a folder its name.
std::string model_name(const std::filesystem::path& path);
// What is there. Throws kNotFound.
ModelEntry model_entry(const std::filesystem::path& path);

// Names in any case. Not thread-safe.
class ModelNames {
 public:
  explicit ModelNames(std::vector<std::filesystem::path> folders) : folders_(std::move(folders)) {}

  // Throws kInvalidInput for a name that is empty or taken by another file.
  void add(ModelEntry entry);
  // Of what is in the folders now: every *.gguf, the first part of split ones. What was added by name goes before.
  void read_folders();
  // Files that were found in the folders and cannot be had, since another has their name: a line for each that says so.
  const std::vector<std::string>& hidden() const { return hidden_; }
  // All, sorted by name.
  std::vector<ModelEntry> all() const;
  // NAME, NAME:latest or NAME.gguf, behind Ollama's defaults or not: [[https://]registry.ollama.ai/]library/NAME; null when unknown.
  const ModelEntry* find(std::string_view name) const;
  // The known name that is most like it; empty when none is.
  std::string nearest(const std::string& name) const;

 private:
  std::vector<std::filesystem::path> folders_;
  std::map<std::string, ModelEntry> added_, found_;  // by names in lower case
  std::vector<std::string> hidden_;
};

}  // namespace minnow
