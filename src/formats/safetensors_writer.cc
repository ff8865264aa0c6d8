#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "formats/quote_name.h"
#include "formats/safetensors.h"
#include "formats/safetensors_layout.h"

namespace minnow {
namespace {

namespace st = safetensors;
using Sources = std::vector<TensorSource>;

// A JSON string with its quotes; the text must be valid UTF-8.
std::string json_text(const std::string& text) { return Json(text).dump(); }

std::string_view type_word(DType dtype) {
  return std::find_if(st::kTypeWords.begin(), st::kTypeWords.end(),
                      [&](const auto& w) { return w.dtype == dtype; })
      ->word;
}

std::string shape_json(const Shape& shape) {
  std::string out;
  for (int i = 0; i < shape.rank(); ++i) out += fmt::format("{}{}", i > 0 ? "," : "", shape[i]);
  return "[" + out + "]";
}

// Padded with spaces, so that the data begin at a multiple of 8.
std::string header_json(const Sources& sources, const Safetensors::TextPairs& metadata) {
  std::string out = "{";
  if (!metadata.empty()) {
    out += fmt::format("\"{}\":{{", st::kMetadataKey);
    for (const auto& [key, value] : metadata) out += json_text(key) + ":" + json_text(value) + ",";
    out.back() = '}';
    out += ',';
  }
  uint64_t offset = 0;
  for (const TensorSource& s : sources) {
    out += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}},", json_text(s.name),
                       type_word(s.dtype), shape_json(s.shape), offset, offset + s.bytes());
    offset += s.bytes();
  }
  if (out.back() == ',') out.pop_back();
  out += '}';
  out.append((8 - out.size() % 8) % 8, ' ');
  if (out.size() > limits::kMaxSafetensorsHeader) {
    fail(ErrorCode::kLimit, "a safetensors header of {} bytes, at most {} are allowed", out.size(),
         limits::kMaxSafetensorsHeader);
  }
  return out;
}

void write_one(const std::filesystem::path& path, Sources sources, const Safetensors::TextPairs& metadata,
               const std::function<void(uint64_t)>& written) {
  std::stable_partition(sources.begin(), sources.end(), [](const auto& s) { return s.dtype == DType::kF32; });
  AtomicFile file(path);
  const std::string header = header_json(sources, metadata);
  const uint64_t length = header.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const TensorSource& source : sources) {
    produce_all(source, [&](std::span<const std::byte> piece) {
      file.write(piece);
      if (written) written(piece.size());
    });
  }
  file.commit();
}

std::vector<Sources> into_shards(const Sources& sources, uint64_t max_shard_bytes) {
  std::vector<Sources> shards(1);
  uint64_t filled = 0;
  for (const TensorSource& source : sources) {
    const uint64_t bytes = source.bytes();
    if (!shards.back().empty() && (bytes > max_shard_bytes || filled > max_shard_bytes - bytes)) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(source);
    filled += bytes;
  }
  return shards;
}

std::string shard_name(std::size_t number, std::size_t count) {
  return fmt::format("model-{:05}-of-{:05}.safetensors", number + 1, count);
}

std::string index_json(const std::vector<Sources>& shards, uint64_t total) {
  Json map = Json::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    for (const TensorSource& source : shards[i]) map[source.name] = shard_name(i, shards.size());
  }
  return Json{{"metadata", {{"total_size", total}}}, {"weight_map", std::move(map)}}.dump(2) + "\n";
}

void remove_if_there(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) fail(ErrorCode::kIo, "{}: cannot remove: {}", path.string(), error.message());
}

// The running sum of all pieces, for `progress`.
std::function<void(uint64_t)> summed(const SafetensorsWriter::Progress& progress) {
  if (!progress) return {};
  return [progress, done = uint64_t{0}](uint64_t n) mutable { progress(done += n); };
}

void check_writable(const Sources& sources, const std::string& target) {
  check_sources(sources, target);
  for (const TensorSource& s : sources) {
    if (s.name == st::kMetadataKey) {
      fail(ErrorCode::kInvalidInput, "{}: {} cannot be a tensor's name", target, st::kMetadataKey);
    }
  }
}

}  // namespace

void SafetensorsWriter::set_metadata(const std::string& key, std::string value) {
  if (!is_valid_utf8(key) || !is_valid_utf8(value)) {
    fail(ErrorCode::kInvalidInput, "metadata {} is not valid UTF-8, which safetensors cannot hold",
         quote_name(key));
  }
  const auto it =
      std::find_if(metadata_.begin(), metadata_.end(), [&](const auto& m) { return m.first == key; });
  if (it != metadata_.end()) {
    it->second = std::move(value);
  } else {
    metadata_.emplace_back(key, std::move(value));
  }
}

void SafetensorsWriter::add(std::string name, const Tensor& tensor) {
  TensorSource source = tensor_source(std::move(name), tensor);
  add(std::move(source.name), source.dtype, source.shape, std::move(source.produce));
}

void SafetensorsWriter::add(std::string name, DType dtype, const Shape& shape,
                            std::function<void(const ByteSink&)> produce) {
  if (dtype != DType::kF32 && dtype != DType::kF16 && dtype != DType::kBF16) {
    fail(ErrorCode::kUnsupported, "tensor {} has type {}; safetensors are written as F32, F16 or BF16",
         quote_name(name), minnow::name(dtype));
  }
  sources_.push_back({std::move(name), dtype, shape, std::move(produce)});
}

uint64_t SafetensorsWriter::data_bytes() const {
  uint64_t sum = 0;
  for (const TensorSource& source : sources_) sum += source.bytes();
  return sum;
}

void SafetensorsWriter::write_file(const std::filesystem::path& path, const Progress& progress) const {
  check_writable(sources_, path.string());
  write_one(path, sources_, metadata_, summed(progress));
}

// A reader prefers model.safetensors to an index, so an older model stays whole until the new one is: the old
// index goes before any shard that it names is replaced, and an old single file only after the new index is
// there.
void SafetensorsWriter::write_folder(const std::filesystem::path& folder, uint64_t max_shard_bytes,
                                     const Progress& progress) const {
  check_writable(sources_, folder.string());
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(ErrorCode::kIo, "{}: cannot create the folder: {}", folder.string(), error.message());
  const auto shards = into_shards(sources_, max_shard_bytes);
  const auto written = summed(progress);
  if (shards.size() == 1) {
    write_one(folder / st::kSingleName, sources_, metadata_, written);
    remove_if_there(folder / st::kIndexName);
    return;
  }
  remove_if_there(folder / st::kIndexName);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    write_one(folder / shard_name(i, shards.size()), shards[i], metadata_, written);
  }
  AtomicFile index(folder / st::kIndexName);
  index.write(index_json(shards, data_bytes()));
  index.commit();
  remove_if_there(folder / st::kSingleName);
}

}  // namespace minnow
