#include "base/page_memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "base/error.h"

namespace minnow {
namespace {

// A number in a file of one word; `fallback` when it is absent or "max".
uint64_t number_in(const char* path, uint64_t fallback) {
  std::ifstream file(path);
  uint64_t value = 0;
  return file >> value ? value : fallback;
}

}  // namespace

uint64_t available_memory() {
  uint64_t available = UINT64_MAX;
  std::ifstream info("/proc/meminfo");
  for (std::string key, unit; info >> key;) {
    uint64_t kib = 0;
    info >> kib;
    std::getline(info, unit);
    if (key == "MemAvailable:") available = kib * 1024;
  }
  const uint64_t limit = number_in("/sys/fs/cgroup/memory.max", UINT64_MAX);
  if (limit != UINT64_MAX) {
    const uint64_t used = number_in("/sys/fs/cgroup/memory.current", 0);
    available = std::min(available, limit > used ? limit - used : 0);
  }
  return available;
}

uint64_t peak_resident_memory() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

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
