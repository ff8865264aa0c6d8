#include "formats/llama2c.h"

#include "base/byte_reader.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"

namespace minnow {
namespace {

constexpr uint32_t kMagic = 0x616b3432;  // "ak42", read as a little-endian number
constexpr uint64_t kHeaderBytes = 256;   // of version 1
constexpr int kMaxSeqLen = 1 << 24;

[[noreturn]] void refuse(const ByteReader& reader, std::string_view field, int64_t value,
                         std::string_view wanted) {
  fail(ErrorCode::kInvalidInput, "{}: {} is {}, but must {}; is it a llama2.c checkpoint?", reader.name(),
       field, value, wanted);
}

int read_field(ByteReader& reader, std::string_view field, int hi) {
  const auto value = reader.read<int32_t>();
  if (value < 1 || value > hi) refuse(reader, field, value, fmt::format("lie between 1 and {}", hi));
  return value;
}

// The seven numbers that both forms share. `signed_vocab`: a negative vocab_size says that output.weight is
// stored.
Llama2cHeader read_numbers(ByteReader& reader, bool signed_vocab) {
  Llama2cHeader h;
  h.dim = read_field(reader, "dim", limits::kMaxWidth);
  h.hidden_dim = read_field(reader, "hidden_dim", limits::kMaxWidth);
  h.n_layers = read_field(reader, "n_layers", limits::kMaxLayers);
  h.n_heads = read_field(reader, "n_heads", limits::kMaxWidth);
  h.n_kv_heads = read_field(reader, "n_kv_heads", limits::kMaxWidth);
  const int64_t vocab = reader.read<int32_t>();
  h.shared_classifier = vocab > 0;
  const int64_t size = signed_vocab && vocab < 0 ? -vocab : vocab;
  if (size < 1 || size > static_cast<int64_t>(limits::kMaxVocab)) {
    refuse(reader, "vocab_size", vocab, fmt::format("be a size of at most {}", limits::kMaxVocab));
  }
  h.vocab_size = static_cast<int>(size);
  h.seq_len = read_field(reader, "seq_len", kMaxSeqLen);
  if (h.dim % h.n_heads != 0 || h.dim / h.n_heads % 2 != 0) {
    refuse(reader, "n_heads", h.n_heads, fmt::format("cut dim {} into heads of even size", h.dim));
  }
  if (h.n_heads % h.n_kv_heads != 0) {
    refuse(reader, "n_kv_heads", h.n_kv_heads, fmt::format("divide n_heads {}", h.n_heads));
  }
  return h;
}

Llama2cHeader read_version_1(ByteReader& reader) {
  reader.read<uint32_t>();  // magic
  const auto version = reader.read<int32_t>();
  if (version == 2) {
    fail(ErrorCode::kUnsupported,
         "{}: llama2.c version 2 (Q8_0), which minnow does not read; export it as version 0 or 1",
         reader.name());
  }
  if (version != 1) {
    fail(ErrorCode::kUnsupported, "{}: llama2.c version {}, minnow reads the legacy form and version 1",
         reader.name(), version);
  }
  Llama2cHeader header = read_numbers(reader, false);
  header.version = 1;
  const auto shared = reader.read<uint8_t>();
  if (shared > 1) refuse(reader, "shared_classifier", shared, "be 0 or 1");
  header.shared_classifier = shared == 1;
  reader.take(kHeaderBytes - reader.offset(), "header");
  return header;
}

Llama2cHeader read_header(ByteReader& reader, std::span<const std::byte> bytes) {
  ByteReader first(bytes, reader.name());
  return first.read<uint32_t>() == kMagic ? read_version_1(reader) : read_numbers(reader, true);
}

// Goes through the tensors one after the other, as they lie. Without a reader only their sizes are summed.
class Walk {
 public:
  Walk(const Llama2cHeader& header, ByteReader* reader, std::shared_ptr<const void> owner)
      : h_(header), reader_(reader), owner_(std::move(owner)) {}

  void legacy() {
    one("token_embd.weight", {h_.vocab_size, h_.dim});
    layers("attn_norm", {h_.dim});
    attention();
    layers("ffn_norm", {h_.dim});
    feed_forward();
    one("output_norm.weight", {h_.dim});
    const int64_t pairs = h_.dim / h_.n_heads / 2;
    one("", {h_.seq_len, pairs});  // cosines and sines of the rotary embedding
    one("", {h_.seq_len, pairs});
    if (!h_.shared_classifier) one("output.weight", {h_.vocab_size, h_.dim});
  }

  void version_1() {
    layers("attn_norm", {h_.dim});
    layers("ffn_norm", {h_.dim});
    one("output_norm.weight", {h_.dim});
    one("token_embd.weight", {h_.vocab_size, h_.dim});
    attention();
    feed_forward();
    if (!h_.shared_classifier) one("output.weight", {h_.vocab_size, h_.dim});
  }

  Checked bytes() const { return bytes_; }
  std::vector<NamedTensor> take() { return std::move(tensors_); }

 private:
  void attention() {
    const int64_t kv_dim = int64_t{h_.dim} / h_.n_heads * h_.n_kv_heads;
    layers("attn_q", {h_.dim, h_.dim});
    layers("attn_k", {kv_dim, h_.dim});
    layers("attn_v", {kv_dim, h_.dim});
    layers("attn_output", {h_.dim, h_.dim});
  }
  void feed_forward() {
    layers("ffn_gate", {h_.hidden_dim, h_.dim});  // w1
    layers("ffn_down", {h_.dim, h_.hidden_dim});  // w2
    layers("ffn_up", {h_.hidden_dim, h_.dim});    // w3
  }
  void layers(std::string_view kind, const Shape& shape) {
    if (reader_ == nullptr) {
      bytes_ = bytes_ + Checked(h_.n_layers) * bytes_of(shape);
      return;
    }
    for (int i = 0; i < h_.n_layers; ++i) one(fmt::format("blk.{}.{}.weight", i, kind), shape);
  }
  // An unnamed tensor is passed over.
  void one(std::string name, const Shape& shape) {
    if (reader_ == nullptr) {
      bytes_ = bytes_ + bytes_of(shape);
      return;
    }
    const auto data = reader_->take(bytes_of(shape), name);
    if (!name.empty()) tensors_.push_back({std::move(name), {DType::kF32, shape, data.data(), owner_}});
  }
  // Dimensions are at most 2^24 and 2^20: nothing wraps.
  static uint64_t bytes_of(const Shape& shape) {
    return static_cast<uint64_t>(shape.elements()) * sizeof(float);
  }

  const Llama2cHeader& h_;
  ByteReader* reader_;  // nullptr: only sizes are wanted
  std::shared_ptr<const void> owner_;
  Checked bytes_ = 0;
  std::vector<NamedTensor> tensors_;
};

void walk(Walk& steps, const Llama2cHeader& header) {
  if (header.version == 0) {
    steps.legacy();
  } else {
    steps.version_1();
  }
}

}  // namespace

Llama2cFile Llama2cFile::open(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return read(file->bytes(), path.string(), file);
}

Llama2cFile Llama2cFile::parse(std::span<const std::byte> bytes, const std::string& name) {
  return read(bytes, name, nullptr);
}

Llama2cFile Llama2cFile::read(std::span<const std::byte> bytes, const std::string& name,
                              const std::shared_ptr<const void>& owner) {
  ByteReader reader(bytes, name);
  Llama2cFile file;
  file.header_ = read_header(reader, bytes);
  file.file_bytes_ = bytes.size();
  Walk sizes(file.header_, nullptr, nullptr);
  walk(sizes, file.header_);
  if (!sizes.bytes().ok() || sizes.bytes().value() != reader.remaining()) {
    fail(ErrorCode::kInvalidInput,
         "{}: the header promises {} bytes of tensors, but {} follow it; is it a whole llama2.c checkpoint?",
         name, sizes.bytes().value(), reader.remaining());
  }
  Walk tensors(file.header_, &reader, owner);
  walk(tensors, file.header_);
  file.tensors_ = TensorList(tensors.take(), name);
  return file;
}

}  // namespace minnow
