#include "serve/llama_prompts.h"

#include <gtest/gtest.h>

#include "base/test_refusal.h"
#include "text/tokenizer_test_specs.h"

namespace minnow {
namespace {

using test::refusal;
using Ids = std::vector<TokenId>;

// One token for each byte, then "<|x|>", a control token that begins texts.
const Tokenizer& tokenizer() {
  static const auto kTokenizer = [] {
    TokenizerSpec spec = testing_specs::byte_bpe({});
    spec.bos = testing_specs::add(spec, "<|x|>", TokenType::kControl);
    spec.add_bos = true;
    return Tokenizer::build(std::move(spec));
  }();
  return *kTokenizer;
}

std::vector<LlamaPrompt> prompts(std::string_view json) {
  const OrderedJson body = {{"prompt", parse_ordered_json(json, "test")}};
  return read_llama_prompts(RequestFields(body), "prompt", tokenizer());
}

std::string refused(std::string_view json) {
  return refusal([&] { prompts(json); });
}

TEST(LlamaPrompts, are_texts_or_tokens_or_both_in_one) {
  ASSERT_EQ(prompts(R"("ab")").size(), 1u);
  EXPECT_EQ(prompts(R"("ab")")[0].tokens, (Ids{256, 'a', 'b'}));
  EXPECT_EQ(prompts(R"("ab")")[0].text, "ab");
  EXPECT_EQ(prompts("[97, 98]")[0].tokens, (Ids{'a', 'b'})) << "tokens are taken as they are";
  EXPECT_EQ(prompts("[97, 98]")[0].text, "ab");
  EXPECT_EQ(prompts(R"(["a", 98, "c"])")[0].tokens, (Ids{256, 'a', 'b', 'c'}));
  EXPECT_EQ(prompts(R"([97, "b"])")[0].tokens, (Ids{'a', 'b'}));
  EXPECT_EQ(prompts(R"("a<|x|>")")[0].tokens, (Ids{256, 'a', 256}));
  EXPECT_EQ(prompts(R"({"prompt_string": "a", "multimodal_data": []})")[0].tokens, (Ids{256, 'a'}));
}

TEST(LlamaPrompts, are_several_in_an_array) {
  const auto all = prompts(R"(["a", "b"])");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].tokens, (Ids{256, 'b'}));
  const auto mixed = prompts(R"(["a", [98], ["c", 100], {"prompt_string": "e"}])");
  ASSERT_EQ(mixed.size(), 4u);
  EXPECT_EQ(mixed[1].tokens, (Ids{'b'}));
  EXPECT_EQ(mixed[2].tokens, (Ids{256, 'c', 'd'}));
  EXPECT_EQ(prompts(R"(["a"])").size(), 1u);
}

TEST(LlamaPrompts, that_cannot_be_read_are_refused_by_name) {
  EXPECT_TRUE(refusal([] { const OrderedJson body = OrderedJson::object(); read_llama_prompts(RequestFields(body), "prompt", tokenizer()); }).starts_with("prompt: "));
  EXPECT_TRUE(refused("7").starts_with("prompt: "));
  EXPECT_TRUE(refused("true").starts_with("prompt: "));
  EXPECT_TRUE(refused("[]").starts_with("prompt: "));
  EXPECT_TRUE(refused("[[]]").starts_with("prompt: "));
  EXPECT_TRUE(refused("[97, -1]").starts_with("prompt[1]"));
  EXPECT_TRUE(refused("[97, 1.5]").starts_with("prompt[1]"));
  EXPECT_TRUE(refused("[97, 99999]").starts_with("prompt: the vocabulary has no token 99999"));
  EXPECT_TRUE(refused("[97, null]").starts_with("prompt[0]"));
  EXPECT_TRUE(refused(R"([["a", [1]]])").starts_with("prompt[0][1]: "));
  EXPECT_TRUE(refused(R"({"prompt_string": "a", "multimodal_data": ["x"]})").starts_with("prompt.multimodal_data: "));
}

TEST(InfillFiles, come_before_the_prefix) {
  const OrderedJson body = parse_ordered_json(R"({"input_extra": [{"filename": "a.h", "text": "int a;"}, {"text": "b"}]})", "test");
  EXPECT_EQ(read_infill_files(RequestFields(body)), "--- a.h ---\n\nint a;\n\n--- tmp ---\n\nb\n\n");
  const OrderedJson bad = parse_ordered_json(R"({"input_extra": [{"filename": "a.h"}]})", "test");
  EXPECT_TRUE(refusal([&] { read_infill_files(RequestFields(bad)); }).starts_with("input_extra[0].text: "));
}

}  // namespace
}  // namespace minnow
