// How families of models spell reasoning and tool calls in what they generate: one table of facts.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace minnow {

// What stands between the opening text of a call and its end.
enum class Payload : uint8_t {
  kJson,         // {"name": "f", "arguments": {…}} or a list of such objects
  kKeyedJson,    // [{"f": {…}}, …]
  kNamed,        // a header with the name, then the arguments as a JSON object
  kTagged,       // the name, then one tag for each argument
  kPythonList,   // [f(x=1), g(y="a")]
  kPythonBlock,  // f(x=1), one call a line
  kBraces,       // f{x:1,y:<|"|>a<|"|>}
  kCode,         // the rest of the message is a program for the tool `python`
};

// How the header of Payload::kNamed is read.
enum class CallHeader : uint8_t {
  kName,       // f
  kNameAndId,  // f, then perhaps id_separator and the id
  kIndexed,    // functions.f:0, which is the id as well
  kMcpTool,    // SERVER</server_name> … <tool_name>f</tool_name>
  kChannel,    // "analysis", "final", or "commentary to=functions.f json": says what the body is
};

// The words of Payload::kTagged around one argument:
//   argument_open KEY key_close … value_open VALUE value_close
struct ArgumentTags {
  std::string_view argument_open, key_close, value_open, value_close;
  // Written behind key_close where the format says whether the value is a string; else the tool's schema does.
  std::string_view says_string = {}, says_other = {};
};

struct CallSyntax {
  std::string_view open;  // empty: a message that begins with the payload itself
  Payload payload = Payload::kJson;
  std::string_view separator = {};  // ends the name in kNamed and kTagged; empty: a space or a tag does
  std::string_view close =
      {};  // may be missing in the text after JSON and Python lists; empty: there is none
  CallHeader header = CallHeader::kName;
  std::string_view id_separator = {};
  std::string_view content_name = {};  // a header with this name opens plain content
  ArgumentTags tags = {};
  // Of kJson, as the family writes them.
  std::string_view name_key = "name", arguments_key = "arguments";
  std::string_view id_key = {};  // before the name; empty: calls have no id
};

struct ReasoningTags {
  std::string_view open;  // empty: only a header (CallHeader::kChannel) opens it
  std::string_view close;
};

struct OutputFormat {
  std::string_view name;
  std::string_view models;  // some that speak it
  std::span<const ReasoningTags> reasoning;
  std::span<const CallSyntax> calls;
  // Written around calls. They are content only where no call is: an opening word that no call follows, a
  // closing word before any call.
  std::span<const std::string_view> wrap_open = {}, wrap_close = {};
  std::span<const std::string_view> dropped = {};  // never content, such as the marks around a final answer
};

// All formats; the last is `generic`, which knows those spellings that cannot be taken for something else.
std::span<const OutputFormat> output_formats();

// Whether such a call can be held to the schema of its tool while it is written: it is seen where it begins, and what it is made of has a
// grammar.
bool can_be_held(const CallSyntax& syntax);
// The same of some call of the format.
bool can_hold_calls(const OutputFormat& format);
// Whether calls that can be held begin with marks that no JSON begins with, so that an answer is either JSON or calls.
bool can_tell_calls_from_json(const OutputFormat& format);

// Whether the opening text is one that words do not come to: what follows it is a call, or broken.
bool is_sure_mark(std::string_view open);

// nullptr when unknown.
const OutputFormat* find_output_format(std::string_view name);

// The format of the models that come with this chat template, by what the template's text contains; `generic`
// when nothing is recognized. An empty template is fine.
const OutputFormat& output_format_for_template(std::string_view template_source);

}  // namespace minnow
