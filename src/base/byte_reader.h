// Bounds-checked reading of little-endian values from bytes that nobody vouches for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/error.h"

namespace minnow {

class ByteReader {
 public:
  // `name` (usually the path) appears in every error.
  ByteReader(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}

  uint64_t offset() const { return offset_; }
  uint64_t remaining() const { return bytes_.size() - offset_; }
  const std::string& name() const { return name_; }

  // Reads an arithmetic value; throws kInvalidInput at the end of the bytes. A bool is true for any byte but
  // 0.
  template <typename T>
  requires std::is_arithmetic_v<T> T read() {
    if constexpr (std::is_same_v<T, bool>) return read<uint8_t>() != 0;
    need(sizeof(T), "value");
    T value;
    std::memcpy(&value, bytes_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return value;
  }

  // The next n values. Nothing is allocated before their bytes are known to be there.
  template <typename T>
    requires std::is_arithmetic_v<T>
  std::vector<T> read_array(uint64_t n, std::string_view what = "array") {
    if (n > remaining() / sizeof(T)) {
      fail(ErrorCode::kInvalidInput, "{}: truncated: {} of {} elements of {} bytes at offset {} but only {} bytes remain",
           name_, what, n, sizeof(T), offset_, remaining());
    }
    std::vector<T> values(n);
    if (n > 0) std::memcpy(values.data(), bytes_.data() + offset_, n * sizeof(T));
    offset_ += n * sizeof(T);
    return values;
  }

  // A view of the next n bytes, which live as long as the span given to the constructor.
  std::span<const std::byte> take(uint64_t n, std::string_view what = "bytes") {
    need(n, what);
    auto view = bytes_.subspan(offset_, n);
    offset_ += n;
    return view;
  }

  std::string_view take_text(uint64_t n, std::string_view what = "text") {
    auto view = take(n, what);
    return {reinterpret_cast<const char*>(view.data()), view.size()};
  }

  // Throws kInvalidInput unless n more bytes are there.
  void need(uint64_t n, std::string_view what) const {
    if (n > remaining()) {
      fail(ErrorCode::kInvalidInput, "{}: truncated: {} of {} bytes at offset {} but only {} bytes remain",
           name_, what, n, offset_, remaining());
    }
  }

 private:
  std::span<const std::byte> bytes_;
  std::string name_;
  uint64_t offset_ = 0;
};

}  // namespace minnow
