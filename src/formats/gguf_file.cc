// A whole GGUF model: one file, or all parts of a split one.
#include <fstream>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "formats/gguf.h"
#include "formats/gguf_layout.h"
#include "formats/gguf_reader.h"
#include "formats/quote_name.h"

namespace minnow {
namespace {

// What a part says about the split it belongs to.
struct SplitFacts {
  uint64_t number;  // from 0
  uint64_t count;   // 1: not split
};

SplitFacts split_facts(const GgufMetadata& metadata) {
  const uint64_t count = metadata.integer("split.count", 1, 0, limits::kMaxSplits);
  if (count <= 1) return {0, 1};
  return {metadata.require_integer("split.no", 0, count - 1), count};
}

// "model-00002-of-00005.gguf"
std::string part_name(const std::string& prefix, uint64_t number, uint64_t count) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", prefix, number + 1, count);
}

// "model" of a path named as this part; nullopt when it is named otherwise.
std::optional<std::string> split_prefix(const std::filesystem::path& path, SplitFacts facts) {
  const std::string name = path.filename().string();
  const std::string suffix = part_name("", facts.number, facts.count);
  if (!name.ends_with(suffix)) return std::nullopt;
  return name.substr(0, name.size() - suffix.size());
}

std::string prefix_of_first(const std::filesystem::path& path, SplitFacts facts) {
  const auto prefix = split_prefix(path, facts);
  if (!prefix) {
    fail(ErrorCode::kInvalidInput, "{}: part {} of {} of a split model must be named *{}", path.string(),
         facts.number + 1, facts.count, part_name("", facts.number, facts.count));
  }
  if (facts.number != 0) {
    fail(ErrorCode::kInvalidInput, "{}: part {} of {} of a split model; open its first part, {}",
         path.string(), facts.number + 1, facts.count, quote_name(part_name(*prefix, 0, facts.count)));
  }
  return *prefix;
}

gguf::Part open_part(const std::filesystem::path& path, uint64_t& file_bytes, const GgufMetadata* first = nullptr) {
  const auto file = MappedFile::open(path);
  file_bytes += file->bytes().size();
  return gguf::read_part(file->bytes(), path.string(), file, first);
}

// Adds the tensors of parts 1 and later to those of the first.
void join_parts(gguf::Part& first, const std::filesystem::path& path, SplitFacts facts,
                uint64_t& file_bytes) {
  const std::string prefix = prefix_of_first(path, facts);
  for (uint64_t i = 1; i < facts.count; ++i) {
    const auto part_path = path.parent_path() / part_name(prefix, i, facts.count);
    gguf::Part part = open_part(part_path, file_bytes, &first.metadata);
    const SplitFacts said = split_facts(part.metadata);
    if (said.number != i || said.count != facts.count) {
      fail(ErrorCode::kInvalidInput,
           "{}: says it is part {} of {}, but its name and the first part say {} of {}", part_path.string(),
           said.number + 1, said.count, i + 1, facts.count);
    }
    if (part.tensors.size() > limits::kMaxTensors - first.tensors.size()) {
      fail(ErrorCode::kLimit, "{}: more than {} tensors in all parts", path.string(), limits::kMaxTensors);
    }
    for (NamedTensor& t : part.tensors) first.tensors.push_back(std::move(t));
  }
  const uint64_t all = first.tensors.size();
  const uint64_t said = first.metadata.integer("split.tensors.count", all, 0, limits::kMaxTensors);
  if (said != all) {
    fail(ErrorCode::kInvalidInput, "{}: split.tensors.count is {}, but the {} parts hold {} tensors",
         path.string(), said, facts.count, all);
  }
  for (const char* key : {"split.no", "split.count", "split.tensors.count"}) first.metadata.erase(key);
}

}  // namespace

GgufFile GgufFile::open(const std::filesystem::path& path) {
  GgufFile model;
  gguf::Part part = open_part(path, model.file_bytes_);
  const SplitFacts facts = split_facts(part.metadata);
  if (facts.count > 1) join_parts(part, path, facts, model.file_bytes_);
  model.version_ = part.version;
  model.metadata_ = std::move(part.metadata);
  model.tensors_ = TensorList(std::move(part.tensors), path.string());
  return model;
}

GgufFile GgufFile::parse(std::span<const std::byte> bytes, const std::string& name) {
  gguf::Part part = gguf::read_part(bytes, name, nullptr);
  const SplitFacts facts = split_facts(part.metadata);
  if (facts.count > 1) {
    fail(ErrorCode::kInvalidInput, "{}: part {} of {} of a split model cannot be read alone", name,
         facts.number + 1, facts.count);
  }
  GgufFile model;
  model.version_ = part.version;
  model.metadata_ = std::move(part.metadata);
  model.tensors_ = TensorList(std::move(part.tensors), name);
  model.file_bytes_ = bytes.size();
  return model;
}

bool looks_like_gguf(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;
  std::ifstream file(path, std::ios::binary);
  char magic[4] = {};
  return file.read(magic, sizeof(magic)) && std::string_view(magic, sizeof(magic)) == gguf::kMagic;
}

}  // namespace minnow
