// Any text through small tokenizers of each kind: byte-level ones give every byte back, SPM ones every valid text, and
// what is decoded is always valid UTF-8.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "text/tokenizer.h"
#include "text/tokenizer_test_specs.h"

namespace {

using minnow::Tokenizer;
using minnow::TokenizerSpec;

std::vector<std::shared_ptr<const Tokenizer>> make_tokenizers() {
  std::vector<std::shared_ptr<const Tokenizer>> all;
  for (const char* pre : {"gpt-2", "llama-bpe", "qwen2", "smollm", "tekken", "deepseek-llm", "deepseek-v3", "default"}) {
    TokenizerSpec spec = minnow::testing_specs::byte_bpe(
        {{" ", " "}, {"a", "b"}, {"  ", "  "}, {"\xc3", "\xa9"}, {"ab", "ab"}, {"1", "2"}, {"a", "a"}, {"\n", "\n"}});
    minnow::testing_specs::add(spec, "<|end|>", minnow::TokenType::kControl);
    minnow::testing_specs::add(spec, "<x>", minnow::TokenType::kUserDefined);
    spec.pre = pre;
    all.push_back(Tokenizer::build(std::move(spec)));
  }
  all.push_back(Tokenizer::build(minnow::testing_specs::spm({"▁", "a", "b", "ab", "▁a", "é", "▁▁", "aa", "中", "▁▁▁▁"})));
  all.push_back(Tokenizer::build(minnow::testing_specs::spm({"▁", "a", "b▁", "ab", "▁a", "é▁a", "ba", "aa", "b"})));
  return all;
}

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto kTokenizers = make_tokenizers();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& tokenizer : kTokenizers) {
    const auto ids = tokenizer->encode(text, {.add_special = false});
    const std::string decoded = tokenizer->decode(ids);
    require(minnow::is_valid_utf8(decoded));
    if (tokenizer->spec().kind == minnow::TokenizerKind::kByteBpe) {
      std::string bytes;
      for (const minnow::TokenId id : ids) bytes += tokenizer->piece(id);
      require(bytes == text);
    } else if (minnow::is_valid_utf8(text) && text.find("▁") == std::string_view::npos) {
      require(decoded == text);
    }
    for (const minnow::TokenId id : tokenizer->encode(text, {.parse_special = true})) require(tokenizer->is_valid(id));
  }
  return 0;
}
