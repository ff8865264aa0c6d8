// Which tokenizer files a folder has, read from disk.
#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "formats/tokenizer_files.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

enum class VocabularyFile { kNone, kTokenizerJson, kVocabAndMerges, kSentencePiece, kLlama2c };

VocabularyFile kind_of(const fs::path& file) {
  const std::string name = file.filename().string();
  if (name == "vocab.json" || name == "merges.txt") return VocabularyFile::kVocabAndMerges;
  if (name.ends_with(".json")) return VocabularyFile::kTokenizerJson;
  if (name.ends_with(".model") || name.find(".model.v") != std::string::npos)
    return VocabularyFile::kSentencePiece;
  if (name.ends_with(".bin")) return VocabularyFile::kLlama2c;
  return VocabularyFile::kNone;
}

// The vocabulary to use in a folder; an empty path when there is none.
fs::path vocabulary_in(const fs::path& folder) {
  for (const char* name : {"tokenizer.json", "vocab.json", "tokenizer.model", "tokenizer.bin"}) {
    if (!fs::exists(folder / name)) continue;
    if (std::string_view(name) == "vocab.json" && !fs::exists(folder / "merges.txt")) continue;
    return folder / name;
  }
  std::vector<fs::path> versioned;  // "tokenizer.model.v3": the newest
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().find(".model.v") != std::string::npos)
      versioned.push_back(entry.path());
  }
  return versioned.empty() ? fs::path() : *std::ranges::max_element(versioned, {}, &fs::path::extension);
}

std::optional<std::string> read_if_there(const fs::path& path) {
  if (!fs::exists(path)) return std::nullopt;
  return read_text_file(path, limits::kMaxJsonFileBytes);
}

TokenizerSpec parse_vocabulary(const fs::path& file, VocabularyFile kind) {
  const std::string source = file.string();
  switch (kind) {
    case VocabularyFile::kTokenizerJson:
      return parse_tokenizer_json(read_text_file(file, limits::kMaxJsonFileBytes), source);
    case VocabularyFile::kVocabAndMerges: {
      const fs::path folder = file.parent_path();
      return parse_vocab_and_merges(read_text_file(folder / "vocab.json", limits::kMaxJsonFileBytes),
                                    read_text_file(folder / "merges.txt", limits::kMaxJsonFileBytes), source);
    }
    case VocabularyFile::kSentencePiece:
      return parse_sentencepiece_model(MappedFile::open(file)->bytes(), source);
    case VocabularyFile::kLlama2c:
      return parse_llama2c_tokenizer(MappedFile::open(file)->bytes(), source);
    case VocabularyFile::kNone:
      break;
  }
  fail(ErrorCode::kUnsupported, "{}: not a tokenizer file that minnow knows", source);
}

}  // namespace

TokenizerSpec load_tokenizer_folder(const fs::path& path) {
  std::error_code ignored;
  const bool is_folder = fs::is_directory(path, ignored);
  const fs::path file = is_folder ? vocabulary_in(path) : path;
  if (file.empty()) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no tokenizer files in this folder", path.string()),
                "it needs tokenizer.json, vocab.json with merges.txt, tokenizer.model or tokenizer.bin");
  }
  const VocabularyFile kind = kind_of(file);
  TokenizerSpec spec = parse_vocabulary(file, kind);
  if (kind == VocabularyFile::kLlama2c) return spec;
  const fs::path folder = file.parent_path();
  TokenizerSideFiles side;
  side.tokenizer_config = read_if_there(folder / "tokenizer_config.json");
  side.special_tokens_map = read_if_there(folder / "special_tokens_map.json");
  side.added_tokens = read_if_there(folder / "added_tokens.json");
  side.generation_config = read_if_there(folder / "generation_config.json");
  side.chat_template = read_if_there(folder / "chat_template.jinja");
  side.split_by_class = kind == VocabularyFile::kVocabAndMerges;
  apply_tokenizer_side_files(spec, side);
  return spec;
}

}  // namespace minnow
