#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

#include "base/file.h"
#include "text/chat_output/output_format.h"

namespace minnow {
namespace {

const std::string kPage = MINNOW_SOURCE_DIR "/docs/tool-call-formats.md";

std::string code(std::string_view text) {
  const std::string fence = text.find('`') == std::string_view::npos ? "`" : "````";
  std::string out = fence;
  for (const char c : text) {
    if (c == '\n')
      out += "⏎";
    else if (c == '|')
      out += "\\|";  // a table's cell ends at a bare one
    else
      out += c;
  }
  return out + fence;
}

// The way a call looks, with f for the name, k for an argument and v for its value.
std::string shape(const CallSyntax& s) {
  std::string body;
  switch (s.payload) {
    case Payload::kJson:
      body = R"({"name": "f", "arguments": {…}})";
      break;
    case Payload::kKeyedJson:
      body = R"([{"f": {…}}])";
      break;
    case Payload::kPythonList:
      body = "[f(k=v)]";
      break;
    case Payload::kPythonBlock:
      body = "f(k=v)";
      break;
    case Payload::kBraces:
      body = "f{k:v}";
      break;
    case Payload::kCode:
      body = "a program";
      break;
    case Payload::kTagged:
      body = fmt::format("f{}{}k{}{}v{}", s.separator, s.tags.argument_open, s.tags.key_close,
                         s.tags.value_open, s.tags.value_close);
      break;
    case Payload::kNamed:
      switch (s.header) {
        case CallHeader::kName:
          body = "f";
          break;
        case CallHeader::kNameAndId:
          body = fmt::format("f{}id", s.id_separator);
          break;
        case CallHeader::kIndexed:
          body = "functions.f:0";
          break;
        case CallHeader::kMcpTool:
          body = "server</server_name><tool_name>f</tool_name>";
          break;
        case CallHeader::kChannel:
          body = "commentary to=functions.f";
          break;
      }
      body += fmt::format("{}{{…}}", s.separator);
  }
  return code(std::string(s.open) + body + std::string(s.close));
}

std::string page() {
  std::string text =
      "# Formats of reasoning and tool calls\n\n"
      "What `ChatOutputParser` (`src/text/chat_output/`) reads. Printed from the table in "
      "`output_formats.cc`; do not edit\n"
      "(see the README there). `…` stands for JSON, `⏎` for a line end; JSON may be one call or a list of "
      "calls, and its\n"
      "keys may be `tool_name`, `parameters` and `id` as well. Which format a model speaks is recognized by "
      "its chat\n"
      "template.\n\n"
      "| format | models | reasoning | calls |\n|---|---|---|---|\n";
  for (const OutputFormat& f : output_formats()) {
    std::string reasoning, calls;
    for (const ReasoningTags& t : f.reasoning) {
      const std::string_view open = t.open.empty() ? "<|channel|>analysis<|message|>" : t.open;
      reasoning += (reasoning.empty() ? "" : "<br>") + code(std::string(open) + "…" + std::string(t.close));
    }
    for (const CallSyntax& s : f.calls) calls += (calls.empty() ? "" : "<br>") + shape(s);
    text += fmt::format("| {} | {} | {} | {} |\n", f.name, f.models, reasoning, calls);
  }
  return text;
}

TEST(OutputFormats, AreThoseOfTheDocumentation) {
  if (std::getenv("MINNOW_WRITE_DOCS") != nullptr) std::ofstream(kPage) << page();
  EXPECT_EQ(read_text_file(kPage, 1 << 20), page())
      << "run this test with MINNOW_WRITE_DOCS=1 to print it anew";
}

TEST(OutputFormats, HaveNamesOfTheirOwnAndAreFoundByThem) {
  std::set<std::string_view> names;
  for (const OutputFormat& f : output_formats()) {
    EXPECT_TRUE(names.insert(f.name).second) << f.name;
    EXPECT_EQ(find_output_format(f.name), &f);
  }
  EXPECT_EQ(find_output_format("nothing"), nullptr);
  EXPECT_EQ(output_formats().back().name, "generic");
}

TEST(OutputFormats, HaveTheWordsThatTheirPayloadsNeed) {
  for (const OutputFormat& f : output_formats()) {
    for (const CallSyntax& s : f.calls) {
      const bool tagged = s.payload == Payload::kTagged;
      EXPECT_TRUE(s.payload != Payload::kNamed || !s.separator.empty()) << f.name;
      EXPECT_TRUE(!tagged || !(s.tags.argument_open.empty() || s.tags.value_close.empty())) << f.name;
      EXPECT_TRUE(!(tagged || s.payload == Payload::kBraces) || !s.close.empty()) << f.name;
    }
    for (const ReasoningTags& t : f.reasoning) EXPECT_FALSE(t.close.empty()) << f.name;
  }
}

TEST(OutputFormats, SayWhoseCallsCanBeHeld) {
  std::set<std::string_view> not_held, not_told_from_json, in_part;
  for (const OutputFormat& f : output_formats()) {
    if (!can_hold_calls(f)) not_held.insert(f.name);
    if (!can_tell_calls_from_json(f)) not_told_from_json.insert(f.name);
    if (can_hold_calls(f) && !std::all_of(f.calls.begin(), f.calls.end(), can_be_held)) in_part.insert(f.name);
  }
  EXPECT_EQ(not_held, (std::set<std::string_view>{"functionary-3.2"}));
  EXPECT_EQ(not_told_from_json, (std::set<std::string_view>{"functionary-3.2", "harmony"}));
  EXPECT_EQ(in_part, (std::set<std::string_view>{"functionary-3.1", "llama-3"})) << "programs, and Python's calls without an end";
}

TEST(OutputFormats, AreRecognizedByTheirTemplates) {
  EXPECT_EQ(output_format_for_template("").name, "generic");
  EXPECT_EQ(output_format_for_template("{{ '<tool_call>' }}").name, "hermes");
  EXPECT_EQ(output_format_for_template("<tool_call>\n<function=f>\n<parameter=x>").name, "qwen3-coder");
  EXPECT_EQ(output_format_for_template("<tool_call>name<arg_key>").name, "glm");
  EXPECT_EQ(output_format_for_template("[TOOL_CALLS]f[ARGS]").name, "mistral");
}

}  // namespace
}  // namespace minnow
