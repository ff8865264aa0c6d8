#include "base/map_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

namespace minnow {
namespace {

constexpr uintptr_t kFree = 0, kTaken = 1;  // no mapping begins there

}  // namespace

struct MapGuard::Slot {
  std::atomic<uintptr_t> begin = kFree, end = 0;  // whole pages
  std::atomic<bool> damaged = false;

  // Of a mapping that is there all the while. One that comes or goes meanwhile cannot hold the address.
  bool holds(uintptr_t address) const {
    const uintptr_t first = begin.load();
    if (first <= kTaken || address < first || address >= end.load()) return false;
    return begin.load() == first;
  }
};

// What a signal handler may look into: made before the program begins, changed by atomic stores alone.
struct MapGuard::Table {
  std::array<Slot, kMost> slots;
  std::atomic<uint64_t> n_damaged = 0, n_damaged_now = 0;
  std::atomic<uintptr_t> page_bytes = 0;
  struct sigaction before {};

  // Puts zeros in the place of everything from the fault on. False: it is in no mapping of ours, or there is no memory.
  bool cover(uintptr_t address) {
    for (Slot& slot : slots) {
      if (!slot.holds(address)) continue;
      const uintptr_t first = address & ~(page_bytes.load() - 1), bytes = slot.end.load() - first;
      // The flag first: whoever reads zeros finds it set.
      if (!slot.damaged.exchange(true)) {
        ++n_damaged;
        ++n_damaged_now;
      }
      void* const at = reinterpret_cast<void*>(first);
      return ::mmap(at, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == at;
    }
    return false;
  }
};

MapGuard::Table& MapGuard::table() {
  static constinit Table all{};
  return all;
}

// Async-signal-safe: atomics and system calls only.
void MapGuard::on_fault(int signal, void* info) {
  const int error = errno;
  const auto& fault = *static_cast<const siginfo_t*>(info);
  const bool is_of_memory = fault.si_code == BUS_ADRERR;
  if (!is_of_memory || !table().cover(reinterpret_cast<uintptr_t>(fault.si_addr))) {
    // The instruction faults again under the action of before; a signal that somebody sent is sent again.
    ::sigaction(SIGBUS, &table().before, nullptr);
    if (fault.si_code <= 0) ::raise(signal);
  }
  errno = error;
}

void MapGuard::install() {
  table().page_bytes = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction action {};
  action.sa_sigaction = [](int signal, siginfo_t* info, void*) { on_fault(signal, info); };
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, &table().before);
}

MapGuard::MapGuard(std::span<const std::byte> mapped) {
  static const bool installed = (install(), true);
  if (!installed || mapped.empty()) return;
  for (Slot& slot : table().slots) {
    uintptr_t expected = kFree;
    if (!slot.begin.compare_exchange_strong(expected, kTaken)) continue;
    const auto begin = reinterpret_cast<uintptr_t>(mapped.data());
    slot.damaged = false;
    const uintptr_t page = table().page_bytes;
    slot.end = (begin + mapped.size() + page - 1) & ~(page - 1);
    slot.begin = begin;
    slot_ = &slot;
    return;
  }
}

MapGuard::~MapGuard() {
  if (slot_ == nullptr) return;
  if (slot_->damaged) --table().n_damaged_now;
  slot_->begin = kFree;
}

bool MapGuard::is_damaged() const { return slot_ != nullptr && slot_->damaged.load(std::memory_order_acquire); }
uint64_t MapGuard::n_damaged() { return table().n_damaged; }
uint64_t MapGuard::n_damaged_now() { return table().n_damaged_now; }

}  // namespace minnow
