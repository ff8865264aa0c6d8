#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"

namespace minnow {
namespace {

ChatTemplateInput chat(const std::string& messages) {
  ChatTemplateInput input;
  input.messages = parse_ordered_json(messages, "test");
  input.bos_token = "<s>";
  input.eos_token = "</s>";
  return input;
}

TEST(ChatTemplate, RendersMessagesInOrder) {
  const ChatTemplate chatml(
      "{% for m in messages %}{{ '<|' + m.role + '|>' + m['content'] + eos_token }}\n{% endfor %}"
      "{% if add_generation_prompt %}<|assistant|>{% endif %}");
  EXPECT_EQ(chatml.render({{"system", "Be brief."}, {"user", "Hi"}}, "<s>", "</s>"),
            "<|system|>Be brief.</s>\n<|user|>Hi</s>\n<|assistant|>");
}

TEST(ChatTemplate, PassesToolsAsNoneOrAsGiven) {
  const ChatTemplate t("{{ tools is none }} {{ tools }}{{ tools | tojson if tools }}");
  EXPECT_EQ(t.render(chat("[]")), "True None");
  ChatTemplateInput with_tools = chat("[]");
  with_tools.tools = parse_ordered_json(R"([{"z": 1, "a": {"b": [true, null]}}])", "test");
  EXPECT_EQ(t.render(with_tools),
            "False [{'z': 1, 'a': {'b': [True, None]}}][{\"z\": 1, \"a\": {\"b\": [true, null]}}]");
}

TEST(ChatTemplate, LetsExtraVariablesWin) {
  ChatTemplateInput input = chat("[]");
  input.extra = {{"enable_thinking", false}, {"bos_token", "[B]"}};
  EXPECT_EQ(ChatTemplate("{{ bos_token }}{{ enable_thinking is false }}{{ other is defined }}").render(input),
            "[B]TrueFalse");
}

TEST(ChatTemplate, TellsTheTimeItIsGiven) {
  ChatTemplateInput input = chat("[]");
  input.now = 0;
  EXPECT_EQ(ChatTemplate("{{ strftime_now('%Y') in ['1969', '1970'] }}").render(input), "True");
}

TEST(ChatTemplate, DropsOneLineEndAtItsEndAndTakesAnyKindOfIt) {
  EXPECT_EQ(ChatTemplate("a\r\nb\rc\n\n").render(chat("[]")), "a\nb\nc\n");
}

TEST(ChatTemplate, TellsWhatGenerationBlocksWrote) {
  const ChatTemplate t(
      "{% macro shout(x) %}{% generation %}{{ x }}!{% endgeneration %}{% endmacro %}{% for m in messages %}<{{ m.role }}>"
      "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% generation %}</s>{% endgeneration %}{% endgeneration %}"
      "{% else %}{{ shout(m.content) }}{% endif %}{% endfor %}");
  const ChatRendering r = t.render_marked(chat(
      R"([{"role":"user","content":"a"},{"role":"assistant","content":"bc"},{"role":"user","content":"d"},
          {"role":"assistant","content":"e"}])"));
  std::vector<std::string> said;
  for (const auto& [begin, end] : r.generated) said.push_back(r.text.substr(begin, end - begin));
  EXPECT_EQ(said, (std::vector<std::string>{"bc</s>", "e</s>"}));
  EXPECT_EQ(r.text, "<user>a!<assistant>bc</s><user>d!<assistant>e</s>");
  EXPECT_TRUE(ChatTemplate("{{ messages | length }}").render_marked(chat("[]")).generated.empty());
}

TEST(ChatTemplate, ReportsWhatTheTemplateRaises) {
  const ChatTemplate t("{% if messages[0].role != 'user' %}\n{{ raise_exception('user first') }}{% endif %}");
  try {
    t.render(chat(R"([{"role": "system", "content": ""}])"));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidInput);
    EXPECT_STREQ(e.what(), "chat template: line 2: the template refuses this chat: user first");
  }
}

TEST(ChatTemplate, RendersTheSameFromManyThreads) {
  const ChatTemplate t(
      "{% macro f(m) %}{% set ns = namespace(x=m.content) %}{% for i in range(50) %}{% set ns.x = ns.x + 'a' "
      "%}"
      "{% endfor %}{{ ns.x }}{% endmacro %}{% for m in messages %}{{ f(m) }}{% endfor %}");
  const ChatTemplateInput input = chat(R"([{"role": "user", "content": "q"}])");
  const std::string expected = t.render(input);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k) EXPECT_EQ(t.render(input), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ChatTemplate, KeepsBrokenUtf8OfMessagesFromCrashing) {
  ChatTemplateInput input;
  input.messages = OrderedJson::array({{{"role", "user"}, {"content", "a\xff\xc3"}}});
  const ChatTemplate t(
      "{{ messages[0].content|length }}{{ messages[0].content|upper }}{{ messages[0].content[::-1]|length "
      "}}");
  EXPECT_EQ(t.render(input),
            "3A\xEF\xBF\xBD\xEF\xBF\xBD"
            "3");
}

TEST(ChatTemplate, CanBeMoved) {
  ChatTemplate a("{{ 'x' }}y");
  ChatTemplate b(std::move(a));
  a = std::move(b);
  EXPECT_EQ(a.render(chat("[]")), "xy");
}

}  // namespace
}  // namespace minnow
