#include "serve/openai_messages.h"

#include <algorithm>

#include "base/limits.h"
#include "serve/custom_tools.h"

namespace minnow {
namespace {

std::string part_text(const RequestFields& part) {
  const std::string type = part.text("type", "text");
  if (type == "text" || type == "input_text" || type == "output_text") return part.required_text("text");
  if (type == "refusal") return part.required_text("refusal");
  for (const std::string_view kind : {"image_url", "input_image", "input_audio", "audio", "file", "input_file", "video_url"}) {
    if (type == kind) part.refuse("type", fmt::format("is {}, but models here read text only", kind), "send the text alone");
  }
  part.refuse("type", "must be text");
}

OrderedJson read_call(const RequestFields& call) {
  const std::string type = call.text("type", "function");
  if (type != "function" && type != "custom") call.refuse("type", "must be function or custom");
  call.required(type);
  const RequestFields function = call.object(type);
  OrderedJson out = OrderedJson::object();
  const std::string id = call.text("id");
  if (!id.empty()) out["id"] = id;
  out["type"] = "function";
  out["function"]["name"] = function.required_text("name");
  if (type == "custom") {
    out["function"]["arguments"] = custom_arguments(function.required_text("input"));
    return out;
  }
  // Some clients send the object itself.
  const OrderedJson* arguments = function.find("arguments");
  const bool is_object = arguments && arguments->is_object();
  out["function"]["arguments"] = is_object ? *arguments : read_arguments(function.text("arguments"), function.path("arguments"));
  return out;
}

OrderedJson read_calls(const RequestFields& message) {
  OrderedJson out = OrderedJson::array();
  std::size_t index = 0;
  for (const OrderedJson& call : message.array("tool_calls", limits::kMaxToolCalls)) {
    out.push_back(read_call(RequestFields(call, element_path(message.path("tool_calls"), index++))));
  }
  return out;
}

OrderedJson read_assistant(const RequestFields& message) {
  OrderedJson out = {{"role", "assistant"}, {"content", read_content(message)}};
  if (message.has("function_call")) message.refuse("function_call", "is not supported", "use tool_calls");
  if (message.has("audio")) message.refuse("audio", "is not supported: models here read text only");
  if (const auto refusal = message.optional_text("refusal"); refusal && out["content"] == "") out["content"] = *refusal;
  const std::string reasoning = message.text(message.has("reasoning_content") ? "reasoning_content" : "reasoning");
  if (!reasoning.empty()) out["reasoning_content"] = reasoning;
  OrderedJson calls = read_calls(message);
  if (calls.empty() && !message.has("content") && !message.has("refusal")) {
    message.refuse("content", "is required, unless there are tool_calls");
  }
  if (!calls.empty()) out["tool_calls"] = std::move(calls);
  return out;
}

OrderedJson read_tool_result(const RequestFields& message, const CalledNames& called) {
  OrderedJson out = {{"role", "tool"}, {"content", read_content(message)}};
  message.required("content");
  const std::string id = message.text("tool_call_id");
  std::string name = message.text("name");
  if (name.empty() && !id.empty()) name = called.find(id);
  if (!name.empty()) out["name"] = name;
  if (!id.empty()) out["tool_call_id"] = id;
  return out;
}

OrderedJson read_message(const RequestFields& message, const CalledNames& called) {
  std::string role = message.required_text("role");
  if (role == "assistant") return read_assistant(message);
  if (role == "tool") return read_tool_result(message, called);
  if (role == "developer") role = "system";
  if (role != "system" && role != "user") message.refuse("role", "must be system, developer, user, assistant or tool");
  message.required("content");
  OrderedJson out = {{"role", role}, {"content", read_content(message)}};
  if (const std::string name = message.text("name"); !name.empty()) out["name"] = name;
  return out;
}

// Tools of OpenAI's service, with or without a version behind an underscore.
bool is_built_in(std::string_view type) {
  for (const std::string_view kind : {"web_search", "file_search", "computer", "code_interpreter", "image_generation", "mcp", "local_shell", "shell",
                                      "apply_patch", "tool_search"}) {
    if (type.starts_with(kind) && (type.size() == kind.size() || type[kind.size()] == '_')) return true;
  }
  return type == "computer-preview";
}

bool has_tool(const OrderedJson& tools, std::string_view name) {
  const auto has_name = [&](const OrderedJson& tool) { return tool["function"]["name"] == name; };
  return tools.is_array() && std::any_of(tools.begin(), tools.end(), has_name);
}

class ToolReader {
 public:
  explicit ToolReader(ToolFields& fields) : fields_(fields) {}

  void read(const RequestFields& body) {
    OrderedJson tools = OrderedJson::array();
    std::size_t index = 0;
    for (const OrderedJson& item : body.array("tools", limits::kMaxTools)) {
      const RequestFields tool(item, element_path(body.path("tools"), index++));
      const std::string type = tool.text("type", "function");
      if (type == "namespace") {
        read_group(tool, tools);
      } else if (is_built_in(type)) {
        if (built_in_.empty()) built_in_ = tool.path("type");
        fields_.unused.push_back("tools." + type);
      } else {
        add_function(tool, {}, tools);
      }
    }
    if (tools.size() > limits::kMaxTools) body.refuse("tools", fmt::format("has {} functions, allowed: {}", tools.size(), limits::kMaxTools));
    if (!tools.empty()) fields_.tools = std::move(tools);
  }

  // The model might have called one of those that are not here.
  void refuse_built_in() const {
    if (!built_in_.empty()) throw RequestError(built_in_, built_in_ + ": must be function where a call is required: there are no built-in tools");
  }

 private:
  void read_group(const RequestFields& group, OrderedJson& tools) {
    const std::string name = group.required_text("name");
    std::size_t index = 0;
    for (const OrderedJson& item : group.array("tools", limits::kMaxTools)) {
      add_function(RequestFields(item, element_path(group.path("tools"), index++)), name, tools);
    }
  }

  void add_function(const RequestFields& tool, const std::string& group, OrderedJson& tools) {
    const std::string type = tool.text("type", "function");
    if (type != "function" && type != "custom") tool.refuse("type", "must be function or custom");
    const bool is_flat = !tool.has(type) && tool.has("name");
    if (!is_flat) tool.required(type);
    const RequestFields source = is_flat ? tool : tool.object(type);
    CustomTool custom;
    if (type == "custom") custom = read_custom_tool(source);
    OrderedJson function = type == "custom" ? std::move(custom.function) : read_function(source);
    if (!group.empty()) {
      const GroupedName grouped{group, function["name"].get<std::string>()};
      function["name"] = joined_name(grouped);
      if (joined_name(grouped).size() > limits::kMaxToolNameBytes) {
        tool.refuse("name", fmt::format("has with its namespace more than {} bytes", limits::kMaxToolNameBytes));
      }
      fields_.grouped[joined_name(grouped)] = grouped;
    }
    const std::string name = function["name"].get<std::string>();
    if (has_tool(tools, name)) tool.refuse({}, "has the name of another tool");
    if (type == "custom") fields_.custom.insert(name);
    if (custom.has_grammar) fields_.unused.push_back("tools." + name + ".format");
    if (type == "function" && source.boolean("strict", false)) fields_.strict.push_back(name);
    tools.push_back({{"type", "function"}, {"function", std::move(function)}});
  }

  ToolFields& fields_;
  std::string built_in_;  // the path of the first one's type
};

// {"type": "function", "function": {"name": f}} or {"type": "function", "name": f}; likewise with custom.
std::string chosen_name(const RequestFields& choice) {
  const std::string type = choice.text("type", "function");
  if (type != "function" && type != "custom") choice.refuse("type", "must be function, custom or allowed_tools", "other kinds of choices are not supported");
  const std::string name = choice.has(type) ? choice.object(type).required_text("name") : choice.required_text("name");
  return joined_name({choice.text("namespace"), name});
}

// {"type": "allowed_tools", "mode", "tools"}, or, as chats have it, these two within another "allowed_tools".
void allow_tools(ToolFields& fields, const RequestFields& choice) {
  const RequestFields allowed = choice.has("allowed_tools") ? choice.object("allowed_tools") : choice;
  allowed.required("mode");
  if (allowed.choice("mode", "", {"auto", "required"}) == "required") fields.choice = ToolChoice::kRequired;
  allowed.required("tools");
  OrderedJson kept = OrderedJson::array();
  std::size_t index = 0;
  for (const OrderedJson& item : allowed.array("tools", limits::kMaxTools)) {
    const RequestFields tool(item, element_path(allowed.path("tools"), index++));
    const std::string type = tool.text("type", "function");
    if (is_built_in(type) && fields.choice == ToolChoice::kAuto) {
      fields.unused.push_back("tools." + type);
      continue;
    }
    const std::string name = chosen_name(tool);
    if (!has_tool(fields.tools, name)) tool.refuse({}, "names a tool that is not in tools");
    if (has_tool(kept, name)) continue;
    for (const OrderedJson& known : fields.tools) {
      if (known["function"]["name"] == name) kept.push_back(known);
    }
  }
  fields.tools = kept.empty() ? OrderedJson() : std::move(kept);
  std::erase_if(fields.strict, [&](const std::string& name) { return !has_tool(fields.tools, name); });
  if (fields.tools.is_null() && fields.choice == ToolChoice::kRequired) allowed.refuse("tools", "must have at least one tool where a call is required");
}

}  // namespace

OrderedJson read_messages(const RequestFields& body) {
  body.required("messages");
  OrderedJson messages = OrderedJson::array();
  CalledNames called;
  for (const OrderedJson& message : body.array("messages", limits::kMaxChatMessages)) {
    messages.push_back(read_message(RequestFields(message, element_path(body.path("messages"), messages.size())), called));
    called.add_calls(messages.back());
  }
  if (messages.empty()) body.refuse("messages", "must have at least one message");
  return messages;
}

std::vector<std::string> read_parts(const RequestFields& message, std::string_view name) {
  const OrderedJson* content = message.find(name);
  if (!content) return {};
  if (content->is_string()) return {content->get<std::string>()};
  if (!content->is_array()) message.refuse(name, fmt::format("must be a string or an array of parts, is {}", json_type_name(*content)));
  std::vector<std::string> parts;
  for (const OrderedJson& part : message.array(name, limits::kMaxContentParts)) {
    const std::string path = element_path(message.path(name), parts.size());
    parts.push_back(part.is_string() ? part.get<std::string>() : part_text(RequestFields(part, path)));
  }
  return parts;
}

std::string read_content(const RequestFields& message, std::string_view name) {
  return fmt::format("{}", fmt::join(read_parts(message, name), "\n"));
}

void CalledNames::add_calls(const OrderedJson& message) {
  if (!message.contains("tool_calls")) return;
  for (const OrderedJson& call : message.at("tool_calls")) {
    if (call.contains("id")) add(call.at("id").get<std::string>(), call.at("function").at("name").get<std::string>());
  }
}

std::string CalledNames::find(const std::string& id) const {
  const auto found = names_.find(id);
  return found == names_.end() ? std::string() : found->second;
}

OrderedJson read_arguments(std::string_view text, const std::string& path) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return OrderedJson::object();
  try {
    OrderedJson arguments = parse_ordered_json(text, path);
    if (arguments.is_object()) return arguments;
  } catch (const Error& error) {
    throw RequestError(path, error.what());
  }
  throw RequestError(path, path + ": must be the JSON text of an object");
}

bool are_arguments(std::string_view text) {
  try {
    read_arguments(text, "arguments");
    return true;
  } catch (const RequestError&) {
    return false;
  }
}

std::string joined_name(const GroupedName& tool) {
  if (tool.group.empty()) return tool.name;
  return tool.group + (tool.group.ends_with("__") ? "" : "__") + tool.name;
}

OrderedJson read_function(const RequestFields& function) {
  OrderedJson out = OrderedJson::object();
  const std::string name = function.required_text("name");
  if (name.empty() || name.size() > limits::kMaxToolNameBytes) {
    function.refuse("name", fmt::format("must have 1 to {} bytes", limits::kMaxToolNameBytes));
  }
  out["name"] = name;
  if (const auto description = function.optional_text("description")) out["description"] = *description;
  const RequestFields parameters = function.object("parameters");
  out["parameters"] = parameters.json();
  if (parameters.json().empty()) out["parameters"] = {{"type", "object"}, {"properties", OrderedJson::object()}};
  return out;
}

bool is_strict_unused(const ChatRequest& request, const ResponderCapabilities& can) {
  return request.tool_choice == ToolChoice::kAuto && !request.strict_tools.empty() && !can.held_calls;
}

ToolFields read_tools(const RequestFields& body) {
  if (body.has("functions")) body.refuse("functions", "is not supported", "use tools");
  if (body.has("function_call")) body.refuse("function_call", "is not supported", "use tool_choice");
  ToolFields fields{.parallel = body.boolean("parallel_tool_calls", true)};
  ToolReader reader(fields);
  reader.read(body);
  const OrderedJson* choice = body.find("tool_choice");
  if (!choice) return fields;
  if (choice->is_object() && body.object("tool_choice").text("type") == "allowed_tools") {
    allow_tools(fields, body.object("tool_choice"));
    return fields;
  }
  if (choice->is_object()) {
    fields.choice = ToolChoice::kNamed;
    fields.name = chosen_name(body.object("tool_choice"));
    if (!has_tool(fields.tools, fields.name)) body.refuse("tool_choice", "names a tool that is not in tools");
    return fields;
  }
  const std::string word = body.choice("tool_choice", "auto", {"none", "auto", "required"});
  if (word == "required") reader.refuse_built_in();
  if (word == "required" && fields.tools.is_null()) body.refuse("tool_choice", "is required, but there are no tools");
  if (word == "required") fields.choice = ToolChoice::kRequired;
  if (word == "none") fields.choice = ToolChoice::kNone;
  return fields;
}

}  // namespace minnow
