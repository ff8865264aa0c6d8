// One file of a GGUF model, alone or a part of a split one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/gguf.h"

namespace minnow::gguf {

struct Part {
  uint32_t version = 3;
  GgufMetadata metadata;
  std::vector<NamedTensor> tensors;  // views on the bytes (I2_S: copies); names may still repeat
};

// Checks all that GgufFile promises but the uniqueness of tensor names. `source` begins every error; `owner`
// keeps the bytes alive and may be empty. `first` has the metadata of the first part, which tell what the types of a later
// one mean; nullptr for the first.
Part read_part(std::span<const std::byte> bytes, const std::string& source,
               std::shared_ptr<const void> owner, const GgufMetadata* first = nullptr);

}  // namespace minnow::gguf
