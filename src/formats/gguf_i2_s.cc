#include "formats/gguf_i2_s.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "tensor/blocks.h"

namespace minnow::gguf {
namespace {

constexpr std::size_t kCodeBytes = sizeof(BlockI2_S::qs);
constexpr std::size_t kScaleBytes = 32;
constexpr uint64_t kTl1FileType = 38, kTl2FileType = 39;

uint64_t integer_or_0(const GgufMetadata& metadata, const char* key) { return metadata.integer(key, 0, 0, UINT64_MAX); }

}  // namespace

bool holds_i2_s(const GgufMetadata& metadata) { return integer_or_0(metadata, "general.file_type") == kI2SFileType; }

bool has_fork_ids(const GgufMetadata& metadata) {
  const uint64_t type = integer_or_0(metadata, "general.file_type");
  const std::string architecture = metadata.text("general.architecture", "");
  const bool bitnet = architecture == "bitnet" || architecture == "bitnet-b1.58" || architecture == "bitnet-25";
  return bitnet && (type == kI2SFileType || type == kTl1FileType || type == kTl2FileType);
}

const char* fork_type_name(uint32_t id) {
  switch (id) {
    case 37: return "I8_S";
    case 38: return "TL1";
    case 39: return "TL2";
    default: return nullptr;
  }
}

Tensor i2_s_from_file(std::span<const std::byte> bytes, const Shape& shape) {
  std::byte* data = nullptr;
  Tensor tensor = Tensor::allocate(DType::kI2_S, shape, &data);
  const std::size_t n_blocks = static_cast<std::size_t>(shape.elements()) / BlockI2_S::kSize;
  BlockI2_S block;
  std::memcpy(&block.d, bytes.data() + n_blocks * kCodeBytes, sizeof(block.d));
  for (std::size_t i = 0; i < n_blocks; ++i) {
    std::memcpy(block.qs, bytes.data() + i * kCodeBytes, kCodeBytes);
    std::memcpy(data + i * sizeof(block), &block, sizeof(block));
  }
  return tensor;
}

void I2sFileForm::take_block(const std::byte* bytes) {
  BlockI2_S block;
  std::memcpy(&block, bytes, sizeof(block));
  if (!scale_) scale_ = block.d;
  if (std::bit_cast<uint32_t>(*scale_) != std::bit_cast<uint32_t>(block.d)) {
    fail(ErrorCode::kInternal, "an I2_S tensor with more than one scale");
  }
  const auto* codes = reinterpret_cast<const std::byte*>(block.qs);
  codes_.insert(codes_.end(), codes, codes + kCodeBytes);
}

void I2sFileForm::take(std::span<const std::byte> piece) {
  constexpr std::size_t kSize = sizeof(BlockI2_S);
  if (!rest_.empty()) {
    const std::size_t missing = std::min(kSize - rest_.size(), piece.size());
    rest_.insert(rest_.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(missing));
    piece = piece.subspan(missing);
    if (rest_.size() < kSize) return;
    take_block(rest_.data());
    rest_.clear();
  }
  for (; piece.size() >= kSize; piece = piece.subspan(kSize)) take_block(piece.data());
  rest_.assign(piece.begin(), piece.end());
  sink_(codes_);
  codes_.clear();
}

void I2sFileForm::finish() {
  float scales[kScaleBytes / sizeof(float)];
  std::fill(std::begin(scales), std::end(scales), scale_.value_or(0));
  sink_(codes_);
  sink_(std::as_bytes(std::span(scales)));
}

}  // namespace minnow::gguf

namespace minnow {

uint64_t gguf_tensor_bytes(DType dtype, const Shape& shape) {
  if (dtype == DType::kI2_S) return static_cast<uint64_t>(shape.elements()) / 4 + gguf::kScaleBytes;
  return static_cast<uint64_t>(shape.rows()) * row_bytes(dtype, shape.last());
}

}  // namespace minnow
