// Files that become shorter while they are mapped. The kernel answers what is touched beyond their end with SIGBUS, which would end
// the process for the fault of one file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace minnow {

// Guards one mapping while it lives: what its file has lost reads as zeros, and is_damaged() says so from then on. Whoever computes
// with such bytes has to look before he believes the result. The first guard installs the handler of SIGBUS for good; faults outside
// of guarded mappings go to the handler of before, or end the process as ever.
class MapGuard {
 public:
  // What mmap gave, read-only. More mappings than kMost at the same time are left unguarded.
  explicit MapGuard(std::span<const std::byte> mapped);
  ~MapGuard();  // before the mapping goes
  MapGuard(const MapGuard&) = delete;
  MapGuard& operator=(const MapGuard&) = delete;

  bool is_damaged() const;
  // Mappings that lost a part since the process began; and those of them that are still there.
  static uint64_t n_damaged();
  static uint64_t n_damaged_now();

  static constexpr std::size_t kMost = 4096;

 private:
  struct Slot;
  struct Table;
  static Table& table();
  static void on_fault(int signal, void* info);
  static void install();
  Slot* slot_ = nullptr;  // null: unguarded
};

}  // namespace minnow
