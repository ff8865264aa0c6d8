// SentencePiece's protobuf and llama2.c's tokenizer.bin: any bytes give a spec or an Error.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "formats/gguf.h"
#include "formats/tokenizer_files.h"
#include "formats/tokenizer_gguf.h"
#include "text/tokenizer.h"

namespace {

template <typename Parse>
void try_to_read(const Parse& parse) {
  using namespace minnow;
  try {
    const TokenizerSpec spec = parse();
    GgufMetadata metadata("fuzz");
    tokenizer_spec_to_gguf(spec, metadata);
    const auto tokenizer = Tokenizer::build(tokenizer_spec_from_gguf(metadata));
    tokenizer->decode(tokenizer->encode("a <s> \xff", {.parse_special = true}), true);
  } catch (const Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try_to_read([&] { return minnow::parse_sentencepiece_model(bytes, "fuzz"); });
  try_to_read([&] { return minnow::parse_llama2c_tokenizer(bytes, "fuzz"); });
  return 0;
}
