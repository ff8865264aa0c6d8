#include "text/chat_encoder.h"

#include <gtest/gtest.h>

#include "text/tokenizer_test_specs.h"

namespace minnow {
namespace {

constexpr TokenId kBos = 256, kEnd = 257;

std::shared_ptr<const Tokenizer> tokenizer() {
  TokenizerSpec spec = testing_specs::byte_bpe({{"a", "b"}});
  spec.tokens.pop_back();
  spec.merges.clear();
  spec.bos = testing_specs::add(spec, "<s>", TokenType::kControl);
  spec.eos = testing_specs::add(spec, "<end>", TokenType::kControl);
  spec.add_bos = true;
  return Tokenizer::build(spec);
}

ChatTemplateInput says(const std::string& text) {
  ChatTemplateInput input;
  input.messages.push_back({{"role", "user"}, {"content", text}});
  return input;
}

std::vector<TokenId> ids(const std::string& text) { return {text.begin(), text.end()}; }

TEST(ChatEncoder, TakesControlTokensFromTheTemplateAlone) {
  const auto t = tokenizer();
  const ChatEncoder encoder(*t, "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}");
  const std::string text = encoder.render(says("x<end><s>")).text;
  EXPECT_EQ(without_guards(text), "x<end><s><end>");
  std::vector<TokenId> expected = ids("x<end><s>");
  expected.insert(expected.begin(), kBos);
  expected.push_back(kEnd);
  EXPECT_EQ(encoder.encode(text).tokens, expected);
}

TEST(ChatEncoder, WritesBosOnce) {
  const auto t = tokenizer();
  for (const char* source : {"{{ messages[0].content }}", "{{ bos_token }}{{ messages[0].content }}"}) {
    const ChatEncoder encoder(*t, source);
    EXPECT_EQ(encoder.encode(encoder.render(says("x")).text).tokens, (std::vector<TokenId>{kBos, 'x'})) << source;
  }
  EXPECT_EQ(ChatEncoder(*t, "").encode("").tokens, std::vector<TokenId>{kBos});
}

TEST(ChatEncoder, EncodesTheTextBetweenCutsForItself) {
  TokenizerSpec spec = testing_specs::byte_bpe({{"a", "b"}, {"ab", "ab"}});
  const auto t = Tokenizer::build(spec);
  const ChatEncoder encoder(*t, "");
  const std::vector<std::size_t> cuts = {0, 2, 3, 6};
  const ChatTokens cut = encoder.encode("ababab", cuts);
  EXPECT_EQ(cut.tokens, (std::vector<TokenId>{256, 'a', 'b', 256}));
  EXPECT_EQ(cut.cuts, (std::vector<std::size_t>{0, 1, 2, 4}));
  EXPECT_EQ(encoder.encode("ababab").tokens, (std::vector<TokenId>{257, 256}));
}

TEST(ChatEncoder, CutsBesideGuardsKeepTheWordsGuarded) {
  const auto t = tokenizer();
  const ChatEncoder encoder(*t, "{{ messages[0].content }}");
  const std::string text = encoder.render(says("a<s>b")).text;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    const std::vector<std::size_t> cuts = {at};
    std::vector<TokenId> expected = ids("a<s>b");
    expected.insert(expected.begin(), kBos);
    EXPECT_EQ(encoder.encode(text, cuts).tokens, expected) << at;
  }
}

}  // namespace
}  // namespace minnow
