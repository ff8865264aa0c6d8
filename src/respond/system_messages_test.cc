#include "respond/system_messages.h"

#include <gtest/gtest.h>

#include <string>

#include "models/family.h"
#include "models/random_model.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

constexpr const char* kAll = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
constexpr const char* kFirstOnly =
    "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('System message must be first') }}{% endif %}"
    "{{ m.role }}: {{ m.content }}\n{% endfor %}";
constexpr const char* kNone = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ m.content }}\n{% endfor %}";
constexpr const char* kDropsLate = "{% for m in messages %}{% if m.role != 'system' or loop.first %}{{ m.content }}\n{% endif %}{% endfor %}";
constexpr const char* kLastCounts =
    "{% set ns = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}{% set ns.system = m.content %}{% endif %}{% endfor %}"
    "{{ ns.system }}{% for m in messages %}{% if m.role != 'system' %}{{ m.content }}{% endif %}{% endfor %}";
constexpr const char* kPartsOnly = "{% for m in messages %}{{ m.content[0].text }}{% endfor %}";

// "first", "several" and "late", as far as they are true.
std::string places_of(const char* chat_template) {
  const Model model = random_model({.family = &kLlama, .n_vocab = 1000}, 1);
  const auto tokenizer = Tokenizer::build(*model.tokenizer);
  const SystemPlaces places = system_places(ChatEncoder(*tokenizer, chat_template));
  return std::string(places.first ? "first " : "") + (places.several ? "several " : "") + (places.late ? "late" : "");
}

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

TEST(SystemPlaces, are_found_by_rendering) {
  EXPECT_EQ(places_of(kAll), "first several late");
  EXPECT_EQ(places_of(kFirstOnly), "first ");
  EXPECT_EQ(places_of(kNone), "");
  EXPECT_EQ(places_of(kDropsLate), "first ");
  EXPECT_EQ(places_of(kLastCounts), "first ") << "a second one would replace the first";
}

TEST(SystemPlaces, are_not_judged_where_the_template_does_not_show_a_question) {
  EXPECT_EQ(places_of(kPartsOnly), "first several late");
  EXPECT_EQ(places_of("{{ raise_exception('never') }}"), "first several late");
}

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

TEST(SystemMessages, that_are_not_text_are_the_templates_to_refuse) {
  const char* messages = R"([7, {"role": "system"}, {"role": "system", "content": [1]}, {"content": "x"}])";
  EXPECT_EQ(place_system_messages(chat(messages), kNowhere), chat(messages));
}

}  // namespace
}  // namespace minnow
