// GGUF v2 and v3: reading (mapped, split files too) and writing. Specification: ggml's docs/gguf.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "formats/named_tensor.h"
#include "tensor/tensor.h"

namespace minnow {

// A metadata value. Integers keep their width so that a file can be written back as it was.
// Arrays of numbers and strings are typed vectors (bool arrays as uint8_t in GgufBoolArray); arrays of arrays
// are refused by the reader as kUnsupported.
struct GgufBoolArray {
  std::vector<uint8_t> values;
  friend bool operator==(const GgufBoolArray&, const GgufBoolArray&) = default;
};
using GgufValue =
    std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool, std::string, uint64_t,
                 int64_t, double, std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>,
                 std::vector<int16_t>, std::vector<uint32_t>, std::vector<int32_t>, std::vector<float>,
                 GgufBoolArray, std::vector<std::string>, std::vector<uint64_t>, std::vector<int64_t>,
                 std::vector<double>>;

// Key-value pairs in file order, keys unique. Typed getters convert between integer widths when the value
// fits, and throw kInvalidInput naming the source and the key when the type or range is wrong.
class GgufMetadata {
 public:
  using Entry = std::pair<std::string, GgufValue>;

  explicit GgufMetadata(std::string source = {}) : source_(std::move(source)) {}
  // Throws kInvalidInput when a key occurs twice.
  GgufMetadata(std::string source, std::vector<Entry> entries);

  const std::string& source() const { return source_; }
  const std::vector<Entry>& entries() const { return entries_; }
  const GgufValue* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }

  // Optional fields: absent gives `fallback`.
  uint64_t integer(std::string_view key, uint64_t fallback, uint64_t lo, uint64_t hi) const;
  double number(std::string_view key,
                double fallback) const;  // also takes integers; refuses NaN and infinity
  bool boolean(std::string_view key, bool fallback) const;
  std::string text(std::string_view key, const std::string& fallback) const;
  // Required fields: absent throws kInvalidInput ("<source>: metadata key … is missing").
  uint64_t require_integer(std::string_view key, uint64_t lo, uint64_t hi) const;
  std::string require_text(std::string_view key) const;
  // Arrays: nullptr when absent; wrong element type throws.
  const std::vector<std::string>* strings(std::string_view key) const;
  const std::vector<float>* floats(std::string_view key) const;
  // Any integer element type, converted; an element outside [lo, hi] throws. Empty when absent.
  std::vector<int64_t> integers(std::string_view key, int64_t lo, int64_t hi) const;

  // Adds or replaces.
  void set(std::string key, GgufValue value);
  void erase(std::string_view key);

 private:
  std::string source_;
  std::vector<Entry> entries_;
};

// Bytes that a tensor takes in a file; the shape has been through checked_tensor_bytes. Only I2_S takes others in memory.
uint64_t gguf_tensor_bytes(DType dtype, const Shape& shape);

// The tensor is a view on the mapped file; one of type I2_S a copy, with its scale beside the codes.
using GgufTensor = NamedTensor;

// A GGUF model. The first part of a split model (metadata split.count = N, file named *-00001-of-0000N.gguf)
// opens all parts and joins their tensors; the metadata is then that of the first part without its split.*
// keys. The constructor function checks everything that the format promises: counts against the bytes that
// are there, unique names, alignment, known types, each tensor inside the file and none overlapping. Values
// of weights are not looked at. Errors are kInvalidInput, kUnsupported (tensor types minnow does not read,
// GGUF v1, big-endian) or kIo.
class GgufFile {
 public:
  static GgufFile open(const std::filesystem::path& path);
  // For fuzzing and tests: one unsplit file in memory. The bytes must outlive the result.
  static GgufFile parse(std::span<const std::byte> bytes, const std::string& name);

  uint32_t version() const { return version_; }
  const GgufMetadata& metadata() const { return metadata_; }
  GgufMetadata take_metadata() && { return std::move(metadata_); }
  const std::vector<GgufTensor>& tensors() const { return tensors_.all(); }
  // nullptr when absent.
  const Tensor* find(std::string_view name) const { return tensors_.find(name); }
  // Bytes of all files together.
  uint64_t file_bytes() const { return file_bytes_; }

 private:
  uint32_t version_ = 3;
  GgufMetadata metadata_;
  TensorList tensors_;
  uint64_t file_bytes_ = 0;
};

// True when the file can be opened and begins with the GGUF magic. Never throws on what the file holds.
bool looks_like_gguf(const std::filesystem::path& path);

// Collects metadata and tensor descriptions, then writes a v3 file that is whole or absent. general.alignment
// of the metadata is obeyed (32 when absent). Scalars are written as one-dimensional tensors of one element.
class GgufWriter {
 public:
  explicit GgufWriter(GgufMetadata metadata) : metadata_(std::move(metadata)) {}

  // Writes the tensor's bytes as they are (I2_S: in the form of the file, which must have general.file_type 40).
  void add(std::string name, const Tensor& tensor);
  // Bytes are made while writing (see TensorSource), in the order of these calls.
  using Sink = ByteSink;
  void add(std::string name, DType dtype, const Shape& shape, std::function<void(const Sink&)> produce);

  // Bytes of all tensors in the file, without padding.
  uint64_t data_bytes() const;
  // `progress` (may be empty) is called with the tensor bytes written so far. Throws kInvalidInput for names,
  // keys or shapes that the reader would refuse, kIo, and kInternal when a producer's size is off.
  void write(const std::filesystem::path& path, const std::function<void(uint64_t)>& progress = {}) const;

 private:
  GgufMetadata metadata_;
  std::vector<TensorSource> sources_;
};

}  // namespace minnow
