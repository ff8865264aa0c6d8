// The parts of `minnow run`: one shot, a batch of prompts from a file, or a conversation.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/constraint_options.h"
#include "cli/options.h"
#include "respond/responder.h"

namespace minnow {

struct RunArguments {
  ModelArguments model;
  SamplingArguments sampling;
  ConstraintArguments constraint;
  std::string prompt, system, template_file, batch, output, prompt_file, tools_file;
  std::vector<std::string> stop;
  int64_t max_tokens = -1;
  bool raw = false, verbose = false, json = false, show_thinking = false, ignore_eos = false, show_special = false;
};

// Starts answers to prompts, through the chat template or as plain text to be continued.
class Prompter {
 public:
  Prompter(Engine& engine, const RunArguments& arguments);

  // False: the prompt is continued as it stands (--raw, or a model without a chat template).
  bool is_chat() const { return responder_.has_value(); }

  struct Settings {
    SamplingParams sampling;
    int64_t max_tokens;
    std::vector<std::string> stop;
    ConstraintSpec constraint;
  };
  std::unique_ptr<ChatAnswer> start(const std::string& prompt, const std::string& system, const Settings& settings);
  std::unique_ptr<ChatAnswer> start_chat(const OrderedJson& messages, const Settings& settings);
  Settings settings() const;

 private:
  Engine& engine_;
  const RunArguments& arguments_;
  OrderedJson tools_;
  ConstraintCompiler constraints_;  // for plain continuation
  std::optional<LocalResponder> responder_;
};

// Prints an answer as it comes: the content as it is, tool calls as a line of JSON each, the thinking before it in faint
// letters on a terminal. Elsewhere only --show-thinking prints that.
class AnswerPrinter {
 public:
  explicit AnswerPrinter(bool show_thinking);
  void print(const std::vector<ChatOutputEvent>& events);
  // After the last event.
  void finish();
  const ChatReply& message() const { return message_; }

 private:
  void show(std::string_view text, bool thinking);
  bool terminal_, show_thinking_;
  bool in_thinking_ = false;
  ChatReply message_;
};

// "12 prompt tokens at 340 tokens/s, 25 generated at 48 tokens/s (stop)"
std::string describe(const GenerationStats& stats, FinishReason reason);

void run_batch(Engine& engine, const RunArguments& arguments);
void run_conversation(Engine& engine, const RunArguments& arguments);

}  // namespace minnow
