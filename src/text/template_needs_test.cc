#include "text/template_needs.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"

namespace minnow {
namespace {

struct Fitted {
  explicit Fitted(const std::string& source) : chat(source), needs(chat, source, "<s>", "</s>") {}

  std::string render(const OrderedJson& messages, const OrderedJson& tools = nullptr) const {
    ChatTemplateInput input{.messages = messages, .tools = tools};
    input.bos_token = "<s>";
    input.eos_token = "</s>";
    input.now = 1'700'000'000;  // 2023-11-14
    return chat.render(needs.fitted(input));
  }

  ChatTemplate chat;
  TemplateNeeds needs;
};

constexpr const char* kAll = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
constexpr const char* kFirstOnly =
    "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('System message "
    "must be first') }}{% endif %}"
    "{{ m.role }}: {{ m.content }}\n{% endfor %}";
constexpr const char* kNone =
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ "
    "m.content }}\n{% endfor %}";
constexpr const char* kDropsLate =
    "{% for m in messages %}{% if m.role != 'system' or loop.first %}{{ m.content }}\n{% endif %}{% endfor "
    "%}";
constexpr const char* kLastCounts =
    "{% set ns = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}{% set ns.system = "
    "m.content %}{% endif %}{% endfor %}"
    "{{ ns.system }}{% for m in messages %}{% if m.role != 'system' %}{{ m.content }}{% endif %}{% endfor %}";
constexpr const char* kPartsOnly = "{% for m in messages %}{{ m.content[0].text }}{% endfor %}";

// "first", "several" and "late", as far as they are true.
std::string places_of(const char* chat_template) {
  const Fitted fitted(chat_template);
  const SystemPlaces places = fitted.needs.system_places();
  EXPECT_EQ(fitted.needs.shows_first_system(), places.first);
  return std::string(places.first ? "first " : "") + (places.several ? "several " : "") +
         (places.late ? "late" : "");
}

OrderedJson parsed(const char* text) { return parse_ordered_json(text, "test"); }

OrderedJson question() { return parsed(R"([{"role": "user", "content": "Wettr?"}])"); }

OrderedJson question_of_the_system() {
  return parsed(R"([{"role": "system", "content": "Be kurz."}, {"role": "user", "content": "Wettr?"}])");
}

OrderedJson tools() {
  return parsed(
      R"([{"type": "function", "function": {"name": "get_weather", "description": "Weather.", "parameters":
    {"type": "object", "properties": {"city": {"type": "string", "description": "A city."}}, "required": ["city"]}}}])");
}

OrderedJson call_and_result() {
  return parsed(R"([{"role": "user", "content": "Wettr?"},
    {"role": "assistant", "content": "", "tool_calls": [{"id": "abcdefgh0", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Ulm", "days": 2}}}]},
    {"role": "tool", "name": "get_weather", "tool_call_id": "abcdefgh0", "content": "regnet"}])");
}

TEST(SystemPlaces, AreFoundByRendering) {
  EXPECT_EQ(places_of(kAll), "first several late");
  EXPECT_EQ(places_of(kFirstOnly), "first ");
  EXPECT_EQ(places_of(kNone), "");
  EXPECT_EQ(places_of(kDropsLate), "first ");
  EXPECT_EQ(places_of(kLastCounts), "first ") << "a second one would replace the first";
}

TEST(SystemPlaces, AreNotJudgedWhereTheTemplateDoesNotShowAQuestion) {
  EXPECT_EQ(places_of(kPartsOnly), "first several late");
  EXPECT_EQ(places_of("{{ raise_exception('never') }}"), "first several late");
}

TEST(TemplateNeeds, AListWithoutToolsWhereNoneCannotBeGoneThrough) {
  EXPECT_EQ(Fitted("{% for t in tools %}{{ t.function.name }}{% endfor %}:{{ messages[0].content }}")
                .render(question()),
            ":Wettr?");
  EXPECT_EQ(Fitted("{{ tools is none }}").render(question()), "True") << "and none everywhere else";
}

TEST(TemplateNeeds, FunctionsAreTheToolsAsText) {
  const Fitted fitted("{{ 'functools ' + functions + ' ' + datetime + ' ' + messages[0].content }}");
  EXPECT_EQ(fitted.render(question()), "functools [] Nov 14 2023 Wettr?");
  EXPECT_TRUE(fitted.render(question(), tools())
                  .starts_with("functools [\n    {\n        \"name\": \"get_weather\",\n"));
  ChatTemplateInput own{.messages = question()};
  own.extra = {{"functions", "mine"}, {"datetime", "today"}};
  EXPECT_EQ(fitted.chat.render(fitted.needs.fitted(own)), "functools mine today Wettr?");
  EXPECT_EQ(Fitted("{{ functions is defined }}").render(question(), tools()), "False")
      << "not where the template does without";
}

constexpr const char* kCalls =
    "{% for m in messages %}{% for c in m.tool_calls %}{{ ARGUMENTS }}{% endfor %}{{ m.content }}{% endfor "
    "%}";

std::string calls_written_by(const std::string& arguments) {
  std::string source = kCalls;
  source.replace(source.find("ARGUMENTS"), 9, arguments);
  return Fitted(source).render(call_and_result());
}

TEST(TemplateNeeds, ArgumentsAreTextWhereTheTemplateAddsThemToText) {
  const std::string expected = R"(Wettr?{"city": "Ulm", "days": 2}regnet)";
  EXPECT_EQ(calls_written_by("'' + c.function.arguments"), expected);
  EXPECT_EQ(calls_written_by("c.function.arguments"), expected) << "an object would be shown as Python's";
  EXPECT_EQ(calls_written_by("c.function.arguments|tojson"), expected);
  EXPECT_EQ(calls_written_by("c.function.arguments.city"), "Wettr?Ulmregnet");
}

TEST(TemplateNeeds, ContentBesideCallsIsNoneWhereTheyAreNotShownOtherwise) {
  const char* source =
      "{% for m in messages %}{% if m.content is none %}{{ m.tool_calls[0].function.arguments|tojson }}"
      "{% else %}{{ m.content }}{% endif %}{% endfor %}";
  EXPECT_EQ(Fitted(source).render(call_and_result()), R"(Wettr?{"city": "Ulm", "days": 2}regnet)");
  OrderedJson both = call_and_result();
  both[1]["content"] = "I look.";
  EXPECT_EQ(Fitted(source).render(both), "Wettr?I look.regnet") << "words stay";
}

TEST(TemplateNeeds, NothingIsChangedWhereNothingHelps) {
  EXPECT_THROW(Fitted("{{ raise_exception('never') }}{{ tools }}{{ functions }}").render(question()), Error);
  const Fitted fitted("{{ raise_exception('never') }}{{ tools }}{{ messages[0].tool_calls }}");
  EXPECT_EQ(fitted.needs.fitted({.messages = call_and_result()}).messages, call_and_result());
}

TEST(TemplateNeeds, DescriptionsOfToolsAreEmptyWhereTheyHaveToBeThere) {
  OrderedJson bare = tools();
  bare[0]["function"].erase("description");
  EXPECT_EQ(Fitted("{{ tools[0].function.name + ':' + tools[0].function.description }}").render(question(), bare), "get_weather:");
  EXPECT_EQ(Fitted("{{ tools[0].function.description is defined }}").render(question(), bare), "False") << "and absent everywhere else";
}

TEST(HasToolTurns, SeesCallsAndResults) {
  EXPECT_FALSE(has_tool_turns(question()));
  EXPECT_TRUE(has_tool_turns(call_and_result()));
  EXPECT_FALSE(has_tool_turns(parsed(R"([7, {"role": "assistant", "tool_calls": []}])")));
  EXPECT_TRUE(has_tool_turns(parsed(R"([{"role": "tool", "content": "x"}])")));
  EXPECT_FALSE(has_tool_turns(parsed(R"({})")));
}

namespace fs = std::filesystem;

const fs::path kTemplates = MINNOW_SOURCE_DIR "/../shared/data/chat-templates/llama.cpp";

std::vector<fs::path> shared_templates() {
  std::vector<fs::path> paths;
  if (!fs::is_directory(kTemplates)) return paths;
  for (const auto& entry : fs::directory_iterator(kTemplates)) {
    if (entry.path().extension() == ".jinja") paths.push_back(entry.path());
  }
  return paths;
}

struct Chat {
  std::string_view name;
  OrderedJson messages, tools;
  std::vector<std::string_view> shown;
};

// What published templates do not render or show, and why. Python's Jinja2 does not either.
const std::map<std::string, std::string_view> kExceptions = {
    {"LFM2-8B-A1B history", "writes no calls"},
    {"LFM2.5-Instruct history", "writes no calls"},
    {"MiroThinker history", "its macros use the loop variables of their callers"},
    {"MiroThinker bare tools", "its macros use the loop variables of their callers"},
    {"MiroThinker tools", "its macros use the loop variables of their callers"},
    {"google-gemma-2-2b-it system",
     "refuses messages of the system; respond/system_messages.h makes them the user's"},
    {"ibm-granite-granite-3.3-2B-Instruct history", "writes no calls"},
};

TEST(TemplateNeeds, PublishedTemplatesShowEveryOrdinaryChat) {
  const auto paths = shared_templates();
  if (paths.empty()) GTEST_SKIP() << "no shared chat templates";
  OrderedJson bare = tools();
  bare[0]["function"].erase("description");
  const std::vector<Chat> chats = {{"plain", question(), nullptr, {"Wettr?"}},
                                   {"system", question_of_the_system(), nullptr, {"Be kurz.", "Wettr?"}},
                                   {"tools", question(), tools(), {"Wettr?", "get_weather"}},
                                   {"bare tools", question(), bare, {"Wettr?", "get_weather"}},
                                   {"history", call_and_result(), tools(), {"Wettr?", "Ulm", "regnet"}}};
  for (const fs::path& path : paths) {
    const std::string source = read_text_file(path, limits::kMaxTemplateBytes);
    const bool speaks_of_tools = source.find("tools") != std::string::npos;
    const Fitted fitted(source);
    for (const Chat& chat : chats) {
      if (!chat.tools.is_null() && !speaks_of_tools) continue;
      const std::string name = path.stem().string() + " " + std::string(chat.name);
      const auto exception = kExceptions.find(name);
      std::string missing;
      try {
        const std::string text = fitted.render(chat.messages, chat.tools);
        for (const std::string_view part : chat.shown) {
          if (text.find(part) == std::string::npos) missing += std::string(part) + " is not shown; ";
        }
      } catch (const Error& e) {
        missing = e.what();
      }
      EXPECT_EQ(missing.empty(), exception == kExceptions.end()) << name << ": " << missing;
    }
  }
}

}  // namespace
}  // namespace minnow
