#include "respond/system_messages.h"

#include <gtest/gtest.h>

#include <string>


namespace minnow {
namespace {

OrderedJson chat(const char* text) { return OrderedJson::parse(text); }

// "role: content" of each message.
std::string placed(const char* messages, const SystemPlaces& places) {
  std::string out;
  for (const OrderedJson& m : place_system_messages(chat(messages), places)) {
    out += m["role"].get<std::string>() + ": " + (m["content"].is_string() ? m["content"].get<std::string>() : m["content"].dump()) + "|";
  }
  return out;
}

constexpr SystemPlaces kOneFirst{.first = true, .several = false, .late = false}, kNowhere{.first = false, .several = false, .late = false};

TEST(SystemMessages, stay_where_the_template_shows_them) {
  const char* messages = R"([{"role": "system", "content": "A"}, {"role": "user", "content": "Q"}, {"role": "system", "content": "B"}])";
  EXPECT_EQ(place_system_messages(chat(messages), {}), chat(messages));
}

TEST(SystemMessages, at_the_beginning_are_joined_where_there_is_place_for_one) {
  EXPECT_EQ(placed(R"([{"role": "system", "content": "A"}, {"role": "system", "content": "B"}, {"role": "user", "content": "Q"}])", kOneFirst), "system: A\n\nB|user: Q|");
}

TEST(SystemMessages, that_come_late_are_text_of_the_users_turn) {
  EXPECT_EQ(placed(R"([{"role": "user", "content": "Q"}, {"role": "system", "content": "B"}])", kOneFirst), "user: Q\n\nB|");
  EXPECT_EQ(placed(R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}, {"role": "system", "content": "B"}, {"role": "user", "content": "R"}])", kOneFirst),
            "user: Q|assistant: A|user: B\n\nR|");
  EXPECT_EQ(placed(R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}, {"role": "system", "content": "B"}, {"role": "assistant", "content": "C"}])", kOneFirst),
            "user: Q|assistant: A|user: B|assistant: C|");
  EXPECT_EQ(placed(R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}, {"role": "system", "content": "B"}])", kOneFirst),
            "user: Q|assistant: A|user: B|");
}

TEST(SystemMessages, between_calls_and_their_results_come_behind_the_results) {
  EXPECT_EQ(placed(R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "", "tool_calls": []}, {"role": "system", "content": "B"},
                       {"role": "tool", "content": "T"}, {"role": "tool", "content": "U"}])",
                   kOneFirst),
            "user: Q|assistant: |tool: T|tool: U|user: B|");
}

TEST(SystemMessages, are_the_users_words_where_there_is_no_place_at_all) {
  EXPECT_EQ(placed(R"([{"role": "system", "content": "A"}, {"role": "system", "content": "B"}, {"role": "user", "content": "Q"}])", kNowhere), "user: A\n\nB\n\nQ|");
}

constexpr const char* kFirstOnly =
    "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('first') }}{% endif %}{{ m.content }}{% endfor %}";

TEST(SystemMessages, stand_where_the_template_is_found_to_show_them) {
  const ChatTemplate chat_template(kFirstOnly);
  const TemplateNeeds needs(chat_template, kFirstOnly, "", "");
  const OrderedJson plain = chat(R"([{"role": "user", "content": "Q"}])");
  const OrderedJson first = chat(R"([{"role": "system", "content": "A"}, {"role": "user", "content": "Q"}])");
  const OrderedJson late = chat(R"([{"role": "user", "content": "Q"}, {"role": "system", "content": "A"}])");
  EXPECT_EQ(place_system_messages(plain, needs), plain);
  EXPECT_EQ(place_system_messages(first, needs), first);
  EXPECT_EQ(place_system_messages(late, needs), chat(R"([{"role": "user", "content": "Q\n\nA"}])"));
}

TEST(SystemMessages, that_are_not_text_are_the_templates_to_refuse) {
  const char* messages = R"([7, {"role": "system"}, {"role": "system", "content": [1]}, {"content": "x"}])";
  EXPECT_EQ(place_system_messages(chat(messages), kNowhere), chat(messages));
}

}  // namespace
}  // namespace minnow
