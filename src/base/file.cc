#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace minnow {
namespace {

constexpr std::size_t kWriteBuffer = 1 << 20;

[[noreturn]] void fail_io(std::string_view action, const std::filesystem::path& path) {
  const int error = errno;
  fail(error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{}: cannot {}: {}", path.string(), action,
       std::strerror(error));
}

class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ < 0) fail_io("open", path);
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

  FileIdentity regular_file(const std::filesystem::path& path) const {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) fail_io("inspect", path);
    if (!S_ISREG(info.st_mode)) fail(ErrorCode::kIo, "{}: not a regular file", path.string());
    const auto nanoseconds = [](const timespec& t) { return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; };
    return {static_cast<uint64_t>(info.st_size), nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
  }

 private:
  int fd_;
};

// The whole pages inside a range of memory.
std::span<std::byte> inner_pages(std::span<const std::byte> part) {
  static const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) & ~(page - 1);
  const auto end = (reinterpret_cast<uintptr_t>(part.data()) + part.size()) & ~(page - 1);
  if (end <= begin) return {};
  return {reinterpret_cast<std::byte*>(begin), end - begin};
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const Descriptor file(path);
  std::shared_ptr<MappedFile> mapped(new MappedFile, Unmap{});
  mapped->path_ = path;
  mapped->identity_ = file.regular_file(path);
  mapped->size_ = mapped->identity_.size;
  if (mapped->size_ > 0) {
    void* data = ::mmap(nullptr, mapped->size_, PROT_READ, MAP_SHARED, file.get(), 0);
    if (data == MAP_FAILED) fail_io("map", path);
    mapped->data_ = static_cast<const std::byte*>(data);
    mapped->guard_.emplace(mapped->bytes());
  }
  return mapped;
}

void MappedFile::check_whole() const {
  if (!is_damaged()) return;
  throw Error(ErrorCode::kIo, path_.filename().string() + ": became shorter while it was in use", "put it back, or replace files by renaming");
}

MappedFile::~MappedFile() {
  guard_.reset();
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::will_need(std::span<const std::byte> part) {
  const auto pages = inner_pages(part);
  if (!pages.empty()) ::madvise(pages.data(), pages.size(), MADV_WILLNEED);
}

void MappedFile::release(std::span<const std::byte> part) {
  const auto pages = inner_pages(part);
  if (!pages.empty()) ::madvise(pages.data(), pages.size(), MADV_DONTNEED);
}

const MappedFile* MappedFile::owned_by(const std::shared_ptr<const void>& owner) {
  return std::get_deleter<Unmap>(owner) == nullptr ? nullptr : static_cast<const MappedFile*>(owner.get());
}

void populate_pages(std::span<const std::byte> part) {
#ifdef MADV_POPULATE_READ
  const auto pages = inner_pages(part);
  if (!pages.empty()) ::madvise(pages.data(), pages.size(), MADV_POPULATE_READ);
#endif
}

std::string read_text_file(const std::filesystem::path& path, uint64_t max_bytes) {
  const Descriptor file(path);
  const uint64_t size = file.regular_file(path).size;
  if (size > max_bytes) {
    fail(ErrorCode::kLimit, "{}: {} bytes, more than the {} allowed for such a file", path.string(), size,
         max_bytes);
  }
  std::string text(size, '\0');
  uint64_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(file.get(), text.data() + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_io("read", path);
    if (n == 0) break;
    done += static_cast<uint64_t>(n);
  }
  text.resize(done);
  return text;
}

AtomicFile::AtomicFile(std::filesystem::path path, unsigned mode) : path_(std::move(path)) {
  // Renaming over a device would replace it: as root, an output of /dev/null would cost the machine its
  // /dev/null.
  struct stat existing {};
  if (::stat(path_.c_str(), &existing) == 0 && !S_ISREG(existing.st_mode)) {
    fail(ErrorCode::kIo, "{}: exists and is not a regular file; choose another name for the output",
         path_.string());
  }
  buffer_.reserve(kWriteBuffer);
  std::string pattern = path_.string() + ".XXXXXX";
  fd_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (fd_ < 0) fail_io("create", path_);
  temporary_ = pattern;
  ::fchmod(fd_, mode);
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) {
    ::close(fd_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), kWriteBuffer - buffer_.size());
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), n);
    bytes = bytes.subspan(n);
    if (buffer_.size() == kWriteBuffer) flush();
  }
}

void AtomicFile::pad_to(uint64_t alignment) {
  static constexpr std::byte kZeros[64] = {};
  while (size_ % alignment != 0) {
    write(std::span(kZeros).first(std::min<uint64_t>(sizeof(kZeros), alignment - size_ % alignment)));
  }
}

void AtomicFile::flush() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t n = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_io("write", path_);
    done += static_cast<std::size_t>(n);
  }
  buffer_.clear();
}

void AtomicFile::commit() {
  if (MapGuard::n_damaged_now() > 0) fail(ErrorCode::kIo, "{}: not written: a file that was read became shorter while it was in use", path_.string());
  flush();
  if (::fsync(fd_) != 0) fail_io("sync", path_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_io("rename into place", path_);
  ::close(fd_);
  fd_ = -1;
  const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  const int folder_fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd >= 0) {
    ::fsync(folder_fd);
    ::close(folder_fd);
  }
}

}  // namespace minnow
