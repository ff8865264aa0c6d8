// Reads one GGUF file. Every count and size is compared with the bytes that are there before it is believed.
#include "formats/gguf_reader.h"

#include <algorithm>
#include <optional>
#include <type_traits>

#include "base/byte_reader.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "formats/gguf_i2_s.h"
#include "formats/gguf_layout.h"
#include "formats/quote_name.h"

namespace minnow::gguf {
namespace {

// A tensor of the header; its data lie at `offset` of the data section.
struct Placed {
  std::string name;
  DType dtype;
  Shape shape;
  uint64_t offset;
  uint64_t bytes;
};

std::string read_name(ByteReader& reader, std::string_view what) {
  const uint64_t at = reader.offset();
  const auto length = reader.read<uint64_t>();
  if (length == 0 || length > limits::kMaxKeyBytes) {
    fail(ErrorCode::kInvalidInput, "{}: {} at offset {} has {} bytes, 1 to {} are allowed", reader.name(),
         what, at, length, limits::kMaxKeyBytes);
  }
  const std::string_view text = reader.take_text(length, what);
  if (!is_valid_utf8(text)) {
    fail(ErrorCode::kInvalidInput, "{}: {} {} at offset {} is not valid UTF-8", reader.name(), what,
         quote_name(text), at);
  }
  return std::string(text);
}

std::string read_string(ByteReader& reader) {
  const auto length = reader.read<uint64_t>();
  if (length > limits::kMaxStringBytes) {
    fail(ErrorCode::kLimit, "{}: a string of {} bytes at offset {}, at most {} are allowed", reader.name(),
         length, reader.offset(), limits::kMaxStringBytes);
  }
  return std::string(reader.take_text(length, "string"));
}

bool read_bool(ByteReader& reader) {
  const auto byte = reader.read<uint8_t>();
  if (byte > 1) {
    fail(ErrorCode::kInvalidInput, "{}: a bool is {} at offset {}, only 0 and 1 are allowed", reader.name(),
         byte, reader.offset() - 1);
  }
  return byte == 1;
}

[[noreturn]] void fail_type(const ByteReader& reader, uint32_t type, const std::string& key) {
  fail(ErrorCode::kInvalidInput, "{}: metadata key {} has value type {}, which GGUF does not define",
       reader.name(), quote_name(key), type);
}

GgufValue read_array(ByteReader& reader, const std::string& key) {
  const auto type = reader.read<uint32_t>();
  const auto count = reader.read<uint64_t>();
  if (type == kArray) {
    fail(ErrorCode::kUnsupported, "{}: metadata key {} is an array of arrays, which minnow does not read",
         reader.name(), quote_name(key));
  }
  if (count > limits::kMaxArrayElements) {
    fail(ErrorCode::kLimit, "{}: metadata key {} has {} elements, at most {} are allowed", reader.name(),
         quote_name(key), count, limits::kMaxArrayElements);
  }
  switch (type) {
    case kUint8:
      return reader.read_array<uint8_t>(count);
    case kInt8:
      return reader.read_array<int8_t>(count);
    case kUint16:
      return reader.read_array<uint16_t>(count);
    case kInt16:
      return reader.read_array<int16_t>(count);
    case kUint32:
      return reader.read_array<uint32_t>(count);
    case kInt32:
      return reader.read_array<int32_t>(count);
    case kFloat32:
      return reader.read_array<float>(count);
    case kUint64:
      return reader.read_array<uint64_t>(count);
    case kInt64:
      return reader.read_array<int64_t>(count);
    case kFloat64:
      return reader.read_array<double>(count);
    case kBool: {
      GgufBoolArray bools;
      reader.need(count, "array of bools");
      bools.values.reserve(count);
      for (uint64_t i = 0; i < count; ++i) bools.values.push_back(read_bool(reader));
      return bools;
    }
    case kString: {
      if (count > reader.remaining() / kMinStringBytes)
        reader.need(count * kMinStringBytes, "array of strings");
      std::vector<std::string> strings;
      strings.reserve(count);
      for (uint64_t i = 0; i < count; ++i) strings.push_back(read_string(reader));
      return strings;
    }
    default:
      fail_type(reader, type, key);
  }
}

GgufValue read_value(ByteReader& reader, const std::string& key) {
  const auto type = reader.read<uint32_t>();
  switch (type) {
    case kUint8:
      return reader.read<uint8_t>();
    case kInt8:
      return reader.read<int8_t>();
    case kUint16:
      return reader.read<uint16_t>();
    case kInt16:
      return reader.read<int16_t>();
    case kUint32:
      return reader.read<uint32_t>();
    case kInt32:
      return reader.read<int32_t>();
    case kFloat32:
      return reader.read<float>();
    case kBool:
      return read_bool(reader);
    case kString:
      return read_string(reader);
    case kArray:
      return read_array(reader, key);
    case kUint64:
      return reader.read<uint64_t>();
    case kInt64:
      return reader.read<int64_t>();
    case kFloat64:
      return reader.read<double>();
    default:
      fail_type(reader, type, key);
  }
}

Shape read_shape(ByteReader& reader, const std::string& what) {
  const auto rank = reader.read<uint32_t>();
  if (rank == 0 || rank > limits::kMaxDims) {
    fail(ErrorCode::kInvalidInput, "{} has {} dimensions, 1 to {} are allowed", what, rank, limits::kMaxDims);
  }
  int64_t dims[limits::kMaxDims];
  for (uint32_t i = 0; i < rank; ++i) {
    const auto n = reader.read<uint64_t>();
    if (n == 0 || n > static_cast<uint64_t>(INT64_MAX)) {
      fail(ErrorCode::kInvalidInput, "{}: dimension {} is {}, which no tensor can have", what, i, n);
    }
    dims[rank - 1 - i] = static_cast<int64_t>(n);
  }
  return Shape(std::span(dims, rank));
}

// The type that an id means in a file with these metadata; nullopt when it is not read.
std::optional<DType> dtype_of(uint32_t id, const GgufMetadata& metadata) {
  if (id == kI2SId && holds_i2_s(metadata)) return DType::kI2_S;
  if (fork_type_name(id) != nullptr && has_fork_ids(metadata)) return std::nullopt;
  return dtype_from_gguf(id);
}

[[noreturn]] void fail_tensor_type(const std::string& what, uint32_t id, const GgufMetadata& metadata) {
  const char* fork_name = fork_type_name(id);
  if (fork_name != nullptr && !has_fork_ids(metadata)) fork_name = nullptr;
  throw Error(ErrorCode::kUnsupported,
              fmt::format("{} has type {} ({}), which minnow does not read", what, id, fork_name != nullptr ? fork_name : gguf_type_name(id)),
              fork_name != nullptr ? "it is shuffled for one CPU; take the I2_S file of the model"
                                   : "take a file of another type, such as Q4_K_M, Q8_0 or F16");
}

Placed read_tensor(ByteReader& reader, uint64_t alignment, const GgufMetadata& metadata) {
  Placed tensor;
  tensor.name = read_name(reader, "tensor name");
  const std::string what = reader.name() + ": tensor " + quote_name(tensor.name);
  tensor.shape = read_shape(reader, what);
  const auto type = reader.read<uint32_t>();
  const auto dtype = dtype_of(type, metadata);
  if (!dtype) fail_tensor_type(what, type, metadata);
  tensor.dtype = *dtype;
  checked_tensor_bytes(tensor.dtype, tensor.shape, what);
  tensor.bytes = gguf_tensor_bytes(tensor.dtype, tensor.shape);
  tensor.offset = reader.read<uint64_t>();
  if (tensor.offset % alignment != 0) {
    fail(ErrorCode::kInvalidInput, "{} begins at {}, not at a multiple of the alignment {}", what,
         tensor.offset, alignment);
  }
  return tensor;
}

void check_counts(const ByteReader& reader, uint64_t n_tensors, uint64_t n_entries) {
  if (n_tensors > limits::kMaxTensors || n_entries > limits::kMaxMetadataEntries) {
    fail(ErrorCode::kLimit, "{}: {} tensors and {} metadata entries, at most {} and {} are allowed",
         reader.name(), n_tensors, n_entries, limits::kMaxTensors, limits::kMaxMetadataEntries);
  }
  const uint64_t least = n_tensors * kMinTensorBytes + n_entries * kMinEntryBytes;
  if (least > reader.remaining()) {
    fail(ErrorCode::kInvalidInput,
         "{}: truncated: {} tensors and {} metadata entries need {} bytes but only {} follow the header",
         reader.name(), n_tensors, n_entries, least, reader.remaining());
  }
}

uint32_t read_version(ByteReader& reader) {
  if (reader.take_text(kMagic.size(), "GGUF magic") != kMagic) {
    fail(ErrorCode::kInvalidInput, "{}: not a GGUF file (it does not begin with \"GGUF\")", reader.name());
  }
  const auto version = reader.read<uint32_t>();
  if (version == 2 || version == 3) return version;
  if (version == 1) {
    fail(ErrorCode::kUnsupported,
         "{}: GGUF version 1 of 2023, which minnow does not read; take a newer conversion", reader.name());
  }
  if ((version & 0xFFFF) == 0 && version != 0) {
    fail(ErrorCode::kUnsupported,
         "{}: a big-endian GGUF file, which minnow does not read; take the usual kind", reader.name());
  }
  fail(ErrorCode::kUnsupported, "{}: GGUF version {}, minnow reads versions 2 and 3", reader.name(), version);
}

// Inside the data section, and none on top of another.
void check_places(const std::vector<Placed>& tensors, uint64_t data_bytes, const std::string& source) {
  std::vector<const Placed*> order;
  order.reserve(tensors.size());
  for (const Placed& t : tensors) {
    if (t.offset > data_bytes || t.bytes > data_bytes - t.offset) {
      fail(ErrorCode::kInvalidInput,
           "{}: tensor {} of {} bytes at {} leaves the file, which holds {} bytes of tensors; is it cut "
           "short?",
           source, quote_name(t.name), t.bytes, t.offset, data_bytes);
    }
    order.push_back(&t);
  }
  std::sort(order.begin(), order.end(),
            [](const Placed* a, const Placed* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1]->offset + order[i - 1]->bytes > order[i]->offset) {
      fail(ErrorCode::kInvalidInput, "{}: tensors {} and {} overlap", source, quote_name(order[i - 1]->name),
           quote_name(order[i]->name));
    }
  }
}

}  // namespace

Part read_part(std::span<const std::byte> bytes, const std::string& source,
               std::shared_ptr<const void> owner, const GgufMetadata* first) {
  ByteReader reader(bytes, source);
  Part part;
  part.version = read_version(reader);
  const auto n_tensors = reader.read<uint64_t>();
  const auto n_entries = reader.read<uint64_t>();
  check_counts(reader, n_tensors, n_entries);

  std::vector<GgufMetadata::Entry> entries;
  entries.reserve(n_entries);
  for (uint64_t i = 0; i < n_entries; ++i) {
    std::string key = read_name(reader, "metadata key");
    GgufValue value = read_value(reader, key);
    entries.emplace_back(std::move(key), std::move(value));
  }
  part.metadata = GgufMetadata(source, std::move(entries));

  const uint64_t align = alignment(part.metadata);
  check_counts(reader, n_tensors, 0);
  std::vector<Placed> tensors;
  tensors.reserve(n_tensors);
  for (uint64_t i = 0; i < n_tensors; ++i) tensors.push_back(read_tensor(reader, align, first != nullptr ? *first : part.metadata));

  // A file without tensors may end without padding.
  const uint64_t data_begin =
      std::min<uint64_t>(Checked(reader.offset()).aligned(align).value(), bytes.size());
  check_places(tensors, bytes.size() - data_begin, source);
  part.tensors.reserve(n_tensors);
  for (Placed& t : tensors) {
    const std::span<const std::byte> data = bytes.subspan(data_begin + t.offset, t.bytes);
    Tensor tensor = t.dtype == DType::kI2_S ? i2_s_from_file(data, t.shape) : Tensor{t.dtype, t.shape, data.data(), owner};
    part.tensors.push_back({std::move(t.name), std::move(tensor)});
  }
  return part;
}

}  // namespace minnow::gguf
