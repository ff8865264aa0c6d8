#include "text/template_needs.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/error.h"

namespace minnow {
namespace {

constexpr std::string_view kSystem = "minnowsaysone", kSystemAgain = "minnowsaystwo",
                           kQuestion = "minnowasks";
constexpr std::string_view kArgument = "minnowgives", kResult = "minnowgets";

OrderedJson said(std::string_view role, std::string_view text) { return {{"role", role}, {"content", text}}; }

// A question, a call for it and its result. Names and ids are such as the strictest templates take.
ChatTemplateInput chat_with_call() {
  OrderedJson parameters = {{"type", "object"}};
  parameters["properties"]["place"] = {{"type", "string"}, {"description", "A place."}};
  parameters["required"] = OrderedJson::array({"place"});
  OrderedJson tool = {{"type", "function"}};
  tool["function"] = {{"name", "look"}, {"description", "Looks."}, {"parameters", std::move(parameters)}};
  OrderedJson call = {{"id", "minnow000"}, {"type", "function"}};
  call["function"]["name"] = "look";
  call["function"]["arguments"]["place"] = kArgument;
  OrderedJson answer = said("assistant", ""), result = said("tool", kResult);
  answer["tool_calls"] = OrderedJson::array({std::move(call)});
  result["name"] = "look";
  result["tool_call_id"] = "minnow000";
  ChatTemplateInput input;
  input.messages = OrderedJson::array({said("user", kQuestion), std::move(answer), std::move(result)});
  input.tools = OrderedJson::array({std::move(tool)});
  return input;
}

// In the order in which they are tried: what most templates take comes first.
constexpr std::array<ToolForm, 4> kToolForms = {
    {{}, {.empty_list = true}, {.functions = true}, {.empty_list = true, .functions = true}}};
constexpr std::array<CallForm, 4> kCallForms = {
    {{}, {.text_arguments = true}, {.no_content = true}, {.text_arguments = true, .no_content = true}}};

bool has_calls(const OrderedJson& message) {
  if (!message.is_object() || !message.contains("tool_calls")) return false;
  const OrderedJson& calls = message["tool_calls"];
  return calls.is_array() && !calls.empty();
}

void write_arguments_as_text(OrderedJson& message) {
  for (OrderedJson& call : message["tool_calls"]) {
    if (!call.is_object() || !call.contains("function") || !call["function"].is_object()) continue;
    OrderedJson& function = call["function"];
    if (function.contains("arguments") && function["arguments"].is_object())
      function["arguments"] = json_of_template(function["arguments"], 0);
  }
}

// The tools as FireFunction's authors show them: without what says that each is a function.
std::string functions_text(const OrderedJson& tools) {
  OrderedJson functions = OrderedJson::array();
  if (tools.is_array()) {
    for (const OrderedJson& tool : tools)
      functions.push_back(tool.is_object() && tool.contains("function") ? tool["function"] : tool);
  }
  return json_of_template(functions, 4);
}

// "Nov 30 2024", in UTC. With the time of day no two prompts would begin alike.
std::string day_text(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%b %d %Y", &parts)};
}

ChatTemplateInput with_functions(ChatTemplateInput input) {
  if (!input.extra.contains("functions")) input.extra["functions"] = functions_text(input.tools);
  if (!input.extra.contains("datetime"))
    input.extra["datetime"] = day_text(input.now.value_or(std::time(nullptr)));
  return input;
}

void write_calls(ChatTemplateInput& input, const CallForm& form) {
  for (OrderedJson& message : input.messages) {
    if (!has_calls(message)) continue;
    if (form.text_arguments) write_arguments_as_text(message);
    if (form.no_content && message.contains("content") && message["content"] == "")
      message["content"] = nullptr;
  }
}

}  // namespace

bool has_tool_turns(const OrderedJson& messages) {
  if (!messages.is_array()) return false;
  return std::any_of(messages.begin(), messages.end(), [](const OrderedJson& message) {
    return has_calls(message) ||
           (message.is_object() && message.contains("role") && message["role"] == "tool");
  });
}

TemplateNeeds::TemplateNeeds(const ChatTemplate& chat_template, std::string_view source, std::string bos,
                             std::string eos)
    : template_(chat_template),
      bos_(std::move(bos)),
      eos_(std::move(eos)),
      speaks_of_tools_(source.find("tools") != std::string_view::npos),
      speaks_of_functions_(source.find("functions") != std::string_view::npos),
      speaks_of_calls_(source.find("tool_calls") != std::string_view::npos) {}

std::string TemplateNeeds::rendered(ChatTemplateInput input) const {
  input.bos_token = bos_;
  input.eos_token = eos_;
  return template_.render(input);
}

// Whether all of the texts are in what the template makes of the chat.
bool TemplateNeeds::shows(OrderedJson messages, std::initializer_list<std::string_view> texts) const {
  ChatTemplateInput input;
  input.messages = std::move(messages);
  try {
    const std::string text = rendered(with_tools_as_wanted(std::move(input)));
    return std::ranges::all_of(texts,
                               [&](std::string_view part) { return text.find(part) != std::string::npos; });
  } catch (const Error&) {
    return false;
  }
}

// The first that a question is rendered with; at most 4 chats.
ToolForm TemplateNeeds::find_tool_form() const {
  for (const ToolForm& form : kToolForms) {
    if (form.functions && !speaks_of_functions_) break;
    ChatTemplateInput input;
    input.messages.push_back(said("user", kQuestion));
    if (form.functions) input = with_functions(std::move(input));
    if (form.empty_list) input.tools = OrderedJson::array();
    try {
      rendered(std::move(input));
      return form;
    } catch (const Error&) {
      continue;
    }
  }
  return {};
}

// Whether a tool that has none keeps the template from rendering, and an empty one helps; at most 2 chats.
bool TemplateNeeds::finds_descriptions_missing() const {
  ChatTemplateInput input = chat_with_call();
  input.messages.erase(input.messages.begin() + 1, input.messages.end());
  const auto renders = [&] {
    try {
      rendered(with_functions_as_wanted(input));
      return true;
    } catch (const Error&) {
      return false;
    }
  };
  OrderedJson& function = input.tools[0]["function"];
  function.erase("description");
  if (renders()) return false;
  function["description"] = "";
  return renders();
}

ChatTemplateInput TemplateNeeds::with_tools_as_wanted(ChatTemplateInput input) const {
  const auto lacks_description = [](const OrderedJson& tool) {
    return tool.is_object() && tool.contains("function") && tool["function"].is_object() && !tool["function"].contains("description");
  };
  const bool lacks_one = input.tools.is_array() && std::any_of(input.tools.begin(), input.tools.end(), lacks_description);
  if (lacks_one && speaks_of_tools_ && wants_descriptions_.get([this] { return finds_descriptions_missing(); })) {
    for (OrderedJson& tool : input.tools) {
      if (lacks_description(tool)) tool["function"]["description"] = "";
    }
  }
  return with_functions_as_wanted(std::move(input));
}

ChatTemplateInput TemplateNeeds::with_functions_as_wanted(ChatTemplateInput input) const {
  const bool matters = speaks_of_functions_ || (speaks_of_tools_ && input.tools.is_null());
  if (!matters) return input;
  const ToolForm& form = tool_form_.get([this] { return find_tool_form(); });
  if (form.functions) input = with_functions(std::move(input));
  if (form.empty_list && input.tools.is_null()) input.tools = OrderedJson::array();
  return input;
}

// The first in which the call and its result are seen, else the first that renders; at most 4 chats. An
// object that is written as Python shows it is not JSON, which the model has learned to write.
CallForm TemplateNeeds::find_call_form() const {
  std::optional<CallForm> renders;
  for (const CallForm& form : kCallForms) {
    ChatTemplateInput input = with_tools_as_wanted(chat_with_call());
    write_calls(input, form);
    try {
      const std::string text = rendered(std::move(input));
      if (!renders) renders = form;
      const bool is_repr = text.find("{'place': '") != std::string::npos;
      if (!is_repr && text.find(kArgument) != std::string::npos && text.find(kResult) != std::string::npos)
        return form;
    } catch (const Error&) {
      continue;
    }
  }
  return renders.value_or(CallForm{});
}

ChatTemplateInput TemplateNeeds::fitted(ChatTemplateInput input) const {
  input = with_tools_as_wanted(std::move(input));
  const OrderedJson& messages = input.messages;
  if (!speaks_of_calls_ || !messages.is_array() || std::none_of(messages.begin(), messages.end(), has_calls))
    return input;
  const CallForm& form = call_form_.get([this] { return find_call_form(); });
  write_calls(input, form);
  return input;
}

bool TemplateNeeds::shows_question() const {
  return shows_question_.get(
      [this] { return shows(OrderedJson::array({said("user", kQuestion)}), {kQuestion}); });
}

bool TemplateNeeds::shows_first_system() const {
  if (!shows_question()) return true;
  return first_system_.get([this] {
    return shows(OrderedJson::array({said("system", kSystem), said("user", kQuestion)}),
                 {kSystem, kQuestion});
  });
}

SystemPlaces TemplateNeeds::system_places() const {
  return places_.get([this] { return find_places(); });
}

SystemPlaces TemplateNeeds::find_places() const {
  if (!shows_question()) return {};
  const OrderedJson question = said("user", kQuestion), answer = said("assistant", "yes");
  const OrderedJson one = said("system", kSystem), two = said("system", kSystemAgain);
  const auto shows_both = [&](OrderedJson messages) {
    return shows(std::move(messages), {kSystem, kSystemAgain, kQuestion});
  };
  SystemPlaces places{.first = shows_first_system()};
  places.several = places.first && shows_both(OrderedJson::array({one, two, question}));
  places.late = places.first && shows_both(OrderedJson::array({one, question, two})) &&
                shows_both(OrderedJson::array({one, question, answer, two, question}));
  return places;
}

}  // namespace minnow
