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

enum class VocabularyFile {
  kNone,
  kTokenizerJson,
  kVocabAndMerges,
  kSentencePiece,
  kTiktoken,
  kWordPiece,
  kLlama2c
};

VocabularyFile kind_of(const fs::path& file) {
  const std::string name = file.filename().string();
  if (name == "vocab.json" || name == "merges.txt") return VocabularyFile::kVocabAndMerges;
  if (name.ends_with(".json")) return VocabularyFile::kTokenizerJson;
  if (name.ends_with(".model") || name.find(".model.v") != std::string::npos)
    return VocabularyFile::kSentencePiece;
  if (name.ends_with(".tiktoken")) return VocabularyFile::kTiktoken;
  if (name == "vocab.txt") return VocabularyFile::kWordPiece;
  if (name.ends_with(".bin")) return VocabularyFile::kLlama2c;
  return VocabularyFile::kNone;
}

// The one with the greatest extension of those whose names hold `part`: "tokenizer.model.v3" is newer than
// v1. Empty when there is none.
fs::path last_with(const fs::path& folder, std::string_view part) {
  fs::path last;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const fs::path& path = entry.path();
    if (path.filename().string().find(part) == std::string::npos) continue;
    if (last.empty() || std::pair(last.extension(), last) < std::pair(path.extension(), path)) last = path;
  }
  return last;
}

// The vocabulary to use in a folder; an empty path when there is none.
fs::path vocabulary_in(const fs::path& folder) {
  for (const char* name : {"tokenizer.json", "vocab.json", "tokenizer.model", "spiece.model"}) {
    if (!fs::exists(folder / name)) continue;
    if (std::string_view(name) == "vocab.json" && !fs::exists(folder / "merges.txt")) continue;
    return folder / name;
  }
  for (const char* part : {".model.v", ".tiktoken", "tiktoken.model"}) {
    if (fs::path file = last_with(folder, part); !file.empty()) return file;
  }
  for (const char* name : {"vocab.txt", "tokenizer.bin"}) {
    if (fs::exists(folder / name)) return folder / name;
  }
  return {};
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
    case VocabularyFile::kSentencePiece: {
      const auto mapped = MappedFile::open(file);
      const auto bytes = mapped->bytes();
      const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return looks_like_tiktoken(text) ? parse_tiktoken(text, source)
                                       : parse_sentencepiece_model(bytes, source);
    }
    case VocabularyFile::kTiktoken:
      return parse_tiktoken(read_text_file(file, limits::kMaxJsonFileBytes), source);
    case VocabularyFile::kWordPiece:
      return parse_wordpiece_vocabulary(read_text_file(file, limits::kMaxJsonFileBytes), source);
    case VocabularyFile::kLlama2c:
      return parse_llama2c_tokenizer(MappedFile::open(file)->bytes(), source);
    case VocabularyFile::kNone:
      break;
  }
  fail(ErrorCode::kUnsupported, "{}: not a tokenizer file that minnow knows", source);
}

}  // namespace

bool has_tokenizer_files(const fs::path& folder) { return !vocabulary_in(folder).empty(); }

TokenizerSpec load_tokenizer_folder(const fs::path& path) {
  std::error_code ignored;
  const bool is_folder = fs::is_directory(path, ignored);
  const fs::path file = is_folder ? vocabulary_in(path) : path;
  if (file.empty()) {
    throw Error(ErrorCode::kNotFound, fmt::format("{}: no tokenizer files in this folder", path.string()),
                "it needs tokenizer.json, vocab.json with merges.txt, tokenizer.model, *.tiktoken, vocab.txt "
                "or tokenizer.bin");
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
  side.tool_template = read_if_there(folder / "additional_chat_templates" / "tool_use.jinja");
  side.split_by_class = kind == VocabularyFile::kVocabAndMerges || kind == VocabularyFile::kWordPiece;
  apply_tokenizer_side_files(spec, side);
  return spec;
}

}  // namespace minnow
