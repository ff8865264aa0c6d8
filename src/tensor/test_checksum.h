// What tests of this room compare with: a checksum, and the input of the golden ones.
#pragma once

#include <cstdint>
#include <cstddef>
#include <vector>

namespace minnow {

// CRC-32 as in zlib, bit by bit.
template <typename T>
uint32_t crc32(const std::vector<T>& values) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
  uint32_t crc = ~0u;
  for (std::size_t i = 0; i < values.size() * sizeof(T); ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

// 4 rows of 256.
inline std::vector<float> golden_input() {
  std::vector<float> x(1024);
  for (int64_t i = 0; i < 1024; ++i) {
    x[static_cast<std::size_t>(i)] = static_cast<float>((31 * i * i + 17 * i + 7) % 211 - 105) / 64.0f;
  }
  return x;
}

}  // namespace minnow
