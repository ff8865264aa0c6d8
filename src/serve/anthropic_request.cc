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

OrderedJson read_tool(const RequestFields& tool) {
  const std::string type = tool.text("type", "custom");
  if (type != "custom") tool.refuse("type", "must be custom: there are no built-in tools");
  tool.required("input_schema");
  // The same with another name for the schema.
  OrderedJson function = {{"name", tool.required_text("name")}};
  if (const auto description = tool.optional_text("description")) function["description"] = *description;
  function["parameters"] = tool.object("input_schema").json();
  return {{"type", "function"}, {"function", read_function(RequestFields(function, tool.path()))}};
}

OrderedJson read_tool_list(const RequestFields& body) {
  OrderedJson tools = OrderedJson::array();
  for (const OrderedJson& item : body.array("tools", limits::kMaxTools)) {
    const RequestFields fields(item, element_path("tools", tools.size()));
    OrderedJson tool = read_tool(fields);
    for (const OrderedJson& other : tools) {
      if (other["function"]["name"] == tool["function"]["name"]) fields.refuse("name", "is that of another tool");
    }
    tools.push_back(std::move(tool));
  }
  return tools;
}

void read_tool_choice(ChatRequest& request, const RequestFields& body, const OrderedJson& tools) {
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
    for (const OrderedJson& tool : tools) is_known = is_known || tool["function"]["name"] == request.tool_name;
    if (!is_known) choice.refuse("name", "is not the name of one of the tools");
  } else if (type != "auto" && type != "none" && type != "any") {
    choice.refuse("type", "must be auto, any, tool or none");
  }
  if (tools.empty() && type != "auto" && type != "none") body.refuse("tool_choice", "needs tools to choose from");
}

void set_tools(ChatRequest& request, const RequestFields& body, const AnthropicModel& model) {
  OrderedJson tools = read_tool_list(body);
  read_tool_choice(request, body, tools);
  if (tools.empty() || request.tool_choice == ToolChoice::kNone) return;
  if (request.tool_choice == ToolChoice::kAuto) {
    if (!model.can.tools) {
      body.refuse("tools", fmt::format("\"{}\" does not support tools: its chat template does not show them to it", model.name),
                  "tool_choice any or tool forces a call all the same");
    }
    if (request.constraint.kind != ConstraintSpec::Kind::kNone && !may_call_instead(model.can, request.constraint)) {
      body.refuse("tools", "an answer that is held to this format cannot call tools of this model", "leave out the tools or the format");
    }
  }
  const OrderedJson& all = body.array("tools", limits::kMaxTools);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const RequestFields fields(all[i], element_path("tools", i));
    if (fields.boolean("strict", false)) request.strict_tools.push_back(fields.required_text("name"));
  }
  request.tools = std::move(tools);
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
  request.messages = read_anthropic_messages(body);
  set_continuation(request, body);
  set_sampling(request, body, model.sampling);
  set_output(fields, body, model);
  set_tools(request, body, model);
  set_thinking(request, body, model);
  read_context_management(fields, body);
  fields.stream = body.boolean("stream", false);
  // Without an effect on answers, but to be of their type.
  body.object("metadata").optional_text("user_id");
  body.optional_text("service_tier");
  return fields;
}

}  // namespace minnow
