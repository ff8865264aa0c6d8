// Checkpoints of karpathy/llama2.c: the legacy form (28 bytes of header) and version 1 ("ak42", 256 bytes).
// f32 only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/named_tensor.h"

namespace minnow {

struct Llama2cHeader {
  int version = 0;  // 0: legacy
  int dim = 0;
  int hidden_dim = 0;
  int n_layers = 0;
  int n_heads = 0;     // divides dim; head size dim / n_heads is even
  int n_kv_heads = 0;  // divides n_heads
  int vocab_size = 0;
  int seq_len = 0;
  bool shared_classifier = true;  // output.weight is token_embd.weight
};

// Tensors are f32 views on the mapped file under their GGUF names (token_embd.weight, blk.N.attn_q.weight,
// …); q and k are in the order of interleaved rotary pairs, as GGUF has them for llama. The rotary tables of
// the legacy form are passed over: they follow from the header. The file must have exactly the length that
// the header says. Errors are kInvalidInput, kUnsupported (version 2: Q8_0; later ones), kNotFound or kIo.
class Llama2cFile {
 public:
  static Llama2cFile open(const std::filesystem::path& path);
  // For fuzzing and tests. The bytes must outlive the result.
  static Llama2cFile parse(std::span<const std::byte> bytes, const std::string& name);

  const Llama2cHeader& header() const { return header_; }
  const std::vector<NamedTensor>& tensors() const { return tensors_.all(); }
  // nullptr when absent.
  const Tensor* find(std::string_view name) const { return tensors_.find(name); }
  uint64_t file_bytes() const { return file_bytes_; }

 private:
  static Llama2cFile read(std::span<const std::byte> bytes, const std::string& name,
                          const std::shared_ptr<const void>& owner);

  Llama2cHeader header_;
  TensorList tensors_;
  uint64_t file_bytes_ = 0;
};

}  // namespace minnow
