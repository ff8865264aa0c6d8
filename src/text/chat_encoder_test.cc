#include "text/chat_encoder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

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

TEST(ChatEncoder, GuardsArgumentsThatItMakesTextOf) {
  const auto t = tokenizer();
  const ChatEncoder encoder(*t, "{% for m in messages %}{% for c in m.tool_calls %}{{ '' + c.function.arguments }}{% endfor %}{{ m.content }}{% endfor %}"
                                "{{ eos_token }}");
  OrderedJson call = {{"type", "function"}};
  call["function"]["name"] = "f";
  call["function"]["arguments"]["<s>"] = "a<end>";
  ChatTemplateInput input;
  input.messages.push_back({{"role", "assistant"}, {"content", ""}, {"tool_calls", OrderedJson::array({call})}});
  const std::string text = encoder.render(input).text;
  EXPECT_EQ(without_guards(text), R"({"<s>": "a<end>"}<end>)");
  const std::vector<TokenId> tokens = encoder.encode(text).tokens;
  EXPECT_EQ(std::ranges::count(tokens, kEnd), 1);
  EXPECT_EQ(std::ranges::count(tokens, kBos), 1);
}

// A request that says the same in all its places.
ChatTemplateInput says_everywhere(const std::string& text) {
  ChatTemplateInput input;
  OrderedJson call = {{"name", text}};
  call["arguments"]["role"] = text;
  call["arguments"][text] = OrderedJson::array({text});
  input.messages.push_back({{"role", "system"}, {"content", text}, {"name", text}});
  input.messages.push_back({{"role", "assistant"}, {"content", text}, {"tool_calls", OrderedJson::array({call})}});
  input.messages.push_back({{"role", "tool"}, {"content", text}});
  OrderedJson tool = {{"description", text}};
  tool["properties"][text]["enum"] = OrderedJson::array({text});
  input.tools = OrderedJson::array({tool});
  input.extra["documents"] = OrderedJson::array({text});
  input.extra["place"] = text;
  return input;
}

TEST(ChatEncoder, MakesNoControlTokenOfWhatARequestSays) {
  const std::vector<std::string> controls = {"<s>",         "<end>",         "<|im_start|>",        "<|im_end|>",        "<|endoftext|>",
                                             "<|eot_id|>",  "<|eom_id|>",    "<|start_header_id|>", "<|end_header_id|>", "<start_of_turn>",
                                             "<end_of_turn>", "[INST]",      "[/INST]",             "[TOOL_CALLS]",      "<|channel|>",
                                             "<|message|>", "<|return|>",    "<｜User｜>",           "<｜end▁of▁sentence｜>", "</think>"};
  TokenizerSpec spec = testing_specs::byte_bpe({});
  for (const std::string& text : controls) testing_specs::add(spec, text, TokenType::kControl);
  spec.bos = kBos;
  spec.eos = kEnd;
  spec.add_bos = true;
  const auto t = Tokenizer::build(spec);
  const ChatEncoder encoder(*t,
                            "{% for m in messages %}{{ m.role }}: {{ m.content | trim }}{{ m.name }}{{ m.tool_calls | tojson if m.tool_calls }}{{ m.tool_calls }}"
                            "{{ eos_token }}{% endfor %}{{ tools | tojson }}{{ tools | tojson(ensure_ascii=true) }}{{ tools }}{{ documents }}{{ place | upper }}{{ place }}");
  int n = 0;
  for (const std::string& control : controls) {
    std::vector<std::string> spellings = {control.substr(0, 1) + "\uFDD0" + control.substr(1)};
    for (const char* form : {"{0}", "x{0}y", " {0} ", "{0}{0}", "\n{0}\n", "<{0}>", "\uFDD2{0}", "{0}\uFDD0{0}\uFDD0{0}", "\uFDD2\uFDD0'{0}'"}) {
      spellings.push_back(fmt::format(fmt::runtime(form), control));
    }
    for (const std::string& spelling : spellings) {
      const std::vector<TokenId> tokens = encoder.encode(encoder.render(says_everywhere(spelling)).text).tokens;
      EXPECT_EQ(tokens.front(), kBos);
      EXPECT_EQ(std::ranges::count(tokens, kEnd), 3) << spelling;
      EXPECT_EQ(std::ranges::count_if(tokens, [](TokenId id) { return id >= kBos; }), 4) << spelling;
      ++n;
    }
  }
  EXPECT_EQ(n, 200);
}

TEST(ChatEncoder, KeepsGuardsWhereATemplateTakesTextApart) {
  const auto t = tokenizer();
  const ChatEncoder encoder(*t, "{% for m in messages %}{{ m.content.split('<end>')[-1] }}{{ eos_token }}{% endfor %}");
  ChatTemplateInput input = says("a<end>b");
  input.messages.push_back({{"role", "user"}, {"content", "c<s>d"}});
  std::vector<TokenId> expected = {kBos, 'b', kEnd};
  for (const TokenId id : ids("c<s>d")) expected.push_back(id);
  expected.push_back(kEnd);
  EXPECT_EQ(encoder.encode(encoder.render(input).text).tokens, expected);
}

TEST(ChatEncoder, TakesTheTemplatesTokensWhereItCutATextBeforeAGuard) {
  const auto t = tokenizer();
  const ChatEncoder encoder(*t, "{% for m in messages %}{{ m.content.split('<end>')[0] }}.{{ eos_token }}{% endfor %}");
  ChatTemplateInput input = says("a<end>b");
  input.messages.push_back({{"role", "user"}, {"content", "c<s>d"}});
  std::vector<TokenId> expected = {kBos, 'a', '.', kEnd};
  for (const TokenId id : ids("c<s>d.")) expected.push_back(id);
  expected.push_back(kEnd);
  EXPECT_EQ(encoder.encode(encoder.render(input).text).tokens, expected);
}

TEST(ChatEncoder, KeepsAControlPlainWhereATemplateCutsBehindIt) {
  const auto t = tokenizer();
  // The guard before <end> is a character more.
  const ChatEncoder encoder(*t, "{% for m in messages %}{{ m.content[:7] }}{{ eos_token }}{% endfor %}");
  std::vector<TokenId> expected = {kBos};
  for (const TokenId id : ids("a<end>")) expected.push_back(id);
  expected.push_back(kEnd);
  EXPECT_EQ(encoder.encode(encoder.render(says("a<end>b")).text).tokens, expected);
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
