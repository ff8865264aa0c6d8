// What the shared chat templates write for an assistant's tool calls is read back as those calls.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "text/chat_output/test_parse.h"
#include "text/chat_template.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

const fs::path kTemplates = MINNOW_SOURCE_DIR "/../shared/data/chat-templates/llama.cpp";

// The format of every shared template.
const std::map<std::string, std::string_view> kExpected = {
    {"Apertus-8B-Instruct", "apertus"},
    {"Apriel-1.6-15b-Thinker-fixed", "apriel"},
    {"Bielik-11B-v3.0-Instruct", "hermes"},
    {"ByteDance-Seed-OSS", "seed-oss"},
    {"Cohere2MoE", "command-r7b"},
    {"CohereForAI-c4ai-command-r-plus-tool_use", "command-r"},
    {"CohereForAI-c4ai-command-r7b-12-2024-tool_use", "command-r7b"},
    {"GLM-4.6", "glm"},
    {"GLM-4.7-Flash", "glm"},
    {"GLM-5.2", "glm"},
    {"GigaChat3-10B-A1.8B", "gigachat"},
    {"GigaChat3.1-10B-A1.8B", "gigachat"},
    {"HuggingFaceTB-SmolLM3-3B", "generic"},
    {"Kimi-K2-Instruct", "kimi-k2"},
    {"Kimi-K2-Thinking", "kimi-k2"},
    {"LFM2-8B-A1B", "lfm2"},
    {"LFM2.5-Instruct", "lfm2"},
    {"MiMo-VL", "hermes"},
    {"MiroThinker", "mirothinker"},
    {"Mistral-Small-3.2-24B-Instruct-2506", "mistral"},
    {"NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "qwen3-coder"},
    {"NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", "hermes"},
    {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use", "hermes"},
    {"Qwen-QwQ-32B", "hermes"},
    {"Qwen-Qwen2.5-7B-Instruct", "hermes"},
    {"Qwen-Qwen3-0.6B", "hermes"},
    {"Qwen3-Coder", "qwen3-coder"},
    {"Qwen3.5-4B", "qwen3-coder"},
    {"Reka-Edge", "hermes"},
    {"StepFun3.5-Flash", "qwen3-coder"},
    {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "deepseek"},
    {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "deepseek"},
    {"deepseek-ai-DeepSeek-V3.1", "deepseek"},
    {"deepseek-ai-DeepSeek-V3.2", "deepseek-dsml"},
    {"deepseek-ai-DeepSeek-V4", "deepseek-dsml"},
    {"fireworks-ai-llama-3-firefunction-v2", "firefunction"},
    {"google-gemma-2-2b-it", "generic"},
    {"google-gemma-4-31B-it", "gemma-4"},
    {"google-gemma-4-31B-it-interleaved", "gemma-4"},
    {"ibm-granite-granite-3.3-2B-Instruct", "granite"},
    {"llama-cpp-deepseek-r1", "deepseek"},
    {"llama-cpp-rwkv-world", "generic"},
    {"meetkai-functionary-medium-v3.1", "functionary-3.1"},
    {"meetkai-functionary-medium-v3.2", "functionary-3.2"},
    {"meta-llama-Llama-3.1-8B-Instruct", "llama-3"},
    {"meta-llama-Llama-3.2-3B-Instruct", "llama-3"},
    {"meta-llama-Llama-3.3-70B-Instruct", "llama-3"},
    {"microsoft-Phi-3.5-mini-instruct", "generic"},
    {"mistralai-Ministral-3-14B-Reasoning-2512", "mistral"},
    {"mistralai-Mistral-Nemo-Instruct-2407", "mistral"},
    {"moonshotai-Kimi-K2", "kimi-k2"},
    {"openai-gpt-oss-120b", "harmony"},
    {"stepfun-ai-Step-3.5-Flash", "qwen3-coder"},
    {"unsloth-Apriel-1.5", "apriel"},
    {"unsloth-mistral-Devstral-Small-2507", "mistral"},
};

// Templates without a way to write an assistant's calls; MiroThinker's has one that Jinja refuses (its macros
// use the loop variables of their callers).
const std::vector<std::string_view> kWithoutCalls = {
    "MiroThinker",          "HuggingFaceTB-SmolLM3-3B",       "LFM2-8B-A1B",
    "LFM2.5-Instruct",      "google-gemma-2-2b-it",           "ibm-granite-granite-3.3-2B-Instruct",
    "llama-cpp-rwkv-world", "microsoft-Phi-3.5-mini-instruct"};

std::vector<fs::path> shared_templates() {
  std::vector<fs::path> paths;
  if (!fs::is_directory(kTemplates)) return paths;
  for (const auto& entry : fs::directory_iterator(kTemplates)) {
    if (entry.path().extension() == ".jinja") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

const OrderedJson& tools() {
  static const OrderedJson tools = parse_ordered_json(R"([
    {"type": "function", "function": {"name": "get_weather", "description": "Weather.", "parameters": {"type": "object",
      "properties": {"city": {"type": "string", "description": "c"}, "days": {"type": "integer", "description": "d"},
                     "opts": {"type": "object", "description": "o", "additionalProperties": {"type": "string"}}}, "required": ["city"]}}},
    {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object",
      "properties": {"a": {"type": "number", "description": "a"}, "b": {"type": "number", "description": "b"}},
      "required": ["a", "b"]}}}])",
                                                      "tools");
  return tools;
}

struct Case {
  int n_calls;
  bool arguments_as_text;
  OrderedJson content;
  bool with_reasoning, with_tools;
};

// Each template is tried in all of these ways, since some refuse one or the other.
std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const OrderedJson& content : {OrderedJson("I look."), OrderedJson(""), OrderedJson(nullptr)}) {
    for (int bits = 0; bits < 16; ++bits) {
      cases.push_back({bits & 1 ? 2 : 1, (bits & 2) != 0, content, (bits & 4) != 0, (bits & 8) == 0});
    }
  }
  return cases;
}

OrderedJson assistant(const Case& c) {
  const OrderedJson first = parse_ordered_json(
      R"({"city": "Köln \"Zentrum\"\n<b>", "days": 3, "opts": {"deep": [1, 2.5, null, true]}})", "test");
  const OrderedJson second = parse_ordered_json(R"({"a": 1, "b": -2})", "test");
  OrderedJson calls = OrderedJson::array();
  for (int i = 0; i < c.n_calls; ++i) {
    const OrderedJson& arguments = i == 0 ? first : second;
    OrderedJson call = {{"id", "abcdefgh" + std::to_string(i)}, {"type", "function"}};
    call["function"]["name"] = i == 0 ? "get_weather" : "add";
    if (c.arguments_as_text)
      call["function"]["arguments"] = arguments.dump();
    else
      call["function"]["arguments"] = arguments;
    calls.push_back(call);
  }
  OrderedJson message = {{"role", "assistant"}, {"content", c.content}, {"tool_calls", calls}};
  if (c.with_reasoning) message["reasoning_content"] = message["thinking"] = "Hmm, think.";
  return message;
}

std::string render(const ChatTemplate& chat, const OrderedJson& messages, bool with_tools,
                   bool generation_prompt) {
  ChatTemplateInput input;
  input.messages = messages;
  if (with_tools) input.tools = tools();
  input.add_generation_prompt = generation_prompt;
  input.bos_token = "<s>";
  input.eos_token = "</s>";
  input.now = 0;
  input.extra = {{"functions", "[]"}, {"datetime", "today"}, {"documents", nullptr}};
  return chat.render(input);
}

// The prompt, and the part of `full` past it. Where the prompt begins the answer (an opened or empty thought)
// in another way than the history writes it, both are cut where they part, but not within a tag.
std::pair<std::string, std::string> split(const std::string& prompt, const std::string& full) {
  const auto same = static_cast<std::size_t>(
      std::mismatch(prompt.begin(), prompt.end(), full.begin(), full.end()).first - prompt.begin());
  std::size_t cut = same;
  if (same < prompt.size()) {
    const std::size_t open = prompt.rfind('<', same), close = prompt.rfind('>', same - 1);
    if (open != std::string::npos && (close == std::string::npos || open > close)) cut = open;
  }
  return {prompt.substr(0, cut), full.substr(cut)};
}

std::vector<Json> arguments_of(const OrderedJson& message) {
  std::vector<Json> all;
  for (const OrderedJson& call : message["tool_calls"]) {
    const OrderedJson& a = call["function"]["arguments"];
    all.push_back(Json::parse(a.is_string() ? a.get<std::string>() : a.dump()));
  }
  return all;
}

// Whether the calls that were parsed are the first of those rendered (some templates write only one).
bool same_calls(const test::ParsedOutput& got, const OrderedJson& message) {
  const std::vector<Json> arguments = arguments_of(message);
  if (got.calls.empty() || got.calls.size() > arguments.size()) return false;
  for (std::size_t i = 0; i < got.calls.size(); ++i) {
    if (got.calls[i].name != message["tool_calls"][i]["function"]["name"]) return false;
    if (Json::parse(got.calls[i].arguments, nullptr, false) != arguments[i]) return false;
  }
  return true;
}

TEST(ChatOutputTemplates, AreRecognized) {
  const auto paths = shared_templates();
  if (paths.empty()) GTEST_SKIP() << "no shared chat templates";
  for (const fs::path& path : paths) {
    const std::string source = read_text_file(path, limits::kMaxTemplateBytes);
    const auto expected = kExpected.find(path.stem().string());
    if (expected == kExpected.end()) continue;  // a newer set of templates
    EXPECT_EQ(output_format_for_template(source).name, expected->second) << path;
  }
}

struct Tried {
  int rendered = 0, read = 0;
};

// Renders the answer, cuts it out, and reads it in pieces of several sizes.
void try_case(const ChatTemplate& chat, const OutputFormat& format, const Case& c, Tried& tried) {
  const OrderedJson user = {{"role", "user"}, {"content", "Weather in Köln?"}};
  const OrderedJson message = assistant(c);
  std::string prompt, full;
  try {
    full = render(chat, OrderedJson::array({user, message}), c.with_tools, false);
    prompt = render(chat, OrderedJson::array({user}), c.with_tools, true);
  } catch (const Error&) {
    return;  // some want arguments as text, some as objects, some one call only
  }
  ChatOutputOptions options;
  options.tools = tools();
  std::string answer;
  std::tie(options.prompt, answer) = split(prompt, full);
  const auto events = test::parse_whole(format, answer, options);
  EXPECT_EQ(test::parse_in_pieces(format, answer, options, 1), events) << answer;
  EXPECT_EQ(test::parse_in_pieces(format, answer, options, 30, 1 + answer.size()), events) << answer;
  const test::ParsedOutput got = test::collect(events);
  EXPECT_EQ(got.broken, 0) << answer;
  ++tried.rendered;
  tried.read += same_calls(got, message) ? 1 : 0;
}

TEST(ChatOutputTemplates, GetTheirToolCallsBack) {
  const auto paths = shared_templates();
  if (paths.empty()) GTEST_SKIP() << "no shared chat templates";
  int n_read = 0, n_rendered = 0;
  for (const fs::path& path : paths) {
    const std::string name = path.stem().string();
    SCOPED_TRACE(name);
    const std::string source = read_text_file(path, limits::kMaxTemplateBytes);
    const ChatTemplate chat(source);
    Tried tried;
    for (const Case& c : all_cases()) try_case(chat, output_format_for_template(source), c, tried);
    n_read += tried.read;
    n_rendered += tried.rendered;
    const bool writes_calls =
        std::find(kWithoutCalls.begin(), kWithoutCalls.end(), name) == kWithoutCalls.end();
    if (kExpected.contains(name)) {
      EXPECT_EQ(tried.read > 0, writes_calls);
    }
  }
  fmt::print("{} templates, {} answers rendered, the calls of {} read back\n", paths.size(), n_rendered,
             n_read);
}

}  // namespace
}  // namespace minnow
