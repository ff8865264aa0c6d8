#include "models/find_tokenizer.h"

#include "base/file.h"
#include "base/limits.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_gguf.h"
#include "models/model.h"

namespace minnow {
namespace fs = std::filesystem;

namespace {

TokenizerSpec tokenizer_from(const fs::path& path) {
  if (fs::is_directory(path)) return load_tokenizer_folder(path);
  const std::string source = path.string();
  if (path.extension() == ".gguf") return tokenizer_spec_from_gguf(GgufFile::open(path).metadata());
  if (path.extension() == ".json") return parse_tokenizer_json(read_text_file(path, limits::kMaxJsonFileBytes), source);
  const auto file = MappedFile::open(path);
  if (path.extension() == ".bin") return parse_llama2c_tokenizer(file->bytes(), source);
  return parse_sentencepiece_model(file->bytes(), source);
}

bool has_tokenizer_files(const fs::path& folder) {
  for (const char* file : {"tokenizer.json", "tokenizer.model", "vocab.json"}) {
    if (fs::exists(folder / file)) return true;
  }
  return false;
}

}  // namespace

std::optional<TokenizerSpec> find_tokenizer(const Model& model, const fs::path& given) {
  if (!given.empty()) return tokenizer_from(given);
  if (model.format == ModelFormat::kGguf) {
    if (!model.metadata.has("tokenizer.ggml.model")) return std::nullopt;
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
