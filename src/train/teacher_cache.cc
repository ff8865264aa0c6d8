#include "train/teacher_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/byte_reader.h"
#include "base/error.h"
#include "base/fast_hash.h"

namespace minnow {
namespace fs = std::filesystem;
namespace {

// "minnowtc", the header's length (u32), the header (JSON), zeros up to a multiple of 16, then for each document its key (two u64), the
// number of its floats (u64), and these, with zeros up to a multiple of 16.
constexpr std::string_view kMagic = "minnowtc";
constexpr std::string_view kEnding = ".rows";
constexpr uint32_t kMaxHeader = 1 << 20;
constexpr uint64_t kAlignment = 16, kHashSeed = 0x74656163686572;
constexpr uint64_t kFlushBytes = uint64_t{32} << 20;
constexpr std::size_t kMaxFiles = 1 << 16;
constexpr const char* kRemove = "remove that folder, or name another with --cache";

uint64_t padding(uint64_t bytes) { return (kAlignment - bytes % kAlignment) % kAlignment; }

std::string_view text_of(const void* data, std::size_t size) { return {static_cast<const char*>(data), size}; }

uint64_t hash_of(const DocumentKey& key, std::span<const float> numbers, uint64_t hash) {
  return hash_text(text_of(numbers.data(), numbers.size_bytes()), hash_number(key.a ^ hash_number(key.b, hash), kHashSeed));
}

}  // namespace

DocumentKey document_key(std::span<const int32_t> tokens, std::span<const int32_t> targets) {
  std::vector<int32_t> all(tokens.begin(), tokens.end());
  for (const int32_t t : targets) all.push_back(t);
  const std::string_view text = text_of(all.data(), all.size() * sizeof(int32_t));
  return {hash_text(text, kHashSeed), hash_text(text, ~kHashSeed)};
}

TeacherCache::TeacherCache(fs::path folder, Json settings, uint64_t max_bytes)
    : folder_(std::move(folder)), settings_(std::move(settings)), max_bytes_(max_bytes) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) fail(ErrorCode::kIo, "{}: cannot make this folder: {}", folder_.string(), error.message());
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    if (entry.path().extension() == kEnding) paths.push_back(entry.path());
  }
  if (paths.size() > kMaxFiles) fail(ErrorCode::kLimit, "{}: {} files of a teacher's rows", folder_.string(), paths.size());
  std::sort(paths.begin(), paths.end());  // numbers have leading zeros
  for (const fs::path& path : paths) read(path);
}

void TeacherCache::read(const fs::path& path) {
  const std::string source = path.string();
  auto file = MappedFile::open(path);
  ByteReader reader(file->bytes(), source);
  if (reader.remaining() < kMagic.size() || reader.take_text(kMagic.size()) != kMagic) fail(ErrorCode::kInvalidInput, "{}: not a teacher's rows", source);
  const auto length = reader.read<uint32_t>();
  if (length > kMaxHeader) fail(ErrorCode::kInvalidInput, "{}: a header of {} bytes", source, length);
  const Json header = parse_json(reader.take_text(length, "header"), source);
  if (!header.is_object() || !header.contains("settings") || header["settings"] != settings_) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("{}: rows of another teacher, or told in another way", source), kRemove);
  }
  reader.take(padding(reader.offset()));
  std::vector<std::pair<DocumentKey, std::span<const float>>> documents;
  uint64_t hash = kHashSeed;
  while (reader.remaining() > 0) {
    const DocumentKey key{reader.read<uint64_t>(), reader.read<uint64_t>()};
    const auto n = reader.read<uint64_t>();
    reader.take(padding(reader.offset()));
    if (n > reader.remaining() / sizeof(float)) fail(ErrorCode::kInvalidInput, "{}: truncated at byte {}", source, reader.offset());
    const auto bytes = reader.take(n * sizeof(float));
    documents.push_back({key, {reinterpret_cast<const float*>(bytes.data()), n}});
    hash = hash_of(key, documents.back().second, hash);
    reader.take(padding(reader.offset()));
  }
  if (!header.contains("hash") || header["hash"] != hash) throw Error(ErrorCode::kInvalidInput, fmt::format("{}: damaged; its hash differs", source), kRemove);
  files_.push_back(std::move(file));
  for (const auto& [key, numbers] : documents) {
    if (found_.insert_or_assign(key, numbers).second) bytes_ += numbers.size_bytes();
  }
  const std::string stem = path.stem().string();
  uint64_t number = 0;
  std::from_chars(stem.data(), stem.data() + stem.size(), number);
  next_file_ = std::max(next_file_, number + 1);
}

std::span<const float> TeacherCache::find(const DocumentKey& key) const {
  const auto at = found_.find(key);
  return at == found_.end() ? std::span<const float>() : at->second;
}

void TeacherCache::add(const DocumentKey& key, std::span<const float> numbers) {
  if (bytes_ + numbers.size_bytes() > max_bytes_) {
    bytes_ = std::max(bytes_, max_bytes_);
    return;
  }
  if (found_.contains(key)) return;
  pending_.push_back({key, {numbers.begin(), numbers.end()}});
  found_[key] = pending_.back().numbers;
  bytes_ += numbers.size_bytes();
  pending_bytes_ += numbers.size_bytes();
  if (pending_bytes_ >= kFlushBytes) flush();
}

void TeacherCache::flush() {
  if (pending_.empty()) return;
  uint64_t hash = kHashSeed;
  for (const Pending& p : pending_) hash = hash_of(p.key, p.numbers, hash);
  const std::string header = Json{{"settings", settings_}, {"hash", hash}}.dump();
  const auto length = static_cast<uint32_t>(header.size());
  const fs::path path = folder_ / fmt::format("{:08}{}", next_file_, kEnding);
  AtomicFile file(path);
  file.write(kMagic);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  file.pad_to(kAlignment);
  for (const Pending& p : pending_) {
    const uint64_t head[] = {p.key.a, p.key.b, p.numbers.size()};
    file.write(std::as_bytes(std::span(head)));
    file.pad_to(kAlignment);
    file.write(std::as_bytes(std::span(p.numbers)));
    file.pad_to(kAlignment);
  }
  file.commit();
  read(path);  // from now on the numbers are the file's
  pending_.clear();
  pending_bytes_ = 0;
}

}  // namespace minnow
