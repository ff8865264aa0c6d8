#include "serve/anthropic_blocks.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/limits.h"

namespace minnow {
namespace {

// What only Anthropic's service can read, or do.
constexpr std::array<std::string_view, 10> kOfTheService = {
    "redacted_thinking", "server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result",
    "bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result", "mcp_tool_use", "mcp_tool_result"};

[[noreturn]] void refuse_block(const RequestFields& block, const std::string& type, std::string_view allowed) {
  for (const std::string_view kind : {"image", "document", "audio", "video", "container_upload", "search_result"}) {
    if (type == kind) block.refuse("type", fmt::format("is {}, but models here read text only", kind), "send the text alone");
  }
  block.refuse("type", fmt::format("must be {} here", allowed));
}

// Pieces of text that stand on their own are lines.
void join(std::string& text, std::string_view more) {
  if (!text.empty() && !more.empty() && text.back() != '\n') text += '\n';
  text += more;
}

// A string, or blocks of text.
std::string read_text_blocks(const RequestFields& holder, std::string_view name) {
  const OrderedJson* value = holder.find(name);
  if (!value) return {};
  if (value->is_string()) return value->get<std::string>();
  if (!value->is_array()) holder.refuse(name, fmt::format("must be a string or an array of blocks, is {}", json_type_name(*value)));
  std::string text;
  std::size_t index = 0;
  for (const OrderedJson& item : holder.array(name, limits::kMaxContentParts)) {
    const RequestFields block(item, element_path(holder.path(name), index++));
    const std::string type = block.required_text("type");
    check_cache_control(block);
    if (type != "text") refuse_block(block, type, "text");
    join(text, block.required_text("text"));
  }
  return text;
}

// One message's blocks, in order, into messages of chat templates.
class MessageReader {
 public:
  MessageReader(OrderedJson& messages, std::vector<std::string>& unused) : messages_(messages), unused_(unused) {}

  void read(const RequestFields& message) {
    const std::string role = message.required_text("role");
    if (role == "system") return read_system(message);
    if (role != "user" && role != "assistant") message.refuse("role", "must be user, assistant or system");
    if (role == "assistant") add_late_text();
    read_turn(message, role);
    if (role == "user") add_late_text();
    has_turns_ = true;
  }

  bool has_turns() const { return has_turns_; }
  // What the system said behind the last turn.
  void end() { add_late_text(); }

 private:
  void read_system(const RequestFields& message) {
    message.required("content");
    const std::string text = read_text_blocks(message, "content");
    if (text.empty()) return;
    if (!has_turns_) return add_text("system", text);
    if (messages_.back()["role"] != "assistant") return add_text("user", text);
    join(late_text_, text);  // results of the assistant's calls may follow, and come first
  }

  void add_late_text() {
    if (!late_text_.empty()) add_text("user", std::exchange(late_text_, {}));
  }

  void read_turn(const RequestFields& message, const std::string& role) {
    const OrderedJson& content = message.required("content");
    if (content.is_string()) return add_text(role, content.get<std::string>());
    if (!content.is_array()) message.refuse("content", fmt::format("must be a string or an array of blocks, is {}", json_type_name(content)));
    if (content.empty()) add_text(role, {});
    std::size_t index = 0;
    for (const OrderedJson& item : message.array("content", limits::kMaxContentParts)) {
      const RequestFields block(item, element_path(message.path("content"), index++));
      check_cache_control(block);
      role == "user" ? read_user(block) : read_assistant(block);
    }
  }

  // The message that a further block of this role belongs to.
  OrderedJson& current(const std::string& role) {
    if (messages_.empty() || messages_.back()["role"] != role) messages_.push_back({{"role", role}, {"content", ""}});
    return messages_.back();
  }

  void add_text(const std::string& role, std::string_view text) {
    join(current(role)["content"].get_ref<std::string&>(), text);
  }

  void read_user(const RequestFields& block) {
    const std::string type = block.required_text("type");
    if (type == "text") return add_text("user", block.required_text("text"));
    if (type != "tool_result") refuse_block(block, type, "text or tool_result");
    const std::string id = block.required_text("tool_use_id");
    const auto name = names_.find(id);
    if (name == names_.end()) block.refuse("tool_use_id", "is not the id of a tool_use block before it");
    std::string result = read_text_blocks(block, "content");
    // Templates have no word for it; the model reads it.
    if (block.boolean("is_error", false) && !result.starts_with("Error")) result = "Error: " + result;
    messages_.push_back({{"role", "tool"}, {"content", std::move(result)}, {"name", name->second}, {"tool_call_id", id}});
  }

  void read_assistant(const RequestFields& block) {
    const std::string type = block.required_text("type");
    if (type == "text") return add_text("assistant", block.required_text("text"));
    OrderedJson& message = current("assistant");
    if (type == "thinking") {
      OrderedJson& thinking = message["reasoning_content"];
      if (thinking.is_null()) thinking = "";
      return join(thinking.get_ref<std::string&>(), block.required_text("thinking"));
    }
    if (std::find(kOfTheService.begin(), kOfTheService.end(), type) != kOfTheService.end()) {
      std::string name = "messages." + type;
      if (std::find(unused_.begin(), unused_.end(), name) == unused_.end()) unused_.push_back(std::move(name));
      return;
    }
    if (type != "tool_use") refuse_block(block, type, "text, thinking or tool_use");
    const std::string id = block.required_text("id"), name = block.required_text("name");
    if (message.contains("tool_calls") && message["tool_calls"].size() >= limits::kMaxToolCalls) {
      block.refuse({}, fmt::format("is one of more than {} calls", limits::kMaxToolCalls));
    }
    names_[id] = name;
    message["tool_calls"].push_back({{"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", block.object("input").json()}}}});
  }

  OrderedJson& messages_;
  std::vector<std::string>& unused_;
  bool has_turns_ = false;
  std::string late_text_;  // of the system, for the user's next turn
  std::map<std::string, std::string> names_;  // of the tools that were called, by the call's id
};

}  // namespace

void check_cache_control(const RequestFields& holder) {
  if (!holder.has("cache_control")) return;
  const RequestFields control = holder.object("cache_control");
  control.required("type");
  control.choice("type", "", {"ephemeral"});
  control.choice("ttl", "5m", {"5m", "1h"});
}

OrderedJson read_anthropic_messages(const RequestFields& body, std::vector<std::string>& unused) {
  OrderedJson messages = OrderedJson::array();
  if (std::string system = read_text_blocks(body, "system"); !system.empty()) {
    messages.push_back({{"role", "system"}, {"content", std::move(system)}});
  }
  if (!body.has("messages")) throw RequestError("messages", "messages is required");
  MessageReader reader(messages, unused);
  std::size_t index = 0;
  for (const OrderedJson& message : body.array("messages", limits::kMaxChatMessages)) {
    reader.read(RequestFields(message, element_path("messages", index++)));
  }
  reader.end();
  if (!reader.has_turns()) throw RequestError("messages", "messages is required", "give at least one");
  return messages;
}

}  // namespace minnow
