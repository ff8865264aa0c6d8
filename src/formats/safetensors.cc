#include "formats/safetensors.h"

#include <algorithm>
#include <map>
#include <memory>

#include "base/byte_reader.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "formats/quote_name.h"
#include "formats/safetensors_header.h"
#include "formats/safetensors_layout.h"

namespace minnow {
namespace {

namespace st = safetensors;

struct OneFile {
  Safetensors::TextPairs metadata;
  std::vector<NamedTensor> tensors;
};

// The data must be covered exactly: no hole that could hide something, no byte that belongs to two tensors.
void check_places(const std::vector<st::HeaderEntry>& tensors, uint64_t data_bytes,
                  const std::string& source) {
  std::vector<const st::HeaderEntry*> order;
  order.reserve(tensors.size());
  for (const auto& t : tensors) order.push_back(&t);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t covered = 0;
  for (const st::HeaderEntry* t : order) {
    if (t->begin != covered) {
      fail(ErrorCode::kInvalidInput, "{}: the data of tensor {} begin at {}, {} {}", source,
           quote_name(t->name), t->begin,
           t->begin > covered ? "after a hole that begins at" : "inside another tensor that ends at",
           covered);
    }
    covered = t->end;
  }
  if (covered != data_bytes) {
    fail(ErrorCode::kInvalidInput,
         "{}: the tensors take {} bytes, but {} follow the header; is the file cut short?", source, covered,
         data_bytes);
  }
}

Tensor view(const st::HeaderEntry& entry, std::span<const std::byte> data,
            const std::shared_ptr<const void>& owner) {
  const auto bytes = data.subspan(entry.begin, entry.end - entry.begin);
  if (reinterpret_cast<uintptr_t>(bytes.data()) % info(entry.dtype).block_bytes == 0) {
    return {entry.dtype, entry.shape, bytes.data(), owner};
  }
  std::byte* copy = nullptr;
  Tensor tensor = Tensor::allocate(entry.dtype, entry.shape, &copy);
  std::copy(bytes.begin(), bytes.end(), copy);
  return tensor;
}

OneFile read_one(std::span<const std::byte> bytes, const std::string& source,
                 const std::shared_ptr<const void>& owner) {
  ByteReader reader(bytes, source);
  const auto length = reader.read<uint64_t>();
  if (length > limits::kMaxSafetensorsHeader) {
    fail(ErrorCode::kLimit,
         "{}: a safetensors header of {} bytes, at most {} are allowed; is it a safetensors file?", source,
         length, limits::kMaxSafetensorsHeader);
  }
  const std::string_view json = reader.take_text(length, "safetensors header");
  if (!json.starts_with('{')) {
    fail(ErrorCode::kInvalidInput, "{}: the safetensors header does not begin with {{", source);
  }
  st::Header header = st::parse_header(json, source);
  const auto data = reader.take(reader.remaining());
  check_places(header.tensors, data.size(), source);
  OneFile file;
  file.metadata = std::move(header.metadata);
  file.tensors.reserve(header.tensors.size());
  for (st::HeaderEntry& entry : header.tensors) {
    Tensor tensor = view(entry, data, owner);
    file.tensors.push_back({std::move(entry.name), std::move(tensor)});
  }
  return file;
}

// Every tensor of the shard must be one of the `expected` ones that the index puts there, and so none is
// missing.
void check_shard(const OneFile& shard, const std::string& file_name, std::size_t expected,
                 const std::vector<st::IndexEntry>& index, const std::string& source) {
  for (const NamedTensor& t : shard.tensors) {
    const auto it =
        std::lower_bound(index.begin(), index.end(), t.name,
                         [](const st::IndexEntry& e, const std::string& name) { return e.tensor < name; });
    if (it == index.end() || it->tensor != t.name || it->file != file_name) {
      fail(ErrorCode::kInvalidInput, "{}: tensor {} lies in this shard, but not according to the index",
           source, quote_name(t.name));
    }
  }
  if (expected != shard.tensors.size()) {
    fail(ErrorCode::kInvalidInput, "{}: the index puts {} tensors here, but {} are here", source, expected,
         shard.tensors.size());
  }
}

// Whatever the folder holds under this name, even if it turns out not to be readable.
bool present(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

std::vector<std::filesystem::path> safetensors_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.ends_with(".safetensors") && !name.starts_with('.')) found.push_back(it->path());
  }
  if (error) fail(ErrorCode::kIo, "{}: cannot list the folder: {}", folder.string(), error.message());
  return found;
}

}  // namespace

Safetensors Safetensors::open(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ? open_folder(path) : open_file(path);
}

Safetensors Safetensors::open_file(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  OneFile one = read_one(file->bytes(), path.string(), file);
  Safetensors model;
  model.metadata_ = std::move(one.metadata);
  model.tensors_ = TensorList(std::move(one.tensors), path.string());
  model.file_bytes_ = file->bytes().size();
  return model;
}

Safetensors Safetensors::parse(std::span<const std::byte> bytes, const std::string& name) {
  OneFile one = read_one(bytes, name, nullptr);
  Safetensors model;
  model.metadata_ = std::move(one.metadata);
  model.tensors_ = TensorList(std::move(one.tensors), name);
  model.file_bytes_ = bytes.size();
  return model;
}

// The single file goes before the index, as Transformers has it.
Safetensors Safetensors::open_folder(const std::filesystem::path& folder) {
  if (present(folder / st::kSingleName)) return open_file(folder / st::kSingleName);
  if (present(folder / st::kIndexName)) return open_sharded(folder / st::kIndexName);
  const auto files = safetensors_of(folder);
  if (files.empty()) fail(ErrorCode::kNotFound, "{}: no .safetensors file in this folder", folder.string());
  if (files.size() > 1) {
    fail(ErrorCode::kInvalidInput, "{}: {} .safetensors files but no {}; name one of them", folder.string(),
         files.size(), st::kIndexName);
  }
  return open_file(files.front());
}

Safetensors Safetensors::open_sharded(const std::filesystem::path& index_path) {
  const std::string source = index_path.string();
  const std::vector<st::IndexEntry> index =
      st::parse_index(read_text_file(index_path, limits::kMaxJsonFileBytes), source);
  std::map<std::string, std::size_t> shards;  // name and number of tensors
  for (const st::IndexEntry& entry : index) ++shards[entry.file];
  if (shards.size() > limits::kMaxSplits) {
    fail(ErrorCode::kLimit, "{}: {} shards, at most {} are allowed", source, shards.size(),
         limits::kMaxSplits);
  }
  Safetensors model;
  std::vector<NamedTensor> tensors;
  tensors.reserve(index.size());
  for (const auto& [name, expected] : shards) {
    const auto path = index_path.parent_path() / name;
    const auto file = MappedFile::open(path);
    OneFile shard = read_one(file->bytes(), path.string(), file);
    check_shard(shard, name, expected, index, path.string());
    if (tensors.empty()) model.metadata_ = std::move(shard.metadata);
    for (NamedTensor& t : shard.tensors) tensors.push_back(std::move(t));
    model.file_bytes_ += file->bytes().size();
  }
  model.tensors_ = TensorList(std::move(tensors), source);
  return model;
}

}  // namespace minnow
