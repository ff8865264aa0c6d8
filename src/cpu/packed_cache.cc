#include "cpu/packed_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/fast_hash.h"

namespace minnow {
namespace fs = std::filesystem;

namespace {

constexpr char kMagic[8] = {'m', 'n', 'w', 'p', 'a', 'c', 'k', '1'};
constexpr const char* kEnding = ".panels";
constexpr uint64_t kAlignment = 2 << 20;  // of the panels: a large page of the CPU

struct Header {
  char magic[8];
  uint64_t manifest_bytes;
  uint64_t begin, bytes;  // of the panels
  uint64_t checksum;      // of what is above and of the manifest
};
static_assert(sizeof(Header) == 40);

std::string_view text_of(const void* data, std::size_t size) { return {static_cast<const char*>(data), size}; }

Header header_for(const std::string& manifest, uint64_t bytes) {
  Header h{};
  std::memcpy(h.magic, kMagic, sizeof(kMagic));
  h.manifest_bytes = manifest.size();
  h.begin = (sizeof(Header) + manifest.size() + kAlignment - 1) / kAlignment * kAlignment;
  h.bytes = bytes;
  h.checksum = hash_text(manifest, hash_text(text_of(&h, offsetof(Header, checksum)), 1));
  return h;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// All of it by `some` (pread or pwrite), which may do a part at a time.
template <typename Some, typename Bytes>
bool transfer(Some some, int fd, uint64_t offset, Bytes* at, std::size_t size) {
  while (size > 0) {
    const ssize_t n = some(fd, at, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<std::size_t>(n);
  }
  return true;
}
bool read_at(int fd, uint64_t offset, void* to, std::size_t size) {
  return transfer(::pread, fd, offset, static_cast<char*>(to), size);
}
bool write_at(int fd, uint64_t offset, const void* from, std::size_t size) {
  return transfer(::pwrite, fd, offset, static_cast<const char*>(from), size);
}

// What others could have written to is not to be trusted.
bool only_ours(const struct stat& info) { return info.st_uid == ::geteuid() && (info.st_mode & (S_IWGRP | S_IWOTH)) == 0; }

bool is_whole(int fd, const std::string& manifest, uint64_t bytes) {
  const Header wanted = header_for(manifest, bytes);
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || !only_ours(info)) return false;
  if (static_cast<uint64_t>(info.st_size) != wanted.begin + wanted.bytes) return false;
  Header header;
  if (!read_at(fd, 0, &header, sizeof(header)) || std::memcmp(&header, &wanted, sizeof(header)) != 0) return false;
  std::string found(manifest.size(), '\0');
  return read_at(fd, sizeof(header), found.data(), found.size()) && found == manifest;
}

// Pages of 2 MB where the file system has them (it does when the file was written in large pieces, or read by a mapping
// that asks for them): no slower to read from than memory of the process's own.
std::shared_ptr<const std::byte> map_panels(int fd, uint64_t begin, uint64_t bytes) {
  const std::size_t size = begin + bytes;
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return nullptr;
  ::madvise(data, size, MADV_HUGEPAGE);
  const std::shared_ptr<const void> map(data, [size](const void* p) { ::munmap(const_cast<void*>(p), size); });
  return {map, static_cast<const std::byte*>(data) + begin};
}

struct Entry {
  fs::path path;
  uint64_t bytes;
  fs::file_time_type used;
};

std::vector<Entry> entries_in(const fs::path& folder) {
  std::vector<Entry> entries;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != kEnding) continue;
    std::error_code gone;  // another process may be removing it
    const uint64_t bytes = it->file_size(gone);
    const auto used = gone ? fs::file_time_type() : it->last_write_time(gone);
    if (!gone) entries.push_back({it->path(), bytes, used});
  }
  return entries;
}

uint64_t sum(const std::vector<Entry>& entries) {
  uint64_t bytes = 0;
  for (const Entry& e : entries) bytes += e.bytes;
  return bytes;
}

struct Disk {
  uint64_t total = 0, free = 0;
};

Disk disk_of(const fs::path& folder) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0) return {};
  return {info.f_blocks * info.f_frsize, info.f_bavail * info.f_frsize};
}

uint64_t limit_for(const PackedCacheSettings& settings, Disk disk, uint64_t used) {
  return std::min(settings.max_bytes, (disk.free + used) / 4);
}

bool prepare_folder(const fs::path& folder) {
  std::error_code error;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return false;
  struct stat info {};
  return ::stat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && only_ours(info);
}

}  // namespace

fs::path default_packed_cache_folder() {
  if (const char* own = std::getenv("MINNOW_CACHE")) return own;
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && xdg[0] == '/') return fs::path(xdg) / "minnow/packed";
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') return fs::path(home) / ".cache/minnow/packed";
  return {};
}

fs::path PackedCache::path_of(const std::string& manifest) const {
  return settings_.folder / fmt::format("{:016x}{:016x}{}", hash_text(manifest, 1), hash_text(manifest, 2), kEnding);
}

std::shared_ptr<const std::byte> PackedCache::find(const std::string& manifest, uint64_t bytes) const {
  if (settings_.folder.empty() || bytes < settings_.min_bytes) return nullptr;
  const fs::path path = path_of(manifest);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0) return nullptr;
  if (!is_whole(file.get(), manifest, bytes)) {
    ::unlink(path.c_str());
    return nullptr;
  }
  ::futimens(file.get(), nullptr);  // the time of last use decides what goes first
  return map_panels(file.get(), header_for(manifest, bytes).begin, bytes);
}

std::unique_ptr<PackedDraft> PackedCache::begin(const std::string& manifest, uint64_t bytes) const {
  if (settings_.folder.empty() || bytes < settings_.min_bytes) return nullptr;
  const Header header = header_for(manifest, bytes);
  if (!prepare_folder(settings_.folder) || !make_room(header.begin + bytes)) return nullptr;
  std::unique_ptr<PackedDraft> draft(new PackedDraft);
  // A file system that cannot make nameless files (most that come over a network) gets no cache.
  draft->fd_ = ::open(settings_.folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (draft->fd_ < 0) return nullptr;
  draft->path_ = path_of(manifest);
  draft->begin_ = header.begin;
  draft->bytes_ = bytes;
  const bool good = ::ftruncate(draft->fd_, static_cast<off_t>(header.begin + bytes)) == 0 && write_at(draft->fd_, 0, &header, sizeof(header)) &&
                    write_at(draft->fd_, sizeof(header), manifest.data(), manifest.size());
  return good ? std::move(draft) : nullptr;
}

bool PackedCache::make_room(uint64_t bytes) const {
  std::vector<Entry> entries = entries_in(settings_.folder);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  Disk disk = disk_of(settings_.folder);
  uint64_t used = sum(entries);
  const uint64_t limit = limit_for(settings_, disk, used);
  const auto kept = static_cast<uint64_t>(settings_.keep_free * static_cast<double>(disk.total));
  if (bytes > limit || bytes + kept > disk.free + used) return false;
  for (const Entry& e : entries) {
    if (used + bytes <= limit && bytes + kept <= disk.free) break;
    if (::unlink(e.path.c_str()) != 0 && errno != ENOENT) return false;
    used -= e.bytes;
    disk.free += e.bytes;
  }
  return true;
}

PackedCache::Usage PackedCache::usage() const {
  const std::vector<Entry> entries = entries_in(settings_.folder);
  return {entries.size(), sum(entries)};
}

uint64_t PackedCache::limit() const {
  fs::path folder = settings_.folder;  // or what it will be made in
  std::error_code ignored;
  while (!fs::exists(folder, ignored) && folder.has_relative_path()) folder = folder.parent_path();
  return limit_for(settings_, disk_of(folder), sum(entries_in(settings_.folder)));
}

PackedDraft::~PackedDraft() {
  if (fd_ >= 0) ::close(fd_);
}

bool PackedDraft::write(uint64_t offset, std::span<const std::byte> panels) {
  return write_at(fd_, begin_ + offset, panels.data(), panels.size());
}

std::shared_ptr<const std::byte> PackedDraft::map() const {
  return map_panels(fd_, begin_, bytes_);
}

void PackedDraft::publish() {
  if (::fsync(fd_) != 0) return;
  const std::string self = fmt::format("/proc/self/fd/{}", fd_);
  ::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW);
}

}  // namespace minnow
