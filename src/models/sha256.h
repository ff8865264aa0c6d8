// SHA-256 of files: what receipts and manifests name them by.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

namespace minnow {

struct Sha256 {
  std::array<uint8_t, 32> bytes{};

  std::string hex() const;  // 64 lower-case digits
  bool operator==(const Sha256&) const = default;
};

// Throws kNotFound and kIo. Reads in pieces: files may be larger than memory.
Sha256 sha256_of_file(const std::filesystem::path& path);

}  // namespace minnow
