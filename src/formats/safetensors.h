// safetensors: reading (mapped, one file or a sharded folder) and writing.
// Specification: the README of huggingface/safetensors. A u64 header length, a JSON header, then the tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/named_tensor.h"
#include "tensor/tensor.h"

namespace minnow {

// The tensors of one file or of all shards of a folder, as views on the mapped files.
//
// Checked: header length against the file and limits::kMaxSafetensorsHeader, the JSON's exact form, no name
// twice, and the data covered by the tensors without hole, overlap or rest. Values are not looked at. U8 and
// BOOL tensors are given as kI8, bytes as they are. A tensor whose data are not aligned to its elements (old
// files) is copied. Errors are kInvalidInput, kUnsupported (types without a DType, more than 4 dimensions),
// kLimit, kNotFound or kIo.
class Safetensors {
 public:
  using TextPairs = std::vector<std::pair<std::string, std::string>>;

  // A folder, or one file.
  static Safetensors open(const std::filesystem::path& path);
  // For fuzzing and tests: one file in memory. The bytes must outlive the result.
  static Safetensors parse(std::span<const std::byte> bytes, const std::string& name);

  // __metadata__ of the file, or of the first shard.
  const TextPairs& metadata() const { return metadata_; }
  // In file order, shard after shard.
  const std::vector<NamedTensor>& tensors() const { return tensors_.all(); }
  // nullptr when absent.
  const Tensor* find(std::string_view name) const { return tensors_.find(name); }
  // Bytes of all files together, the index not counted.
  uint64_t file_bytes() const { return file_bytes_; }

 private:
  static Safetensors open_file(const std::filesystem::path& path);
  static Safetensors open_folder(const std::filesystem::path& folder);
  static Safetensors open_sharded(const std::filesystem::path& index);

  TextPairs metadata_;
  TensorList tensors_;
  uint64_t file_bytes_ = 0;
};

// Collects descriptions of F32, F16 and BF16 tensors, then writes files that are each whole or absent. In
// each file F32 tensors come first, so that all data are aligned; otherwise the order is that of add().
class SafetensorsWriter {
 public:
  // Adds to __metadata__, which begins as {"format": "pt"}: Transformers wants to see that.
  void set_metadata(const std::string& key, std::string value);
  // Both throw kUnsupported for other dtypes.
  void add(std::string name, const Tensor& tensor);
  void add(std::string name, DType dtype, const Shape& shape, std::function<void(const ByteSink&)> produce);

  uint64_t data_bytes() const;

  // `progress` (may be empty) is called with the tensor bytes written so far. Throws kInvalidInput for names
  // or shapes that the reader would refuse, kIo, and kInternal when a producer's size is off.
  using Progress = std::function<void(uint64_t)>;
  void write_file(const std::filesystem::path& path, const Progress& progress = {}) const;
  // Writes model.safetensors, or, when the data are longer than max_shard_bytes,
  // model-00001-of-0000N.safetensors … and then model.safetensors.index.json. A tensor is never divided: one
  // longer than a shard has a shard of its own. A model that the folder held before under these names is gone
  // at the end, and no mixture of both is ever visible.
  void write_folder(const std::filesystem::path& folder, uint64_t max_shard_bytes,
                    const Progress& progress = {}) const;

 private:
  Safetensors::TextPairs metadata_ = {{"format", "pt"}};
  std::vector<TensorSource> sources_;
};

}  // namespace minnow
