// The body of /v1/chat/completions, read.
#pragma once

#include "respond/model_pool.h"
#include "respond/responder.h"
#include "serve/openai_chat_format.h"
#include "serve/openai_messages.h"
#include "serve/sampling_fields.h"

namespace minnow {

// What is known of the model that is to answer.
struct ModelFacts {
  SamplingParams sampling;  // its defaults for the dialect
  ResponderCapabilities can;
};

ModelFacts openai_facts(LoadedModel& model);

struct ChatFields {
  ChatRequest request;
  std::vector<std::string> unused;  // fields without an effect
  int64_t n = 1;
  bool stream = false;
  ChatFormatOptions format;  // what the request says of it
};

// Throws RequestError for what cannot be read, and for what the model cannot do.
ChatFields read_chat(const RequestFields& body, const ModelFacts& model);

// --- parts that other routes have as well

// Throws RequestError for a model without a chat template.
void check_chats(const RequestFields& body, const ModelFacts& model);
// Sampling, length and ends. Control tokens cannot be shown in chats: their marks are what an answer is taken apart by.
void set_sampling(ChatRequest& request, SamplingFields fields);
// Tools and how they are to be called; with `can` of a model whose template does not show them, tools are refused.
// Gives what else was read: names of groups, and what was left out.
ToolFields set_tools(ChatRequest& request, const RequestFields& body, const ModelFacts& model);
// "none" to "max", under `name`: whether the model thinks, and for templates that know of efforts, how much. False: it has no effect, since
// the model does not think.
bool set_effort(ChatRequest& request, const RequestFields& fields, std::string_view name, const ModelFacts& model);
// chat_template_kwargs and documents.
void set_template_variables(ChatRequest& request, const RequestFields& body);
// Fields without an effect on answers, but to be of their type. What asks for something that is not there is added to `unused`: another
// service_tier than the one that there is, and a safety_identifier. Prompts are remembered with or without a prompt_cache_key.
void read_service_fields(const RequestFields& body, std::vector<std::string>& unused);
// "metadata": at most 16 short texts with names. An object either way.
OrderedJson read_metadata(const RequestFields& body);

}  // namespace minnow
