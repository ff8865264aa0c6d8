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
  for (const char* pre : {"gpt-2", "llama-bpe", "qwen2", "smollm", "tekken", "deepseek-llm", "deepseek-v3", "kimi-k2", "afmoe", "tiny_aya",
                          "default"}) {
    TokenizerSpec spec = minnow::testing_specs::byte_bpe(
        {{" ", " "}, {"a", "b"}, {"  ", "  "}, {"\xc3", "\xa9"}, {"ab", "ab"}, {"1", "2"}, {"a", "a"}, {"\n", "\n"}});
    minnow::testing_specs::add(spec, "<|end|>", minnow::TokenType::kControl);
    minnow::testing_specs::add(spec, "<x>", minnow::TokenType::kUserDefined);
    spec.pre = pre;
    all.push_back(Tokenizer::build(std::move(spec)));
  }
  all.push_back(Tokenizer::build(minnow::testing_specs::spm({"▁", "a", "b", "ab", "▁a", "é", "▁▁", "aa", "中", "▁▁▁▁"})));
  all.push_back(Tokenizer::build(minnow::testing_specs::spm({"▁", "a", "b▁", "ab", "▁a", "é▁a", "ba", "aa", "b"})));
  minnow::TokenizerSpec unigram =
      minnow::testing_specs::spm({"▁", "a", "b", "ab", "▁a", "é", "▁▁", "aa", "中", "aab", "▁▁▁▁"});
  unigram.kind = minnow::TokenizerKind::kUnigram;
  all.push_back(Tokenizer::build(unigram));
  unigram.splits = {{"\\s+", minnow::SplitBehavior::kRemoved}};
  unigram.normalizers = {{.kind = minnow::NormalizerStep::Kind::kNfkc}};
  unigram.split_at_spaces = unigram.prefix_unless_space = unigram.remove_extra_whitespaces = true;
  unigram.byte_fallback = false;
  all.push_back(Tokenizer::build(unigram));
  minnow::TokenizerSpec wordpiece{.kind = minnow::TokenizerKind::kWordPiece, .source = "test"};
  for (const char* piece : {"a", "##a", "b", "##b", "aab", "##bb", ".", "'", "中", "e", "<x>"}) {
    minnow::testing_specs::add(wordpiece, piece);
  }
  wordpiece.unk = minnow::testing_specs::add(wordpiece, "[UNK]", minnow::TokenType::kControl);
  wordpiece.normalizers = {{.kind = minnow::NormalizerStep::Kind::kBert}};
  wordpiece.splits = {{"\\s+", minnow::SplitBehavior::kRemoved}, {"[\\p{P}!-/:-@\\[-`{-~]"}};
  wordpiece.decode_cleanup = true;
  all.push_back(Tokenizer::build(wordpiece));
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
    } else if (tokenizer->spec().kind != minnow::TokenizerKind::kWordPiece && tokenizer->spec().normalizers.empty() &&
               minnow::is_valid_utf8(text) && text.find("▁") == std::string_view::npos) {
      require(decoded == text);
    }
    for (const minnow::TokenId id : tokenizer->encode(text, {.parse_special = true})) require(tokenizer->is_valid(id));
  }
  return 0;
}
