#include "serve/openai_chat_request.h"

#include <limits>

#include "base/limits.h"
#include "serve/response_format.h"

namespace minnow {
namespace {

constexpr int64_t kMaxTopLogprobs = 20;  // OpenAI's bound, and the engine's

// Fields of chats that would change the answer and are not supported, unless they ask for nothing.
void refuse_unsupported(const RequestFields& body) {
  for (const std::string_view name : {"audio", "web_search_options", "moderation"}) {
    if (body.has(name)) body.refuse(name, "is not supported", "leave it out");
  }
  for (const std::string_view name : {"echo", "add_special_tokens"}) {
    if (body.boolean(name, false)) body.refuse(name, "is not supported for chats", "leave it out, or use /v1/completions");
  }
  for (const std::string& modality : body.texts("modalities", 8)) {
    if (modality != "text") body.refuse("modalities", "must be text alone: models here write nothing else");
  }
  for (const std::string_view name : {"timings_per_token", "return_progress"}) {
    if (body.boolean(name, false)) body.refuse(name, "is not supported for chats", "leave it out");
  }
  if (body.integer("n_probs", 0, 0, kMaxTopLogprobs) != 0) {
    body.refuse("n_probs", "is not supported for chats", "use logprobs and top_logprobs");
  }
  if (body.integer("priority", 0, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()) != 0) {
    body.refuse("priority", "is not supported: requests are answered in the order in which they come");
  }
  const std::string format = body.choice("reasoning_format", "auto", {"auto", "deepseek", "none", "deepseek-legacy"});
  if (format == "none" || format == "deepseek-legacy") {
    body.refuse("reasoning_format", "must be auto or deepseek", "reasoning is always apart from the answer");
  }
}

void read_logprobs(ChatFields& fields, const RequestFields& body) {
  fields.format.logprobs = body.boolean("logprobs", false);
  const auto top = body.optional_integer("top_logprobs", 0, kMaxTopLogprobs);
  if (top.value_or(0) > 0 && !fields.format.logprobs) body.refuse("top_logprobs", "needs logprobs to be true");
  if (fields.format.logprobs) fields.request.n_logprobs = static_cast<int>(top.value_or(0));
}

void read_stream(ChatFields& fields, const RequestFields& body) {
  fields.stream = body.boolean("stream", false);
  const RequestFields options = body.object("stream_options");
  fields.format.continuous_usage = options.boolean("continuous_usage_stats", false);
  fields.format.include_usage = options.boolean("include_usage", false) || fields.format.continuous_usage;
  options.optional_boolean("include_obfuscation");  // of OpenAI's own network
}

// Whether the last message is to be gone on from, or answered, or neither.
void read_continuation(ChatRequest& request, const RequestFields& body) {
  request.continue_last = body.boolean("continue_final_message", false);
  const auto prompt = body.optional_boolean("add_generation_prompt");
  if (!request.continue_last) {
    if (prompt && !*prompt) request.template_variables["add_generation_prompt"] = false;
    return;
  }
  if (prompt.value_or(false)) body.refuse("add_generation_prompt", "must be false together with continue_final_message");
  if (request.messages.back()["role"] != "assistant") {
    body.refuse("continue_final_message", "needs a last message of the assistant");
  }
}

}  // namespace

ModelFacts openai_facts(LoadedModel& model) {
  return {.sampling = default_sampling(Dialect::kOpenAi, model.model().metadata), .can = model.responder().capabilities()};
}

void check_chats(const RequestFields& body, const ModelFacts& model) {
  if (!model.can.chat) body.refuse("model", "does not support chat: it has no chat template", "use /v1/completions to go on from a text");
}

void set_sampling(ChatRequest& request, SamplingFields fields) {
  if (fields.show_special) {
    throw RequestError("skip_special_tokens", "skip_special_tokens: must be true for chats", "use /v1/completions to see control tokens");
  }
  request.sampling = std::move(fields.sampling);
  request.max_tokens = fields.max_tokens;
  request.stop = std::move(fields.stop);
  request.stop_tokens = std::move(fields.stop_tokens);
  request.min_tokens = fields.min_tokens;
  request.ignore_end = fields.ignore_end;
}

ToolFields set_tools(ChatRequest& request, const RequestFields& body, const ModelFacts& model) {
  ToolFields tools = read_tools(body);
  request.tool_choice = tools.choice;
  request.tool_name = std::move(tools.name);
  request.parallel_tool_calls = tools.parallel;
  if (tools.choice == ToolChoice::kNone || tools.tools.is_null()) return tools;
  if (tools.choice == ToolChoice::kAuto && !model.can.tools) {
    body.refuse("tools", "this model's chat template does not show tools to it", "tool_choice can force a call all the same");
  }
  if (tools.choice == ToolChoice::kAuto && request.constraint.kind != ConstraintSpec::Kind::kNone && !may_call_instead(model.can, request.constraint)) {
    body.refuse("tools", "an answer that is held to this format cannot call tools of this model", "leave out one of them, or set tool_choice");
  }
  request.strict_tools = std::move(tools.strict);
  request.tools = std::move(tools.tools);
  return tools;
}

bool set_effort(ChatRequest& request, const RequestFields& fields, std::string_view name, const ModelFacts& model) {
  if (!fields.has(name)) return true;
  const std::string effort = fields.choice(name, "", {"none", "minimal", "low", "medium", "high", "xhigh", "ultra", "max"});
  if (effort != "none" && !model.can.thinking) return false;
  request.thinking = effort != "none";
  if (effort == "none") return true;
  const bool is_least = effort == "minimal", is_most = effort == "xhigh" || effort == "ultra" || effort == "max";
  request.template_variables["reasoning_effort"] = is_least ? "low" : is_most ? "high" : effort;  // those that templates know
  return true;
}

void set_template_variables(ChatRequest& request, const RequestFields& body) {
  if (body.has("documents")) request.template_variables["documents"] = body.array("documents", limits::kMaxRerankDocuments);
  const RequestFields variables = body.object("chat_template_kwargs");
  for (const auto& [name, value] : variables.json().items()) {
    for (const std::string_view taken : {"messages", "tools", "add_generation_prompt", "bos_token", "eos_token"}) {
      if (name == taken) variables.refuse(name, "cannot be given here: the request has fields of its own for it, or the model");
    }
    request.template_variables[name] = value;
  }
}

void read_service_fields(const RequestFields& body, std::vector<std::string>& unused) {
  for (const char* name : {"user", "prompt_cache_key"}) body.optional_text(name);
  const std::string tier = body.text("service_tier", "auto");
  if (tier != "auto" && tier != "default") unused.emplace_back("service_tier");
  if (body.optional_text("safety_identifier")) unused.emplace_back("safety_identifier");
}

OrderedJson read_metadata(const RequestFields& body) {
  const RequestFields metadata = body.object("metadata");
  if (metadata.json().size() > limits::kMaxMetadataPairs) {
    body.refuse("metadata", fmt::format("has {} pairs, allowed: {}", metadata.json().size(), limits::kMaxMetadataPairs));
  }
  for (const auto& [name, value] : metadata.json().items()) {
    if (!value.is_string()) body.refuse("metadata", "its values must be strings");
    if (name.size() > limits::kMaxMetadataKeyBytes || value.get_ref<const std::string&>().size() > limits::kMaxMetadataValueBytes) {
      body.refuse("metadata", fmt::format("names may have {} bytes, values {}", limits::kMaxMetadataKeyBytes,
                                          limits::kMaxMetadataValueBytes));
    }
  }
  return metadata.json();
}

ChatFields read_chat(const RequestFields& body, const ModelFacts& model) {
  check_chats(body, model);
  refuse_unsupported(body);
  ChatFields fields;
  ChatRequest& request = fields.request;
  request.messages = read_messages(body);
  SamplingFields sampling = read_sampling(body, model.sampling);
  fields.format.include_stop = sampling.include_stop;
  set_sampling(request, std::move(sampling));
  request.constraint = read_response_format(body);
  ToolFields tools = set_tools(request, body, model);
  fields.unused = std::move(tools.unused);
  fields.format.custom = std::move(tools.custom);
  if (!set_effort(request, body, "reasoning_effort", model)) fields.unused.emplace_back("reasoning_effort");
  set_template_variables(request, body);
  read_continuation(request, body);
  fields.n = body.integer("n", 1, 1, limits::kMaxChoices);
  read_logprobs(fields, body);
  read_stream(fields, body);
  fields.format.n_choices = static_cast<int>(fields.n);
  fields.format.include_reasoning = body.boolean("include_reasoning", true);
  read_metadata(body);  // it must be of its type, no more
  read_service_fields(body, fields.unused);
  if (body.choice("verbosity", "medium", {"low", "medium", "high"}) != "medium") fields.unused.emplace_back("verbosity");
  if (body.boolean("store", false)) fields.unused.emplace_back("store");
  read_slot_fields(body, fields.unused);
  fields.format.token_ids = body.boolean("return_token_ids", false);
  return fields;
}

}  // namespace minnow
