// Large blocks straight from the kernel: zeroed, resident only where touched, in huge pages where possible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace minnow {

class PageMemory {
 public:
  // Throws kLimit, saying how much was wanted, when the kernel refuses or when `bytes` is more than this machine has
  // available. `purpose` ("KV cache") is named in the error.
  static std::shared_ptr<PageMemory> allocate(uint64_t bytes, const char* purpose);
  ~PageMemory();
  PageMemory(const PageMemory&) = delete;
  PageMemory& operator=(const PageMemory&) = delete;

  std::byte* data() { return data_; }
  uint64_t size() const { return size_; }

 private:
  PageMemory() = default;
  std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

// Memory that could be had now without swapping, in bytes: the kernel's estimate, or what the cgroup leaves.
uint64_t available_memory();
// Memory of the machine in bytes; 0 when not known.
uint64_t total_memory();
// Largest resident set of this process, in bytes, since its start or the last reset_peak_resident_memory().
uint64_t peak_resident_memory();
// Counts anew from what is resident now, where the system lets it (Linux, /proc); otherwise nothing changes.
void reset_peak_resident_memory();

}  // namespace minnow
