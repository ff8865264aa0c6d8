#include "text/jinja/arena.h"

#include <algorithm>

#include "base/error.h"

namespace minnow::jinja {
namespace {

constexpr uint64_t kFirstChunk = 16 << 10;
constexpr uint64_t kLargestChunk = 1 << 20;

}  // namespace

void* Arena::allocate(uint64_t bytes, std::size_t alignment) {
  const auto address = reinterpret_cast<uintptr_t>(next_);
  const uint64_t padding = (alignment - address % alignment) % alignment;
  if (next_ == nullptr || static_cast<uint64_t>(end_ - next_) < padding + bytes) {
    if (bytes > limit_ || total_ + bytes > limit_) {
      fail(ErrorCode::kLimit, "chat template: needs more than {} MB of memory", limit_ >> 20);
    }
    const uint64_t usual = std::min(kLargestChunk, kFirstChunk << std::min<std::size_t>(chunks_.size(), 16));
    const uint64_t size = std::max(bytes, std::min(usual, limit_ - total_));
    chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
    total_ += size;
    next_ = chunks_.back().get();  // operator new aligns for every type that is kept here
    end_ = next_ + size;
    next_ += bytes;
    return chunks_.back().get();
  }
  std::byte* start = next_ + padding;
  next_ = start + bytes;
  return start;
}

}  // namespace minnow::jinja
