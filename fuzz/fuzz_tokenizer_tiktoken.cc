// tiktoken files and BERT's vocab.txt: any bytes give a spec or an Error; a spec can be built, and its text comes back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "formats/tokenizer_files.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minnow;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  looks_like_tiktoken(text);
  try {
    const auto tokenizer = Tokenizer::build(parse_tiktoken(text, "fuzz/cl100k_base.tiktoken"));
    for (TokenId id = 0; id < std::min(tokenizer->n_vocab(), 64); ++id) {
      std::string bytes;
      for (const TokenId part : tokenizer->encode(tokenizer->piece(id))) bytes += tokenizer->piece(part);
      // Bytes that have no token are dropped; nothing is made up.
      if (bytes.size() > tokenizer->piece(id).size()) std::abort();
    }
  } catch (const Error&) {
  }
  try {
    const auto tokenizer = Tokenizer::build(parse_wordpiece_vocabulary(text, "fuzz/vocab.txt"));
    tokenizer->decode(tokenizer->encode("It's a \xff test, isn't it?", {.parse_special = true}), true);
  } catch (const Error&) {
  }
  return 0;
}
