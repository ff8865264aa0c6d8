// The bytes of GGUF, shared by its reader and its writer.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "formats/gguf.h"

namespace minnow::gguf {

static_assert(std::endian::native == std::endian::little, "values are copied as they lie in the file");

inline constexpr std::string_view kMagic = "GGUF";
inline constexpr uint32_t kDefaultAlignment = 32;
inline constexpr std::string_view kAlignmentKey = "general.alignment";

// gguf_metadata_value_type
enum ValueType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

// The fewest bytes that one of these can take in a file; a count is refused when so many cannot be left.
inline constexpr uint64_t kMinEntryBytes = 8 + 1 + 4 + 1;  // key length, key, type, value
inline constexpr uint64_t kMinTensorBytes =
    8 + 1 + 4 + 8 + 4 + 8;                      // name length, name, rank, dimension, type, offset
inline constexpr uint64_t kMinStringBytes = 8;  // length

// general.alignment of the metadata, or the default. Throws kInvalidInput unless it is a u32 and a power of
// two from 8 to limits::kMaxAlignment.
uint64_t alignment(const GgufMetadata& metadata);

}  // namespace minnow::gguf
