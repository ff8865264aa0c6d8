#include "models/find_tokenizer.h"

#include "formats/tokenizer_files.h"
#include "formats/tokenizer_gguf.h"
#include "models/model.h"

namespace minnow {
namespace fs = std::filesystem;

namespace {

TokenizerSpec tokenizer_from(const fs::path& path) {
  if (path.extension() == ".gguf") return tokenizer_spec_from_gguf(GgufFile::open(path).metadata());
  return load_tokenizer_folder(path);
}

}  // namespace

std::optional<TokenizerSpec> load_tokenizer(const fs::path& path) {
  std::error_code ignored;
  if (path.extension() == ".gguf") {
    const auto file = GgufFile::open(path);
    if (!has_gguf_tokenizer(file.metadata())) return std::nullopt;
    return tokenizer_spec_from_gguf(file.metadata());
  }
  // llama2.c calls its weights and its vocabularies ("tok512.bin") alike.
  const bool is_weights = path.extension() == ".safetensors" ||
                          (path.extension() == ".bin" && !path.filename().string().starts_with("tok"));
  if (is_weights || (fs::is_directory(path, ignored) && !has_tokenizer_files(path))) return std::nullopt;
  return load_tokenizer_folder(path);
}

std::optional<TokenizerSpec> find_tokenizer(const Model& model, const fs::path& given) {
  if (!given.empty()) return tokenizer_from(given);
  if (model.format == ModelFormat::kGguf) {
    if (!has_gguf_tokenizer(model.metadata)) return std::nullopt;
    return tokenizer_spec_from_gguf(model.metadata);
  }
  const fs::path folder = fs::is_directory(model.path) ? model.path : model.path.parent_path();
  if (model.format == ModelFormat::kSafetensors && has_tokenizer_files(folder)) return load_tokenizer_folder(folder);
  const std::string by_size = "tok" + std::to_string(model.config.n_vocab) + ".bin";
  for (const fs::path& place : {folder, folder / ".."}) {
    for (const std::string& file : {by_size, std::string("tokenizer.bin")}) {
      if (fs::exists(place / file)) return tokenizer_from(place / file);
    }
  }
  return std::nullopt;
}

}  // namespace minnow
