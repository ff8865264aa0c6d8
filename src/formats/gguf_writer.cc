// Writes GGUF v3: header, metadata, tensor descriptions, then the tensors one after the other.
#include <span>
#include <string>
#include <type_traits>

#include "base/checked.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "formats/gguf.h"
#include "formats/gguf_i2_s.h"
#include "formats/gguf_layout.h"
#include "formats/quote_name.h"

namespace minnow {
namespace {

template <typename T>
constexpr gguf::ValueType value_type() {
  if constexpr (std::is_same_v<T, uint8_t>) return gguf::kUint8;
  if constexpr (std::is_same_v<T, int8_t>) return gguf::kInt8;
  if constexpr (std::is_same_v<T, uint16_t>) return gguf::kUint16;
  if constexpr (std::is_same_v<T, int16_t>) return gguf::kInt16;
  if constexpr (std::is_same_v<T, uint32_t>) return gguf::kUint32;
  if constexpr (std::is_same_v<T, int32_t>) return gguf::kInt32;
  if constexpr (std::is_same_v<T, float>) return gguf::kFloat32;
  if constexpr (std::is_same_v<T, bool>) return gguf::kBool;
  if constexpr (std::is_same_v<T, std::string>) return gguf::kString;
  if constexpr (std::is_same_v<T, uint64_t>) return gguf::kUint64;
  if constexpr (std::is_same_v<T, int64_t>) return gguf::kInt64;
  if constexpr (std::is_same_v<T, double>) return gguf::kFloat64;
}

// Appends values as they lie in the file.
class Bytes {
 public:
  template <typename T>
  requires std::is_arithmetic_v<T>
  void put(T value) { text_.append(reinterpret_cast<const char*>(&value), sizeof(T)); }
  void put(const std::string& text) {
    put<uint64_t>(text.size());
    text_ += text;
  }
  template <typename T>
  void put(const std::vector<T>& values) {
    put<uint32_t>(value_type<T>());
    put<uint64_t>(values.size());
    for (const T& v : values) put(v);
  }
  void put(const GgufBoolArray& bools) {
    put<uint32_t>(gguf::kBool);
    put<uint64_t>(bools.values.size());
    for (const uint8_t b : bools.values) put<uint8_t>(b != 0);
  }

  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void put_entry(Bytes& out, const GgufMetadata::Entry& entry) {
  out.put(entry.first);
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
          out.put<uint32_t>(value_type<T>());
        } else {
          out.put<uint32_t>(gguf::kArray);
        }
        out.put(value);
      },
      entry.second);
}

void check_metadata(const GgufMetadata& metadata, const std::string& target) {
  if (metadata.entries().size() > limits::kMaxMetadataEntries) {
    fail(ErrorCode::kInvalidInput, "{}: {} metadata entries, at most {} are allowed", target,
         metadata.entries().size(), limits::kMaxMetadataEntries);
  }
  for (const auto& [key, value] : metadata.entries()) {
    if (key.empty() || key.size() > limits::kMaxKeyBytes || !is_valid_utf8(key)) {
      fail(ErrorCode::kInvalidInput, "{}: {} cannot be a metadata key", target, quote_name(key));
    }
  }
}

// GGUF has them. Only the file type tells a reader what the id of I2_S means.
void check_types(const GgufMetadata& metadata, const std::vector<TensorSource>& sources, const std::string& target) {
  for (const TensorSource& source : sources) {
    if (!is_in_gguf(source.dtype)) {
      fail(ErrorCode::kUnsupported, "{}: tensor {} is {}, which GGUF files do not have", target, quote_name(source.name), name(source.dtype));
    }
    if (source.dtype == DType::kI2_S && !gguf::holds_i2_s(metadata)) {
      fail(ErrorCode::kInvalidInput, "{}: tensor {} is I2_S, which only a file of that type can hold (general.file_type {})",
           target, quote_name(source.name), gguf::kI2SFileType);
    }
  }
}

std::string header(const GgufMetadata& metadata, const std::vector<TensorSource>& sources,
                   uint64_t alignment) {
  Bytes out;
  for (const char c : gguf::kMagic) out.put(c);
  out.put<uint32_t>(3);
  out.put<uint64_t>(sources.size());
  out.put<uint64_t>(metadata.entries().size());
  for (const auto& entry : metadata.entries()) put_entry(out, entry);
  Checked offset = 0;
  for (const TensorSource& source : sources) {
    out.put(source.name);
    out.put<uint32_t>(source.shape.rank());
    for (int i = source.shape.rank() - 1; i >= 0; --i) out.put<uint64_t>(source.shape[i]);
    out.put<uint32_t>(source.dtype == DType::kI2_S ? gguf::kI2SId : info(source.dtype).gguf_id);
    out.put<uint64_t>(offset.value());
    offset = (offset + gguf_tensor_bytes(source.dtype, source.shape)).aligned(alignment);
  }
  if (!offset.ok()) fail(ErrorCode::kInvalidInput, "the tensors of the model take more than 2^64 bytes");
  return out.text();
}

}  // namespace

void GgufWriter::add(std::string name, const Tensor& tensor) {
  TensorSource source = tensor_source(std::move(name), tensor);
  add(std::move(source.name), source.dtype, source.shape, std::move(source.produce));
}

void GgufWriter::add(std::string name, DType dtype, const Shape& shape,
                     std::function<void(const Sink&)> produce) {
  const Shape written = shape.rank() == 0 ? Shape{1} : shape;
  if (written.elements() == 0) {
    fail(ErrorCode::kInvalidInput, "tensor {} of shape {} is empty, which GGUF cannot hold", quote_name(name),
         shape.text());
  }
  sources_.push_back({std::move(name), dtype, written, std::move(produce)});
}

uint64_t GgufWriter::data_bytes() const {
  uint64_t sum = 0;
  for (const TensorSource& source : sources_) sum += gguf_tensor_bytes(source.dtype, source.shape);
  return sum;
}

void GgufWriter::write(const std::filesystem::path& path,
                       const std::function<void(uint64_t)>& progress) const {
  const std::string target = path.string();
  check_metadata(metadata_, target);
  check_sources(sources_, target);
  check_types(metadata_, sources_, target);
  const uint64_t alignment = gguf::alignment(metadata_);
  AtomicFile file(path);
  file.write(header(metadata_, sources_, alignment));
  file.pad_to(alignment);
  uint64_t done = 0;
  for (const TensorSource& source : sources_) {
    const Sink write = [&](std::span<const std::byte> piece) {
      file.write(piece);
      done += piece.size();
      if (progress) progress(done);
    };
    if (source.dtype == DType::kI2_S) {
      gguf::I2sFileForm form(write);
      produce_all(source, [&](std::span<const std::byte> piece) { form.take(piece); });
      form.finish();
    } else {
      produce_all(source, write);
    }
    file.pad_to(alignment);
  }
  file.commit();
}

}  // namespace minnow
