// I2_S, the ternary type of bitnet.cpp, whose tensors lie in a file as no other type's do: the codes of the whole tensor,
// then one f32 scale, eight times over to fill 32 bytes. In memory each 128 codes have the scale beside them (BlockI2_S).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "formats/gguf.h"

namespace minnow::gguf {

// Ids of that fork mean other types elsewhere. Its general.file_type tells: 40 is I2_S, and llama.cpp, where 40 is Q1_0,
// gave id 36 up long before.
inline constexpr uint32_t kI2SId = 36;
inline constexpr uint64_t kI2SFileType = 40;

// Whether id 36 is I2_S in a file with these metadata.
bool holds_i2_s(const GgufMetadata& metadata);
// Whether ids 37 to 39 are those of the fork: of its architectures and of its file types. There 39 is TL2, not MXFP4.
bool has_fork_ids(const GgufMetadata& metadata);
// The fork's name of a type that only it has, none of which minnow reads; nullptr for other ids.
const char* fork_type_name(uint32_t id);

// From gguf_tensor_bytes() bytes to blocks in memory of its own.
Tensor i2_s_from_file(std::span<const std::byte> bytes, const Shape& shape);

// From blocks, in pieces of any size, to the form of the file.
class I2sFileForm {
 public:
  explicit I2sFileForm(const ByteSink& sink) : sink_(sink) {}
  // Throws kInternal when a block has another scale than the first.
  void take(std::span<const std::byte> piece);
  void finish();  // the scale

 private:
  void take_block(const std::byte* block);

  const ByteSink& sink_;
  std::vector<std::byte> rest_;   // of a block whose other bytes are still to come
  std::vector<std::byte> codes_;  // on their way out
  std::optional<float> scale_;
};

}  // namespace minnow::gguf
