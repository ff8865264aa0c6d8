#include "train/checkpoint.h"

#include <algorithm>
#include <cstring>

#include "base/byte_reader.h"
#include "base/error.h"
#include "base/fast_hash.h"
#include "base/file.h"

namespace minnow {
namespace {

// "minnowck", then the header's length (u32), the header (JSON), and the state; the header has a hash of it.
constexpr std::string_view kMagic = "minnowck";
constexpr uint32_t kMaxHeader = 1 << 20;
constexpr uint64_t kHashSeed = 0x6d696e6e6f77;

uint64_t hash_of(const std::vector<std::span<std::byte>>& state) {
  uint64_t hash = 0;
  for (const auto& part : state) {
    hash = hash_number(hash ^ hash_text({reinterpret_cast<const char*>(part.data()), part.size()}, kHashSeed), kHashSeed);
  }
  return hash;
}

std::vector<std::filesystem::path> checkpoints_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && name.ends_with(".ckpt")) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());  // numbers have leading zeros
  return found;
}

void expect_settings(const Json& found, const Json& wanted, const std::string& source) {
  for (const auto& [key, value] : wanted.items()) {
    if (!found.contains(key) || found[key] != value) {
      throw Error(ErrorCode::kInvalidInput,
                  fmt::format("{}: made with {} = {}, not {}", source, key, found.contains(key) ? found[key].dump() : "nothing", value.dump()),
                  "resume with the settings and data of that run, or begin a new one elsewhere");
    }
  }
  for (const auto& [key, value] : found.items()) {
    if (wanted.contains(key)) continue;
    throw Error(ErrorCode::kInvalidInput, fmt::format("{}: made with {} = {}, which this run has not", source, key, value.dump()),
                "resume with the settings and data of that run, or begin a new one elsewhere");
  }
}

}  // namespace

void save_checkpoint(const std::filesystem::path& folder, const Checkpoint& c, int keep) {
  uint64_t bytes = 0;
  for (const auto& part : c.state) bytes += part.size();
  const Json header = {{"step", c.step}, {"tokens", c.tokens}, {"settings", c.settings}, {"bytes", bytes}, {"hash", hash_of(c.state)},
                       {"epoch", c.position.epoch}, {"record", c.position.record}, {"offset", c.position.offset}};
  const std::string text = header.dump();
  const auto length = static_cast<uint32_t>(text.size());
  AtomicFile file(folder / fmt::format("step-{:08}.ckpt", c.step));
  file.write(kMagic);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (const auto& part : c.state) file.write(part);
  file.commit();
  const auto all = checkpoints_in(folder);
  std::error_code ignored;  // one too many does no harm
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < all.size(); ++i) std::filesystem::remove(all[i], ignored);
}

std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& folder) {
  const auto all = checkpoints_in(folder);
  if (all.empty()) return std::nullopt;
  return all.back();
}

void load_checkpoint(const std::filesystem::path& path, Checkpoint& c) {
  read_checkpoint(MappedFile::open(path)->bytes(), path.string(), c);
}

void read_checkpoint(std::span<const std::byte> bytes, const std::string& source, Checkpoint& c) {
  ByteReader reader(bytes, source);
  if (reader.remaining() < kMagic.size() || reader.take_text(kMagic.size()) != kMagic) {
    fail(ErrorCode::kInvalidInput, "{}: not a checkpoint of minnow", source);
  }
  const auto length = reader.read<uint32_t>();
  if (length > kMaxHeader) fail(ErrorCode::kInvalidInput, "{}: a header of {} bytes", source, length);
  const Json header = parse_json(reader.take_text(length, "header"), source);
  if (!header.is_object() || !header.contains("settings")) fail(ErrorCode::kInvalidInput, "{}: not a checkpoint of minnow", source);
  expect_settings(header["settings"], c.settings, source);
  const JsonFields fields{header, source};
  const auto number = [&](const char* key) { return fields.integer(key, 0, 0, INT64_MAX); };
  const auto place = [&](const char* key) { return static_cast<uint64_t>(number(key)); };
  const int64_t step = number("step"), tokens = number("tokens");
  const StreamPosition position{place("epoch"), place("record"), place("offset")};
  uint64_t expected = 0;
  for (const auto& part : c.state) expected += part.size();
  if (reader.remaining() != expected) {
    fail(ErrorCode::kInvalidInput, "{}: {} bytes of state, the model and optimizer have {}", source, reader.remaining(), expected);
  }
  std::vector<std::span<std::byte>> found;
  for (const auto& part : c.state) {
    const auto from = reader.take(part.size());
    found.emplace_back(const_cast<std::byte*>(from.data()), from.size());  // read only
  }
  if (!header.contains("hash") || header["hash"] != hash_of(found)) fail(ErrorCode::kInvalidInput, "{}: damaged; its hash differs", source);
  c.step = step;
  c.tokens = tokens;
  c.position = position;
  for (std::size_t i = 0; i < found.size(); ++i) std::memcpy(c.state[i].data(), found[i].data(), found[i].size());
}

}  // namespace minnow
