#include "base/page_memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minnow {
namespace {

// A number in a file of one word; `fallback` when it is absent or "max".
uint64_t number_in(const char* path, uint64_t fallback) {
  std::ifstream file(path);
  uint64_t value = 0;
  return file >> value ? value : fallback;
}

// The value after `key` in a file of lines "key  number kB", in bytes; `fallback` when there is none.
uint64_t kibibytes_of(const char* path, std::string_view key, uint64_t fallback) {
  std::ifstream file(path);
  for (std::string word, rest; file >> word; std::getline(file, rest)) {
    uint64_t kib = 0;
    if (word == key && file >> kib) return kib * 1024;
  }
  return fallback;
}

}  // namespace

uint64_t available_memory() {
  uint64_t available = kibibytes_of("/proc/meminfo", "MemAvailable:", UINT64_MAX);
  const uint64_t limit = number_in("/sys/fs/cgroup/memory.max", UINT64_MAX);
  if (limit != UINT64_MAX) {
    const uint64_t used = number_in("/sys/fs/cgroup/memory.current", 0);
    available = std::min(available, limit > used ? limit - used : 0);
  }
  return available;
}

uint64_t total_memory() { return kibibytes_of("/proc/meminfo", "MemTotal:", 0); }

uint64_t peak_resident_memory() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return kibibytes_of("/proc/self/status", "VmHWM:", static_cast<uint64_t>(usage.ru_maxrss) * 1024);
}

void reset_peak_resident_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

std::shared_ptr<PageMemory> PageMemory::allocate(uint64_t bytes, const char* purpose) {
  const uint64_t available = available_memory();
  const auto refuse = [&] {
    fail(ErrorCode::kLimit, "{}: {:.1f} MB of memory are needed but only {:.1f} MB are available", purpose,
         static_cast<double>(bytes) / 1e6, static_cast<double>(available) / 1e6);
  };
  if (bytes > available) refuse();
  std::shared_ptr<PageMemory> memory(new PageMemory);
  memory->size_ = std::max<uint64_t>(bytes, 1);
  void* data = ::mmap(nullptr, memory->size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) refuse();
  ::madvise(data, memory->size_, MADV_HUGEPAGE);
  memory->data_ = static_cast<std::byte*>(data);
  return memory;
}

PageMemory::~PageMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace minnow
