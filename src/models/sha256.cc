#include "models/sha256.h"

#include <fmt/format.h>
#include <sodium.h>

#include <fstream>
#include <vector>

#include "base/error.h"

namespace minnow {

std::string Sha256::hex() const {
  std::string text;
  for (const uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

Sha256 sha256_of_file(const std::filesystem::path& path) {
  constexpr std::size_t kPiece = 1 << 20;
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(ErrorCode::kNotFound, "{}: cannot be read", path.string());
  crypto_hash_sha256_state state;
  crypto_hash_sha256_init(&state);
  std::vector<char> piece(kPiece);
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    crypto_hash_sha256_update(&state, reinterpret_cast<const unsigned char*>(piece.data()), static_cast<uint64_t>(file.gcount()));
  }
  if (file.bad()) fail(ErrorCode::kIo, "{}: reading failed", path.string());
  Sha256 digest;
  crypto_hash_sha256_final(&state, digest.bytes.data());
  return digest;
}

}  // namespace minnow
