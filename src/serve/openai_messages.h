// Chats of the OpenAI API as chat templates want them: contents as text, arguments of calls as objects, no role but four.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "respond/responder.h"
#include "serve/fields.h"

namespace minnow {

// The array "messages": {role: system | user | assistant | tool, content: text} each, and where they are given name,
// reasoning_content, tool_calls (arguments as an object; those of custom tools have an "input" there), tool_call_id. "developer" is
// "system". A tool's message without a name gets that of the call that it answers. Throws RequestError for anything else: images, sound
// and files among them.
OrderedJson read_messages(const RequestFields& body);

// A message's content: a string, or parts of text. Missing and null are none.
std::vector<std::string> read_parts(const RequestFields& message, std::string_view name = "content");
// The same, joined by line ends.
std::string read_content(const RequestFields& message, std::string_view name = "content");

// Which tool a call was of, by the call's id: results need not say it. Of calls with the same id the last one counts.
class CalledNames {
 public:
  void add(const std::string& id, const std::string& name) { names_[id] = name; }
  // The calls of a message that was read.
  void add_calls(const OrderedJson& message);
  // Empty: no call has the id.
  std::string find(const std::string& id) const;

 private:
  std::map<std::string, std::string> names_;
};

// JSON text of an object, as calls carry it; empty is {}. Throws RequestError naming `path`.
OrderedJson read_arguments(std::string_view text, const std::string& path);
// Whether it can be read so.
bool are_arguments(std::string_view text);

// A tool of a group of tools ({"type": "namespace"}) as clients know it; models know it by one name.
struct GroupedName {
  std::string group, name;
};
std::string joined_name(const GroupedName& tool);

struct ToolFields {
  OrderedJson tools;  // null: none, or none may be called
  ToolChoice choice = ToolChoice::kAuto;
  std::string name;  // of kNamed
  bool parallel = true;
  std::map<std::string, GroupedName> grouped = {};  // by their names in `tools`
  std::set<std::string> custom = {};                // names in `tools` of those that take text (custom_tools.h)
  std::vector<std::string> unused = {};             // built-in tools that were left out: "tools.web_search"; grammars: "tools.NAME.format"
  std::vector<std::string> strict = {};               // names of those that say so
};

// "tools", "tool_choice" and "parallel_tool_calls". Tools are those of /v1/chat/completions ({"type": "function", "function": {...}})
// or of /v1/responses ({"type": "function", "name": ...}); either way the result has the former. Custom tools and tools of groups are
// functions as well.
// Tools that are built into OpenAI's service are left out, unless a call is required. Of tool_choice "allowed_tools" the tools that it
// names are left. Throws RequestError.
ToolFields read_tools(const RequestFields& body);

// Whether the request's strict tools are called as if they were not: the answer says so, "strict" being an option without an effect.
bool is_strict_unused(const ChatRequest& request, const ResponderCapabilities& can);

// {"name", "description", "parameters"} with an object schema where the request has none. Throws RequestError.
OrderedJson read_function(const RequestFields& function);

}  // namespace minnow
