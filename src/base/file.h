// Files: read-only maps, bounded reads, and writes that are whole or absent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/map_guard.h"

namespace minnow {

// What changes when a file does: its size, and when its contents and its inode were last changed, in nanoseconds since 1970.
struct FileIdentity {
  uint64_t size = 0;
  int64_t modified = 0, changed = 0;
  bool operator==(const FileIdentity&) const = default;
};

// A whole file mapped read-only. Shared owners keep the map alive (tensors hold one).
class MappedFile {
 public:
  // Throws kNotFound, or kIo when it is not a regular file or cannot be mapped. An empty file maps to no
  // bytes.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }
  // As it was when the file was opened.
  const FileIdentity& identity() const { return identity_; }
  // Whether a part was touched that the file does not have any more, and read as zeros: what was made of it is wrong.
  bool is_damaged() const { return guard_ && guard_->is_damaged(); }
  // Throws kIo when it is. Names the file without its folder.
  void check_whole() const;

  // Tells the kernel that these bytes (a part of bytes()) will be read soon and in order.
  static void will_need(std::span<const std::byte> part);
  // Drops the pages wholly inside `part` from this process's memory; they are read again when touched.
  static void release(std::span<const std::byte> part);
  // Whether what this pointer keeps alive is a mapped file. Memory of any other kind must not be released: an
  // anonymous page comes back as zeros.
  static bool is_owner(const std::shared_ptr<const void>& owner) { return owned_by(owner) != nullptr; }
  // That file; nullptr when it is anything else.
  static const MappedFile* owned_by(const std::shared_ptr<const void>& owner);

 private:
  struct Unmap {
    void operator()(const MappedFile* file) const { delete file; }
  };
  MappedFile() = default;
  std::filesystem::path path_;
  FileIdentity identity_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::optional<MapGuard> guard_;
};

// Brings all of a mapping's pages into this process at once, which costs a fraction of what faults one by one do. What
// cannot be had yet comes when it is touched.
void populate_pages(std::span<const std::byte> part);

// The whole file as text. Throws kNotFound, kIo, or kLimit when it is longer than max_bytes.
std::string read_text_file(const std::filesystem::path& path, uint64_t max_bytes);

// A file that becomes visible under its name only when commit() succeeds: written aside, synced, renamed.
// Destroyed without commit(), it leaves nothing behind and an older file of that name untouched.
class AtomicFile {
 public:
  // Throws kNotFound when the folder does not exist, kIo when something other than a regular file has that
  // name or the folder cannot be written to. The other members throw kIo, commit() also
  // while a mapped file is damaged: what is written may be made of it. `mode` is that of the file, at no moment wider.
  explicit AtomicFile(std::filesystem::path path, unsigned mode = 0644);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  // Appends zero bytes until size() is a multiple of alignment.
  void pad_to(uint64_t alignment);
  uint64_t size() const { return size_; }
  void commit();

 private:
  void flush();
  std::filesystem::path path_, temporary_;
  int fd_ = -1;
  uint64_t size_ = 0;
  std::string buffer_;
};

}  // namespace minnow
