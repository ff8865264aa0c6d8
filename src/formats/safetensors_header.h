// The JSON parts of safetensors, read event by event so that memory stays within a small multiple of their
// length.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace minnow::safetensors {

struct HeaderEntry {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  uint64_t begin = 0, end = 0;  // offsets in the data
};

struct Header {
  std::vector<std::pair<std::string, std::string>> metadata;  // keys unique
  std::vector<HeaderEntry> tensors;                           // in file order; names may still repeat
};

// The header of one file. Each tensor's `end - begin` is what its type and shape say. Throws kInvalidInput,
// kUnsupported or kLimit, beginning with `source`.
Header parse_header(std::string_view json, const std::string& source);

struct IndexEntry {
  std::string tensor, file;
};

// The weight_map of a model.safetensors.index.json, sorted by tensor name. Files are plain names: no folders,
// nothing hidden. Throws kInvalidInput or kLimit, beginning with `source`.
std::vector<IndexEntry> parse_index(std::string_view json, const std::string& source);

}  // namespace minnow::safetensors
