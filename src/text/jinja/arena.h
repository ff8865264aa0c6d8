// The memory of one rendering: bounded, and given back all at once.
//
// A template can build values that hold each other in rings (lists in themselves, namespaces, closures of
// macros) or nest a million deep; with nothing to destroy one by one, neither leaks nor overruns the stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace minnow::jinja {

class Arena {
 public:
  explicit Arena(uint64_t limit) : limit_(limit) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Throws kLimit, before allocating, when all bytes handed out so far and these would exceed the limit.
  void* allocate(uint64_t bytes, std::size_t alignment);

  template <typename T, typename... Args>
  T* make(Args&&... args) {
    static_assert(std::is_trivially_destructible_v<T>, "an arena runs no destructors");
    return new (allocate(sizeof(T), alignof(T))) T{std::forward<Args>(args)...};
  }
  // Uninitialized room for n values.
  template <typename T>
  T* room(uint64_t n) {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
    return static_cast<T*>(allocate(n > limit_ ? limit_ + 1 : n * sizeof(T), alignof(T)));
  }
  // Takes back the end of the latest allocation; does nothing for an older one.
  void give_back(const void* end, uint64_t bytes) {
    if (end == next_) next_ -= bytes;
  }

 private:
  uint64_t limit_;
  uint64_t total_ = 0;
  std::byte* next_ = nullptr;
  std::byte* end_ = nullptr;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
};

// A growing array in an arena. Trivially copyable: copies share elements until one of them grows.
template <typename T>
class ArenaVector {
 public:
  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* begin() const { return data_; }
  T* end() const { return data_ + size_; }
  T& operator[](uint64_t i) const { return data_[i]; }
  T& back() const { return data_[size_ - 1]; }
  std::span<T> span() const { return {data_, size_}; }

  void reserve(Arena& arena, uint64_t n) {
    if (n <= capacity_) return;
    T* grown = arena.room<T>(n);
    for (uint32_t i = 0; i < size_; ++i) grown[i] = data_[i];
    data_ = grown;
    capacity_ = static_cast<uint32_t>(n);
  }
  void push_back(Arena& arena, T value) {
    if (size_ == capacity_) reserve(arena, capacity_ == 0 ? 4 : uint64_t{capacity_} * 2);
    data_[size_++] = value;
  }
  void insert(Arena& arena, uint32_t at, T value) {
    push_back(arena, value);
    for (uint32_t i = size_ - 1; i > at; --i) data_[i] = data_[i - 1];
    data_[at] = value;
  }
  void erase(uint32_t at) {
    for (uint32_t i = at; i + 1 < size_; ++i) data_[i] = data_[i + 1];
    --size_;
  }
  void clear() { size_ = 0; }

 private:
  T* data_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
};

}  // namespace minnow::jinja
