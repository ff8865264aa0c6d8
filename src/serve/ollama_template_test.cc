#include "serve/ollama_template.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "text/chat_template.h"

namespace minnow {
namespace {

std::string rendered(std::string_view text, const std::string& system, const std::string& prompt) {
  ChatTemplateInput input;
  if (!system.empty()) input.messages.push_back({{"role", "system"}, {"content", system}});
  input.messages.push_back({{"role", "user"}, {"content", prompt}});
  return ChatTemplate(jinja_of_ollama_template(text, {.has_system = !system.empty()})).render(input);
}

void expect_refused(std::string_view text, ErrorCode code) {
  try {
    jinja_of_ollama_template(text, {});
    ADD_FAILURE() << text << " was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
  }
}

TEST(OllamaTemplate, writes_system_and_prompt_between_its_texts) {
  constexpr std::string_view kText = "{{ if .System }}<s>{{ .System }}</s>\n{{ end }}USER: {{ .Prompt }}\nASSISTANT: ";
  EXPECT_EQ(rendered(kText, "Be brief.", "Hi"), "<s>Be brief.</s>\nUSER: Hi\nASSISTANT: ");
  EXPECT_EQ(rendered(kText, "", "Hi"), "USER: Hi\nASSISTANT: ");
}

TEST(OllamaTemplate, ends_at_the_response) {
  EXPECT_EQ(rendered("[{{ .Prompt }}]{{ .Response }}<end>", "", "Hi"), "[Hi]");
  EXPECT_EQ(rendered("[{{ .Prompt }}]{{ if .Response }}never{{ end }}", "", "Hi"), "[Hi]");
}

TEST(OllamaTemplate, trims_where_its_marks_say_so) {
  EXPECT_EQ(rendered("a \n {{- if .Prompt -}} \n b {{ end }} c", "", "x"), "ab  c");
  EXPECT_EQ(rendered("a\n{{ if .Prompt }}\nb{{ end }}", "", "x"), "a\n\nb") << "what is not marked stays";
}

TEST(OllamaTemplate, takes_the_branch_that_holds) {
  constexpr std::string_view kText = "{{ if and .System .Prompt }}both{{ else if .System }}system{{ else }}prompt{{ end }}";
  EXPECT_EQ(rendered(kText, "s", "p"), "both");
  EXPECT_EQ(rendered(kText, "", "p"), "prompt");
  EXPECT_EQ(rendered("{{ if not .System }}{{ if .System }}a{{ else }}b{{ end }}{{ end }}", "", "p"), "b");
  EXPECT_EQ(rendered("{{ if .System }}{{ if .Prompt }}a{{ end }}{{ else }}c{{ end }}", "", "p"), "c");
}

TEST(OllamaTemplate, takes_what_is_jinja_elsewhere_as_text) {
  EXPECT_EQ(rendered("\"\\ {% x %} {# y #} {{ .Prompt }}", "", "{{ 1 }}"), "\"\\ {% x %} {# y #} {{ 1 }}");
}

TEST(OllamaTemplate, keeps_the_bytes_of_line_ends) {
  EXPECT_EQ(rendered("a\r\n{{ .Prompt }}\r", "", "x"), "a\r\nx\r");
}

TEST(OllamaTemplate, leaves_jinja_as_it_is) {
  constexpr std::string_view kJinja = "{% for m in messages %}{{ m.content }}{{- '\n' }}{% endfor %}";
  EXPECT_EQ(jinja_of_ollama_template(kJinja, {}), kJinja);
}

TEST(OllamaTemplate, refuses_what_it_does_not_know) {
  expect_refused("{{ range .Messages }}{{ .Content }}{{ end }}", ErrorCode::kUnsupported);
  expect_refused("{{ .Prompt }}{{ json .Tools }}", ErrorCode::kUnsupported);
  expect_refused("{{ if eq .System \"x\" }}{{ end }}", ErrorCode::kUnsupported);
  expect_refused("{{ .Prompt }}{{ if .System }}", ErrorCode::kInvalidInput);
  expect_refused("{{ .Prompt }}{{ end }}", ErrorCode::kInvalidInput);
  expect_refused("{{ .Prompt }}{{ else }}", ErrorCode::kInvalidInput);
  expect_refused("{{ .Prompt }}{{ .System", ErrorCode::kInvalidInput);
  expect_refused("{{ .Prompt }}{{ }}", ErrorCode::kInvalidInput);
  expect_refused("{{ .Prompt }}" + std::string(2 << 20, 'x'), ErrorCode::kLimit);
}

// To look at the rest of the text for each of its braces would take minutes.
TEST(OllamaTemplate, may_be_of_braces_alone) {
  const std::string open(1 << 20, '{');
  EXPECT_EQ(jinja_of_ollama_template(open, {}), open);
  EXPECT_EQ(jinja_of_ollama_template(open.substr(2) + "}}", {}), open.substr(2) + "}}");
}

}  // namespace
}  // namespace minnow
