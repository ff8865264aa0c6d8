// Tokenizers in GGUF metadata: any file gives a tokenizer or an Error, and what can be written again reads the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/error.h"
#include "formats/gguf.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_gguf.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minnow;
  try {
    const TokenizerSpec spec = tokenizer_spec_from_gguf(GgufFile::parse(std::as_bytes(std::span(data, size)), "fuzz").metadata());
    const auto tokenizer = Tokenizer::build(spec);
    const auto ids = tokenizer->encode("A <s> b\u00e9 \xff  12 ok", {.parse_special = true});
    for (const TokenId id : ids) {
      if (!tokenizer->is_valid(id)) std::abort();
    }
    tokenizer->decode(ids, true);
    tokenizer_json_text(spec);
    GgufMetadata again("again");
    tokenizer_spec_to_gguf(spec, again);
    if (Tokenizer::build(tokenizer_spec_from_gguf(again))->n_vocab() != tokenizer->n_vocab()) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
