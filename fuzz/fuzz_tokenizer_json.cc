// tokenizer.json and the files beside it: any bytes give a spec or an Error, and any spec can be built or is refused.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "formats/tokenizer_files.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minnow;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Up to the first zero byte tokenizer.json, after it the other files.
  const std::string_view vocabulary = text.substr(0, text.find('\0'));
  const std::string rest(text.substr(std::min(text.size(), vocabulary.size() + 1)));
  try {
    TokenizerSpec spec = parse_tokenizer_json(vocabulary, "fuzz");
    if (!rest.empty()) {
      apply_tokenizer_side_files(spec, {.tokenizer_config = rest, .special_tokens_map = rest, .generation_config = rest});
    }
    const std::string written = tokenizer_json_text(spec);
    const auto tokenizer = Tokenizer::build(std::move(spec));
    tokenizer->decode(tokenizer->encode("a <|im_end|> \xff", {.parse_special = true}), true);
  } catch (const Error&) {
  }
  try {
    parse_vocab_and_merges(vocabulary, rest, "fuzz");
  } catch (const Error&) {
  }
  return 0;
}
