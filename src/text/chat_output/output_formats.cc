// The table of formats. Rows are facts from chat templates and model cards; nothing else in this folder names a family.
#include <algorithm>
#include <array>

#include "text/chat_output/output_format.h"

namespace minnow {
namespace {

using Words = std::string_view;

constexpr ReasoningTags kThink = {"<think>", "</think>"};
constexpr ReasoningTags kThinkOnly[] = {kThink};

// ---- One block for each format: reasoning, calls, words ----

constexpr ReasoningTags kHarmonyReasoning[] = {{"", "<|end|>"}};
constexpr CallSyntax kHarmonyCalls[] = {
    {.open = "<|channel|>", .payload = Payload::kNamed, .separator = "<|message|>", .close = "<|call|>",
     .header = CallHeader::kChannel},
    {.open = "<|start|>assistant", .payload = Payload::kNamed, .separator = "<|message|>", .close = "<|call|>",
     .header = CallHeader::kChannel},
};
constexpr Words kHarmonyDropped[] = {"<|end|>", "<|return|>", "<|call|>"};

constexpr ReasoningTags kKimiReasoning[] = {kThink, {"◁think▷", "◁/think▷"}};
constexpr CallSyntax kKimiCalls[] = {{.open = "<|tool_call_begin|>", .payload = Payload::kNamed,
                                      .separator = "<|tool_call_argument_begin|>", .close = "<|tool_call_end|>",
                                      .header = CallHeader::kIndexed}};
constexpr Words kKimiOpen[] = {"<|tool_calls_section_begin|>"}, kKimiClose[] = {"<|tool_calls_section_end|>"};

constexpr CallSyntax kDeepseekCalls[] = {
    // R1, then V3.1
    {.open = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>", .payload = Payload::kNamed, .separator = "\n```json\n",
     .close = "\n```<｜tool▁call▁end｜>"},
    {.open = "<｜tool▁call▁begin｜>", .payload = Payload::kNamed, .separator = "<｜tool▁sep｜>",
     .close = "<｜tool▁call▁end｜>"},
};
constexpr Words kDeepseekOpen[] = {"<｜tool▁calls▁begin｜>"}, kDeepseekClose[] = {"<｜tool▁calls▁end｜>"};

constexpr CallSyntax kDsmlCalls[] = {
    {.open = "<｜DSML｜invoke name=\"", .payload = Payload::kTagged, .separator = "\">", .close = "</｜DSML｜invoke>",
     .tags = {"<｜DSML｜parameter name=\"", "\"", ">", "</｜DSML｜parameter>", " string=\"true\"", " string=\"false\""}}};
constexpr Words kDsmlOpen[] = {"<｜DSML｜function_calls>", "<｜DSML｜tool_calls>"};
constexpr Words kDsmlClose[] = {"</｜DSML｜function_calls>", "</｜DSML｜tool_calls>"};

constexpr ReasoningTags kApertusReasoning[] = {{"<|inner_prefix|>", "<|inner_suffix|>"}};
constexpr CallSyntax kApertusCalls[] = {
    {.open = "<|tools_prefix|>", .payload = Payload::kKeyedJson, .close = "<|tools_suffix|>"}};

constexpr CallSyntax kFunctionTags = {.open = "<function=", .payload = Payload::kTagged, .separator = ">",
                                      .close = "</function>", .tags = {"<parameter=", ">", "", "</parameter>"}};
constexpr CallSyntax kFunctionTagCalls[] = {kFunctionTags};
constexpr ReasoningTags kSeedReasoning[] = {{"<seed:think>", "</seed:think>"}};
constexpr Words kSeedOpen[] = {"<seed:tool_call>"}, kSeedClose[] = {"</seed:tool_call>"};
constexpr Words kToolCallOpen[] = {"<tool_call>"}, kToolCallClose[] = {"</tool_call>"};

constexpr CallSyntax kMinimaxCalls[] = {
    {.open = "<invoke name=\"", .payload = Payload::kTagged, .separator = "\">", .close = "</invoke>",
     .tags = {"<parameter name=\"", "\">", "", "</parameter>"}}};
constexpr Words kMinimaxOpen[] = {"<minimax:tool_call>"}, kMinimaxClose[] = {"</minimax:tool_call>"};

constexpr ReasoningTags kGemmaReasoning[] = {{"<|channel>thought\n", "<channel|>"}};
constexpr CallSyntax kGemmaCalls[] = {
    {.open = "<|tool_call>call:", .payload = Payload::kBraces, .close = "<tool_call|>"}};

constexpr ReasoningTags kCommandReasoning[] = {{"<|START_THINKING|>", "<|END_THINKING|>"}};
constexpr CallSyntax kCommandCalls[] = {
    {.open = "<|START_ACTION|>", .payload = Payload::kJson, .close = "<|END_ACTION|>", .name_key = "tool_name",
     .arguments_key = "parameters", .id_key = "tool_call_id"}};
constexpr Words kCommandDropped[] = {"<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"};
constexpr CallSyntax kCommandPlusCalls[] = {
    {.open = "Action:\n```json\n", .payload = Payload::kJson, .close = "```", .name_key = "tool_name", .arguments_key = "parameters"},
    {.open = "Action: ```json\n", .payload = Payload::kJson, .close = "```", .name_key = "tool_name", .arguments_key = "parameters"}};

constexpr CallSyntax kGlm = {.open = "<tool_call>", .payload = Payload::kTagged, .close = "</tool_call>",
                             .tags = {"<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"}};
constexpr CallSyntax kGlmCalls[] = {kGlm};

constexpr CallSyntax kFunctionary31Calls[] = {
    {.open = "<function=", .payload = Payload::kNamed, .separator = ">", .close = "</function>"},
    {.open = "<|python_tag|>", .payload = Payload::kCode}};
constexpr CallSyntax kFunctionary32Calls[] = {
    {.open = ">>>", .payload = Payload::kNamed, .separator = "\n", .content_name = "all"}};

constexpr ReasoningTags kMistralReasoning[] = {{"[THINK]", "[/THINK]"}};
constexpr CallSyntax kMistralList = {.open = "[TOOL_CALLS]", .payload = Payload::kJson};
constexpr CallSyntax kMistralNamed = {.open = "[TOOL_CALLS]", .payload = Payload::kNamed, .separator = "[ARGS]",
                                      .header = CallHeader::kNameAndId, .id_separator = "[CALL_ID]"};
constexpr CallSyntax kMistralCalls[] = {kMistralList, kMistralNamed};

constexpr CallSyntax kFirefunctionCalls[] = {{.open = "functools", .payload = Payload::kJson}};

constexpr CallSyntax kGigachatCalls[] = {
    {.open = "<|message_sep|>\n\nfunction call<|role_sep|>\n", .payload = Payload::kJson, .close = "<|message_sep|>"},
    {.open = "<|function_call|>", .payload = Payload::kJson, .close = "<|message_sep|>"}};
constexpr Words kGigachatDropped[] = {"<|message_sep|>"};

constexpr CallSyntax kLfm2 = {.open = "<|tool_call_start|>", .payload = Payload::kPythonList,
                              .close = "<|tool_call_end|>"};
constexpr CallSyntax kLfm2Calls[] = {kLfm2};

constexpr ReasoningTags kMinicpmReasoning[] = {{"<|thought_start|>", "<|thought_end|>"}, kThink};
constexpr CallSyntax kMinicpmCalls[] = {{.open = "<|tool_call_start|>\n```python\n", .payload = Payload::kPythonBlock,
                                         .close = "\n```\n<|tool_call_end|>"}};

constexpr ReasoningTags kGraniteReasoning[] = {kThink, {"Here is my thought process:", "Here is my response:"}};
constexpr CallSyntax kGranite = {.open = "<|tool_call|>", .payload = Payload::kJson};
constexpr CallSyntax kGraniteCalls[] = {kGranite};
constexpr Words kGraniteDropped[] = {"<response>", "</response>"};

constexpr CallSyntax kPhiCalls[] = {
    {.open = "<|tool_call|>", .payload = Payload::kJson, .close = "<|/tool_call|>"},
    {.open = "functools", .payload = Payload::kJson}};

constexpr ReasoningTags kAprielReasoning[] = {{"Here are my reasoning steps:\n", "[BEGIN FINAL RESPONSE]"},
                                              {"<thinking>", "</thinking>"}};
constexpr CallSyntax kAprielCalls[] = {{.open = "<tool_calls>", .payload = Payload::kJson, .close = "</tool_calls>"}};
constexpr Words kAprielDropped[] = {"[BEGIN FINAL RESPONSE]", "[END FINAL RESPONSE]"};

constexpr CallSyntax kNemotronCalls[] = {{.open = "<TOOLCALL>", .payload = Payload::kJson, .close = "</TOOLCALL>"}};

constexpr CallSyntax kInternlmCalls[] = {
    {.open = "<|action_start|><|plugin|>", .payload = Payload::kJson, .close = "<|action_end|>", .arguments_key = "parameters"}};

constexpr CallSyntax kHermes = {.open = "<tool_call>", .payload = Payload::kJson, .close = "</tool_call>"};
constexpr CallSyntax kHermesCalls[] = {kHermes};
constexpr CallSyntax kMiroCalls[] = {kHermes,
                                     {.open = "<server_name>", .payload = Payload::kNamed, .separator = "<arguments>",
                                      .close = "</arguments>", .header = CallHeader::kMcpTool}};
constexpr Words kMiroOpen[] = {"<use_mcp_tool>"}, kMiroClose[] = {"</use_mcp_tool>", "</tool_call>"};

constexpr CallSyntax kLlamaJson = {.open = "<|python_tag|>", .payload = Payload::kJson, .arguments_key = "parameters"};
constexpr CallSyntax kLlamaCalls[] = {kLlamaJson,
                                      {.open = "<|python_tag|>", .payload = Payload::kPythonBlock},
                                      {.open = "", .payload = Payload::kJson, .arguments_key = "parameters"},
                                      {.open = "", .payload = Payload::kPythonList}};

constexpr ReasoningTags kGenericReasoning[] = {kThink, kMistralReasoning[0], kSeedReasoning[0]};
constexpr CallSyntax kGenericCalls[] = {kHermes,          kGlm,    kMistralList,      kMistralNamed,
                                        kLlamaJson,       kLfm2,   kGranite,          kKimiCalls[0],
                                        kDeepseekCalls[0], kDeepseekCalls[1], kAprielCalls[0], kNemotronCalls[0]};

constexpr OutputFormat kFormats[] = {
    {"harmony", "gpt-oss", kHarmonyReasoning, kHarmonyCalls, {}, {}, kHarmonyDropped},
    {"kimi-k2", "Kimi K2", kKimiReasoning, kKimiCalls, kKimiOpen, kKimiClose},
    {"deepseek", "DeepSeek R1, V3, V3.1 and distilled models", kThinkOnly, kDeepseekCalls, kDeepseekOpen, kDeepseekClose},
    {"deepseek-dsml", "DeepSeek V3.2, V4", kThinkOnly, kDsmlCalls, kDsmlOpen, kDsmlClose},
    {"apertus", "Apertus", kApertusReasoning, kApertusCalls},
    {"seed-oss", "Seed-OSS", kSeedReasoning, kFunctionTagCalls, kSeedOpen, kSeedClose},
    {"qwen3-coder", "Qwen3-Coder, Qwen3.5, Nemotron 3, Step 3.5", kThinkOnly, kFunctionTagCalls, kToolCallOpen, kToolCallClose},
    {"minimax", "MiniMax M2", kThinkOnly, kMinimaxCalls, kMinimaxOpen, kMinimaxClose},
    {"glm", "GLM 4.5 and later", kThinkOnly, kGlmCalls},
    {"gemma-4", "Gemma 4", kGemmaReasoning, kGemmaCalls},
    {"command-r7b", "Command R7B, Command A", kCommandReasoning, kCommandCalls, {}, {}, kCommandDropped},
    {"command-r", "Command R, R+", {}, kCommandPlusCalls},
    {"functionary-3.1", "Functionary 3.1", {}, kFunctionary31Calls},
    {"functionary-3.2", "Functionary 3.2", {}, kFunctionary32Calls},
    {"mistral", "Mistral, Ministral, Magistral, Devstral", kMistralReasoning, kMistralCalls},
    {"firefunction", "FireFunction 2", {}, kFirefunctionCalls},
    {"gigachat", "GigaChat 3", {}, kGigachatCalls, {}, {}, kGigachatDropped},
    {"minicpm", "MiniCPM 3, 4", kMinicpmReasoning, kMinicpmCalls},
    {"lfm2", "LFM2, LFM2.5", kThinkOnly, kLfm2Calls},
    {"phi-4-mini", "Phi-4-mini", kThinkOnly, kPhiCalls},
    {"granite", "Granite 3", kGraniteReasoning, kGraniteCalls, {}, {}, kGraniteDropped},
    {"apriel", "Apriel 1.5, 1.6; Jamba", kAprielReasoning, kAprielCalls, {}, {}, kAprielDropped},
    {"nemotron", "Nemotron Nano 2", kThinkOnly, kNemotronCalls},
    {"internlm", "InternLM 2", kThinkOnly, kInternlmCalls},
    {"mirothinker", "MiroThinker", kThinkOnly, kMiroCalls, kMiroOpen, kMiroClose},
    {"hermes", "Hermes, Qwen2.5, Qwen3, QwQ, SmolLM3, MiMo, Reka, Granite 4", kThinkOnly, kHermesCalls},
    {"llama-3", "Llama 3.1, 3.2, 3.3", kThinkOnly, kLlamaCalls},
    {"generic", "whatever is not recognized", kGenericReasoning, kGenericCalls},
};

// ---- Which template speaks which format: the first row of which the template contains every word ----

struct Sign {
  std::array<std::string_view, 2> words;
  std::string_view format;
};

constexpr Sign kSigns[] = {
    {{"<|channel|>", "<|message|>"}, "harmony"},
    {{"<|tool_call_argument_begin|>"}, "kimi-k2"},
    {{"｜DSML｜"}, "deepseek-dsml"},
    {{"<｜tool▁call▁begin｜>"}, "deepseek"},
    {{"<|tools_prefix|>"}, "apertus"},
    {{"<seed:tool_call>"}, "seed-oss"},
    {{"<minimax:tool_call>"}, "minimax"},
    {{"<arg_key>"}, "glm"},
    {{"<|tool_call>call:"}, "gemma-4"},
    {{"<|START_ACTION|>"}, "command-r7b"},
    {{"<|CHATBOT_TOKEN|>", "Action:"}, "command-r"},
    {{"<function=", "<parameter="}, "qwen3-coder"},
    {{"<function="}, "functionary-3.1"},
    {{">>>all"}, "functionary-3.2"},
    {{"[TOOL_CALLS]"}, "mistral"},
    {{"[THINK]"}, "mistral"},
    {{" functools["}, "firefunction"},
    {{"function call", "<|role_sep|>"}, "gigachat"},
    {{"<|function_call|>"}, "gigachat"},
    {{"<|tool_call_start|>", "```python"}, "minicpm"},
    {{"<|tool_list_start|>"}, "lfm2"},
    {{"List of tools: [", "<|im_start|>"}, "lfm2"},
    {{"<|tool_call_start|>"}, "lfm2"},
    {{"<|/tool_call|>"}, "phi-4-mini"},
    {{"<|tool|>", "<|/tool|>"}, "phi-4-mini"},
    {{"<|tool_call|>"}, "granite"},
    {{"<tool_calls>"}, "apriel"},
    {{"[BEGIN FINAL RESPONSE]"}, "apriel"},
    {{"<TOOLCALL>"}, "nemotron"},
    {{"<|action_start|>"}, "internlm"},
    {{"use_mcp_tool"}, "mirothinker"},
    {{"<tool_call>"}, "hermes"},
    {{"<|python_tag|>"}, "llama-3"},
    {{"<|start_header_id|>", "\"parameters\""}, "llama-3"},
};

}  // namespace

std::span<const OutputFormat> output_formats() { return kFormats; }

bool is_sure_mark(std::string_view open) { return open.starts_with('<') || open.starts_with('['); }

bool can_be_held(const CallSyntax& syntax) {
  switch (syntax.payload) {
    case Payload::kJson:
    case Payload::kKeyedJson:
    case Payload::kPythonList: return true;
    case Payload::kNamed:
    case Payload::kTagged:
    case Payload::kBraces: return is_sure_mark(syntax.open);
    case Payload::kPythonBlock: return is_sure_mark(syntax.open) && !syntax.close.empty();
    case Payload::kCode: return false;
  }
  return false;
}

bool can_hold_calls(const OutputFormat& format) { return std::any_of(format.calls.begin(), format.calls.end(), can_be_held); }

bool can_tell_calls_from_json(const OutputFormat& format) {
  return std::any_of(format.calls.begin(), format.calls.end(), [](const CallSyntax& syntax) {
    return can_be_held(syntax) && !syntax.open.empty() && syntax.header != CallHeader::kChannel;
  });
}

const OutputFormat* find_output_format(std::string_view name) {
  const auto* it = std::find_if(std::begin(kFormats), std::end(kFormats), [&](const OutputFormat& f) { return f.name == name; });
  return it == std::end(kFormats) ? nullptr : it;
}

const OutputFormat& output_format_for_template(std::string_view source) {
  const auto speaks = [&](const Sign& sign) {
    return std::all_of(sign.words.begin(), sign.words.end(),
                       [&](std::string_view word) { return source.find(word) != std::string_view::npos; });
  };
  const auto* sign = std::find_if(std::begin(kSigns), std::end(kSigns), speaks);
  return *find_output_format(sign == std::end(kSigns) ? "generic" : sign->format);
}

}  // namespace minnow
