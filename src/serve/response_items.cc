#include "serve/response_items.h"

#include <set>

#include "base/base64.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "serve/custom_tools.h"
#include "serve/openai_messages.h"

namespace minnow {
namespace {

OrderedJson custom_item(const std::string& id, std::string_view status, const ToolCall& call, const std::string& input) {
  return {{"id", id}, {"type", "custom_tool_call"}, {"status", status}, {"call_id", call.id}, {"name", call.name}, {"input", input}};
}

class ItemReader {
 public:
  explicit ItemReader(const ItemSources& sources) : sources_(sources) {}

  OrderedJson read(const RequestFields& item) {
    const std::string type = item.text("type", "message");
    if (type == "message") return message(item);
    if (type == "function_call") return call(item);
    if (type == "function_call_output") return call_output(item, "fco_");
    if (type == "custom_tool_call") return custom_call(item);
    if (type == "custom_tool_call_output") return call_output(item, "ctco_");
    if (type == "reasoning") return reasoning(item);
    if (type == "item_reference") return reference(item);
    item.refuse("type", "must be message, function_call or custom_tool_call or their outputs, reasoning or item_reference", "there are no built-in tools");
  }

  OrderedJson user_message(const std::string& text) const {
    return {{"id", sources_.make_id("msg_")},
            {"type", "message"},
            {"status", "completed"},
            {"role", "user"},
            {"content", OrderedJson::array({{{"type", "input_text"}, {"text", text}}})}};
  }

 private:
  std::string id(const RequestFields& item, std::string_view prefix) const {
    std::string own = item.text("id");
    return own.empty() ? sources_.make_id(prefix) : own;
  }

  OrderedJson message(const RequestFields& item) const {
    const std::string role = item.choice("role", "", {"user", "assistant", "system", "developer"});
    if (role.empty()) item.refuse("role", "is required");
    item.required("content");
    OrderedJson content = OrderedJson::array();
    for (const std::string& text : read_parts(item)) {
      const bool is_output = role == "assistant";
      content.push_back(is_output ? output_text(text, OrderedJson::array()) : OrderedJson{{"type", "input_text"}, {"text", text}});
    }
    return {{"id", id(item, "msg_")}, {"type", "message"}, {"status", "completed"}, {"role", role}, {"content", std::move(content)}};
  }

  OrderedJson call(const RequestFields& item) const {
    const ToolCall call{.id = item.required_text("call_id"), .name = item.required_text("name"), .arguments = item.text("arguments", "{}")};
    const bool is_whole = item.text("status") != "incomplete";
    if (is_whole) read_arguments(call.arguments, item.path("arguments"));
    OrderedJson out = call_item(id(item, "fc_"), is_whole ? "completed" : "incomplete", call);
    if (const std::string group = item.text("namespace"); !group.empty()) out["namespace"] = group;
    return out;
  }

  OrderedJson custom_call(const RequestFields& item) const {
    OrderedJson out = custom_item(id(item, "ctc_"), item.text("status") == "incomplete" ? "incomplete" : "completed",
                                  {.id = item.required_text("call_id"), .name = item.required_text("name"), .arguments = {}}, item.required_text("input"));
    if (const std::string group = item.text("namespace"); !group.empty()) out["namespace"] = group;
    return out;
  }

  OrderedJson call_output(const RequestFields& item, std::string_view prefix) const {
    item.required("output");
    return {{"id", id(item, prefix)},
            {"type", item.text("type")},
            {"status", "completed"},
            {"call_id", item.required_text("call_id")},
            {"output", read_content(item, "output")}};
  }

  // The texts of a list of {"type", "text"}.
  std::string texts_of(const RequestFields& item, std::string_view name) const {
    std::string text;
    std::size_t index = 0;
    for (const OrderedJson& part : item.array(name, limits::kMaxContentParts)) {
      text += RequestFields(part, element_path(item.path(name), index++)).required_text("text");
    }
    return text;
  }

  OrderedJson reasoning(const RequestFields& item) const {
    std::string text = texts_of(item, "content");
    if (text.empty()) text = texts_of(item, "summary");
    const std::string encoded = item.text("encrypted_content");
    if (text.empty() && !encoded.empty() && !decode_base64(encoded, text)) {
      item.refuse("encrypted_content", "was not written by this server", "leave the item out");
    }
    text = to_valid_utf8(text);  // base64 may hold any bytes
    return reasoning_item(id(item, "rs_"), "completed", text, !encoded.empty());
  }

  OrderedJson reference(const RequestFields& item) {
    const std::string id = item.required_text("id");
    // A reference is short, and what it refers to may be long.
    if (!referred_.insert(id).second) item.refuse("id", "is that of another reference");
    OrderedJson found = sources_.find ? sources_.find(id) : OrderedJson();
    if (found.is_null()) {
      item.refuse("id", "there is no such item", "send the item itself: answers are stored for a while, and only with store: true");
    }
    return found;
  }

  const ItemSources& sources_;
  std::set<std::string> referred_;
};

// Joins what the chat knows as one message of the assistant: what it thought, said and called.
class MessageWriter {
 public:
  void add(const OrderedJson& item) {
    const std::string& type = item["type"].get_ref<const std::string&>();
    if (type == "reasoning") return reasoning(item);
    if (type == "function_call" || type == "custom_tool_call") return call(item);
    if (type == "function_call_output" || type == "custom_tool_call_output") return call_output(item);
    message(item);
  }
  OrderedJson take() { return std::move(messages_); }

  void system_text(const std::string& text) {
    if (messages_.size() == 1 && messages_.back()["role"] == "system") {
      messages_.back()["content"].get_ref<std::string&>() += "\n\n" + text;
      return;
    }
    messages_.push_back({{"role", "system"}, {"content", text}});
  }

 private:
  void message(const OrderedJson& item) {
    std::string text;
    for (const OrderedJson& part : item["content"]) text += (text.empty() ? "" : "\n") + part["text"].get<std::string>();
    const std::string& role = item["role"].get_ref<const std::string&>();
    if (role == "assistant") {
      assistant()["content"] = text;
      return;
    }
    reasoning_.clear();  // that led to nothing: its room ended
    if (role == "user") {
      messages_.push_back({{"role", "user"}, {"content", text}});
    } else {
      system_text(text);
    }
  }
  void reasoning(const OrderedJson& item) {
    for (const OrderedJson& part : item["summary"]) reasoning_ += part["text"].get<std::string>();
  }
  // A new message, with the reasoning before it.
  OrderedJson& assistant() {
    messages_.push_back({{"role", "assistant"}, {"content", ""}});
    if (!reasoning_.empty()) messages_.back()["reasoning_content"] = std::move(reasoning_);
    reasoning_.clear();
    return messages_.back();
  }
  // Null: the room ended within them, and templates have no place for a part.
  static OrderedJson arguments_of(const OrderedJson& item) {
    const bool may_be_part = item["status"] == "incomplete";
    if (item["type"] == "custom_tool_call") return may_be_part ? OrderedJson() : custom_arguments(item["input"].get_ref<const std::string&>());
    const auto& text = item["arguments"].get_ref<const std::string&>();
    return may_be_part && !are_arguments(text) ? OrderedJson() : read_arguments(text, "arguments");
  }
  void call(const OrderedJson& item) {
    OrderedJson arguments = arguments_of(item);
    if (arguments.is_null()) {
      reasoning_.clear();
      return;
    }
    const std::string name = joined_name({item.contains("namespace") ? item["namespace"].get<std::string>() : std::string(), item["name"].get<std::string>()});
    const bool goes_on = !messages_.empty() && messages_.back()["role"] == "assistant" && reasoning_.empty();
    OrderedJson& message = goes_on ? messages_.back() : assistant();
    message["tool_calls"].push_back(
        {{"id", item["call_id"]},
         {"type", "function"},
         {"function", {{"name", name}, {"arguments", std::move(arguments)}}}});
    called_.add(item["call_id"].get<std::string>(), name);
  }
  void call_output(const OrderedJson& item) {
    reasoning_.clear();
    const std::string id = item["call_id"].get<std::string>();
    OrderedJson message = {{"role", "tool"}, {"content", item["output"]}};
    if (const std::string name = called_.find(id); !name.empty()) message["name"] = name;
    message["tool_call_id"] = id;
    messages_.push_back(std::move(message));
  }

  OrderedJson messages_ = OrderedJson::array();
  CalledNames called_;
  std::string reasoning_;
};

}  // namespace

OrderedJson read_items(const RequestFields& body, const ItemSources& sources) {
  ItemReader reader(sources);
  const OrderedJson& input = body.required("input");
  if (input.is_string()) return OrderedJson::array({reader.user_message(input.get<std::string>())});
  OrderedJson items = OrderedJson::array();
  for (const OrderedJson& item : body.array("input", limits::kMaxChatMessages)) {
    items.push_back(reader.read(RequestFields(item, element_path(body.path("input"), items.size()))));
  }
  if (items.empty()) body.refuse("input", "must have at least one item");
  return items;
}

OrderedJson messages_of_items(const OrderedJson& items, const std::string& instructions) {
  MessageWriter writer;
  if (!instructions.empty()) writer.system_text(instructions);
  for (const OrderedJson& item : items) writer.add(item);
  return writer.take();
}

OrderedJson message_item(const std::string& id, std::string_view status, OrderedJson content) {
  return {{"id", id}, {"type", "message"}, {"status", status}, {"role", "assistant"}, {"content", std::move(content)}};
}

OrderedJson output_text(std::string_view text, OrderedJson logprobs) {
  return {{"type", "output_text"}, {"text", text}, {"annotations", OrderedJson::array()}, {"logprobs", std::move(logprobs)}};
}

OrderedJson call_item(const std::string& id, std::string_view status, const ToolCall& call) {
  return {{"id", id},           {"type", "function_call"}, {"status", status},
          {"call_id", call.id}, {"name", call.name},       {"arguments", call.arguments}};
}

OrderedJson custom_call_item(const std::string& id, std::string_view status, const ToolCall& call) {
  return custom_item(id, status, call, custom_input(call.arguments));
}

OrderedJson reasoning_item(const std::string& id, std::string_view status, const std::string& text, bool encoded) {
  OrderedJson item = {{"id", id}, {"type", "reasoning"}, {"status", status}, {"summary", OrderedJson::array()}};
  if (!text.empty()) item["summary"].push_back({{"type", "summary_text"}, {"text", text}});
  if (encoded) item["encrypted_content"] = encode_base64(text);
  return item;
}

}  // namespace minnow
