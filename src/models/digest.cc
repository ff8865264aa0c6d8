#include "models/digest.h"

#include <fmt/format.h>

#include "base/fast_hash.h"
#include "formats/named_tensor.h"

namespace minnow {
namespace {

// Two hashes of other seeds, side by side.
struct Digest {
  uint64_t a = 0x6d6f64656c, b = 0x646967657374;

  void add(std::string_view text) {
    a = hash_text(text, a);
    b = hash_text(text, b);
  }
  void add(uint64_t number) {
    a = hash_number(number, a);
    b = hash_number(number, b);
  }
  std::string text() const { return fmt::format("{:016x}{:016x}", a, b); }
};

void add(Digest& digest, const TokenizerSpec& spec) {
  digest.add(spec.pre);
  digest.add(static_cast<uint64_t>(spec.tokens.size()));
  for (const TokenEntry& token : spec.tokens) digest.add(token.text);
  for (const std::string& merge : spec.merges) digest.add(merge);
}

}  // namespace

std::string vocabulary_digest(const TokenizerSpec& spec) {
  Digest digest;
  add(digest, spec);
  return digest.text();
}

std::string model_digest(const Model& model) {
  Digest digest;
  const ModelConfig& c = model.config;
  for (const int64_t n : {c.n_layers, c.n_embd, c.n_ff, c.n_vocab, c.n_heads, c.n_kv_heads, c.head_dim, c.sliding_window, c.rope.n_rot}) {
    digest.add(static_cast<uint64_t>(n));
  }
  digest.add(fmt::format("{} {} {}", c.family->gguf_name, c.rope.base, c.norm_eps));
  for (const NamedTensor& t : model.weights.all()) {
    digest.add(t.name);
    digest.add(static_cast<uint64_t>(t.tensor.dtype));
    digest.add({reinterpret_cast<const char*>(t.tensor.data), static_cast<std::size_t>(t.tensor.bytes())});
  }
  if (model.tokenizer) add(digest, *model.tokenizer);
  return digest.text();
}

}  // namespace minnow
