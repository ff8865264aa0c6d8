#include "serve/anthropic_request.h"

#include <algorithm>
#include <cfloat>
#include <limits>

#include "base/limits.h"
#include "base/utf8.h"
#include "serve/anthropic_blocks.h"
#include "serve/openai_messages.h"
#include "serve/response_format.h"
#include "serve/sampling_fields.h"

namespace minnow {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
constexpr int64_t kMinThinkingBudget = 1024;  // as Anthropic has it

// Tools of Anthropic's service, and those whose schema only its own models know; their types have a version behind an underscore.
bool is_built_in(std::string_view type) {
  for (const std::string_view kind : {"web_search", "web_fetch", "bash", "text_editor", "computer", "code_execution", "memory", "tool_search_tool"}) {
    if (type.size() > kind.size() && type.starts_with(kind) && type[kind.size()] == '_') return true;
  }
  return false;
}

OrderedJson read_tool(const RequestFields& tool) {
  tool.required("input_schema");
  // The same with another name for the schema.
  OrderedJson function = {{"name", tool.required_text("name")}};
  if (const auto description = tool.optional_text("description")) function["description"] = *description;
  function["parameters"] = tool.object("input_schema").json();
  return {{"type", "function"}, {"function", read_function(RequestFields(function, tool.path()))}};
}

struct ToolList {
  OrderedJson tools = OrderedJson::array();
  std::vector<std::string> strict;            // names of those that say so
  std::vector<std::string> built_in, unused;  // names of those that are left out, and "tools.TYPE" of each
  std::string first_built_in;                 // the path of the first one's type
};

ToolList read_tool_list(const RequestFields& body) {
  ToolList list;
  std::size_t index = 0;
  for (const OrderedJson& item : body.array("tools", limits::kMaxTools)) {
    const RequestFields fields(item, element_path("tools", index++));
    const std::string type = fields.text("type", "custom");
    check_cache_control(fields);
    if (is_built_in(type)) {
      if (list.first_built_in.empty()) list.first_built_in = fields.path("type");
      list.built_in.push_back(fields.required_text("name"));
      list.unused.push_back("tools." + type);
      continue;
    }
    if (type != "custom") fields.refuse("type", "must be custom");
    OrderedJson tool = read_tool(fields);
    for (const OrderedJson& other : list.tools) {
      if (other["function"]["name"] == tool["function"]["name"]) fields.refuse("name", "is that of another tool");
    }
    if (fields.boolean("strict", false)) list.strict.push_back(fields.required_text("name"));
    list.tools.push_back(std::move(tool));
  }
  return list;
}

void read_tool_choice(ChatRequest& request, const RequestFields& body, const ToolList& list) {
  if (!body.has("tool_choice")) return;
  const RequestFields choice = body.object("tool_choice");
  const std::string type = choice.required_text("type");
  request.parallel_tool_calls = !choice.boolean("disable_parallel_tool_use", false);
  if (type == "none") request.tool_choice = ToolChoice::kNone;
  if (type == "any") request.tool_choice = ToolChoice::kRequired;
  if (type == "tool") {
    request.tool_choice = ToolChoice::kNamed;
    request.tool_name = choice.required_text("name");
    bool is_known = false;
    for (const OrderedJson& tool : list.tools) is_known = is_known || tool["function"]["name"] == request.tool_name;
    const bool is_left_out = std::find(list.built_in.begin(), list.built_in.end(), request.tool_name) != list.built_in.end();
    if (!is_known && is_left_out) choice.refuse("name", "is that of a built-in tool, which no model can be shown here", "give a tool with an input_schema");
    if (!is_known) choice.refuse("name", "is not the name of one of the tools");
  } else if (type != "auto" && type != "none" && type != "any") {
    choice.refuse("type", "must be auto, any, tool or none");
  }
  // The model might have called one of those that are not here.
  if (type == "any" && !list.first_built_in.empty()) {
    throw RequestError(list.first_built_in, list.first_built_in + ": must be custom where a call is required: there are no built-in tools");
  }
  if (list.tools.empty() && type != "auto" && type != "none") body.refuse("tool_choice", "needs tools to choose from");
}

void set_tools(AnthropicFields& fields, const RequestFields& body, const AnthropicModel& model) {
  ChatRequest& request = fields.request;
  ToolList list = read_tool_list(body);
  read_tool_choice(request, body, list);
  fields.unused.insert(fields.unused.end(), list.unused.begin(), list.unused.end());
  if (list.tools.empty() || request.tool_choice == ToolChoice::kNone) return;
  if (request.tool_choice == ToolChoice::kAuto) {
    if (!model.can.tools) {
      body.refuse("tools", fmt::format("\"{}\" does not support tools: its chat template does not show them to it", model.name),
                  "tool_choice any or tool forces a call all the same");
    }
    if (request.constraint.kind != ConstraintSpec::Kind::kNone && !may_call_instead(model.can, request.constraint)) {
      body.refuse("tools", "an answer that is held to this format cannot call tools of this model", "leave out the tools or the format");
    }
  }
  request.strict_tools = std::move(list.strict);
  request.tools = std::move(list.tools);
}

// The model does not think unless it is asked to. A budget is what it should keep to; max_tokens is what it has to.
void set_thinking(ChatRequest& request, const RequestFields& body, const AnthropicModel& model) {
  request.thinking = false;
  if (!body.has("thinking")) return;
  const RequestFields thinking = body.object("thinking");
  thinking.required("type");
  const std::string type = thinking.choice("type", "", {"enabled", "disabled", "adaptive"});
  if (type == "disabled") return;
  const auto budget = thinking.optional_integer("budget_tokens", kMinThinkingBudget, kMaxInt);
  if (type == "enabled" && !budget) thinking.refuse("budget_tokens", "is required");
  if (budget && request.max_tokens >= 0 && *budget >= request.max_tokens) thinking.refuse("budget_tokens", "must be less than max_tokens");
  if (!model.can.thinking && type == "enabled") {
    body.refuse("thinking", fmt::format("\"{}\" does not support thinking", model.name), "leave it out");
  }
  request.thinking = model.can.thinking;  // adaptive: as the model decides
}

// output_config: {effort, format}; output_format is its older place.
void set_output(AnthropicFields& fields, const RequestFields& body, const AnthropicModel& model) {
  ChatRequest& request = fields.request;
  const RequestFields config = body.object("output_config");
  if (config.has("format") && body.has("output_format")) body.refuse("output_format", "cannot go together with output_config.format");
  const RequestFields& holder = config.has("format") ? config : body;
  const std::string_view name = config.has("format") ? "format" : "output_format";
  if (holder.has(name)) {
    const RequestFields format = holder.object(name);
    if (format.required_text("type") != "json_schema") format.refuse("type", "must be json_schema");
    request.constraint = schema_constraint(format, "schema");
  }
  const std::string effort = config.choice("effort", "", {"low", "medium", "high", "xhigh", "max"});
  if (effort.empty()) return;
  if (!model.can.thinking) {
    fields.unused.emplace_back("output_config.effort");
    return;
  }
  request.template_variables["reasoning_effort"] = effort == "low" || effort == "medium" ? effort : "high";
}

void set_sampling(ChatRequest& request, const RequestFields& body, const SamplingParams& defaults) {
  SamplingParams& p = request.sampling;
  p = defaults;
  p.temperature = static_cast<float>(body.number("temperature", p.temperature, 0, 1));
  // 0 leaves the likeliest token, which the smallest share does as well.
  p.top_p = std::max(static_cast<float>(body.number("top_p", p.top_p, 0, 1)), FLT_MIN);
  p.top_k = static_cast<int>(body.integer("top_k", p.top_k, 0, kMaxInt));
  p.seed = random_seed();
  request.stop = read_stop(body, "stop_sequences");
}

void read_max_tokens(ChatRequest& request, const RequestFields& body, bool required) {
  const auto max_tokens = body.optional_integer("max_tokens", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
  if (required && (!max_tokens || *max_tokens <= 0)) throw RequestError("max_tokens", "max_tokens is required and must be positive");
  if (max_tokens) request.max_tokens = *max_tokens;
}

// A last message of the assistant is the beginning of the answer.
void set_continuation(ChatRequest& request, const RequestFields& body) {
  const OrderedJson& last = request.messages.back();
  if (last["role"] != "assistant") return;
  if (last.contains("tool_calls")) body.refuse("messages", "end with a tool_use block, whose tool_result is missing");
  request.continue_last = true;
}

// Would change the answer.
void refuse_unsupported(const RequestFields& body) {
  for (const std::string_view name : {"mcp_servers", "container"}) {
    const OrderedJson* value = body.find(name);
    if (value && !value->empty()) body.refuse(name, "is not supported", "leave it out");
  }
}

// Edits that make room in a long conversation: there is no need of them, since one that is too long is refused.
void read_context_management(AnthropicFields& fields, const RequestFields& body) {
  const RequestFields management = body.object("context_management");
  std::size_t index = 0;
  for (const OrderedJson& item : management.array("edits", limits::kMaxContextEdits)) {
    const RequestFields edit(item, element_path(management.path("edits"), index++));
    const std::string type = edit.required_text("type");
    if (type != "clear_thinking_20251015" && !type.starts_with("clear_tool_uses_")) {
      edit.refuse("type", fmt::format("{} is not supported", to_valid_utf8(type)), "leave the edit out");
    }
    fields.unused.push_back("context_management." + type);
  }
}

}  // namespace

AnthropicFields read_anthropic(const RequestFields& body, const AnthropicModel& model, bool with_answer) {
  if (!model.can.chat) body.refuse("model", fmt::format("\"{}\" does not support chat: it has no chat template", model.name));
  refuse_unsupported(body);
  AnthropicFields fields;
  ChatRequest& request = fields.request;
  read_max_tokens(request, body, with_answer);
  request.messages = read_anthropic_messages(body, fields.unused);
  set_continuation(request, body);
  set_sampling(request, body, model.sampling);
  set_output(fields, body, model);
  set_tools(fields, body, model);
  set_thinking(request, body, model);
  read_context_management(fields, body);
  fields.stream = body.boolean("stream", false);
  // Without an effect on answers, but to be of their type.
  body.object("metadata").optional_text("user_id");
  check_cache_control(body);
  if (body.text("service_tier", "auto") != "auto") fields.unused.emplace_back("service_tier");
  return fields;
}

}  // namespace minnow
