// The models that come with the program, which are named without a path: minnow-tiny, minnow-triage.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace minnow {

// What answers when nobody says which model: it reads a short message and says what it is about, as JSON.
inline constexpr const char* kDefaultModel = "minnow-triage";

// Where they are looked for: $MINNOW_MODELS, then models/ of the source tree that the program was built in, then
// ../share/minnow/models beside the program's folder.
std::vector<std::filesystem::path> shipped_model_folders();

// NAME.gguf in the first of those folders that has it, when no file or folder is called `name`; else `name` itself.
std::filesystem::path find_shipped_model(const std::filesystem::path& name);

// Names of all that are there, sorted.
std::vector<std::string> shipped_models();

}  // namespace minnow
