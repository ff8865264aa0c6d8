// Chats as samples: the text of the whole chat by its template, and where the answers lie in it.
#include <algorithm>

#include "base/error.h"
#include "train/sample.h"

namespace minnow {
namespace {

ChatTemplateInput template_input(const SampleOptions& options, OrderedJson messages, const OrderedJson& tools, bool asks) {
  return {.messages = std::move(messages),
          .tools = tools,
          .add_generation_prompt = asks,
          .extra = options.template_variables,
          .now = options.now};
}

OrderedJson first_messages(const OrderedJson& messages, std::size_t n) {
  OrderedJson first = OrderedJson::array();
  for (std::size_t i = 0; i < n; ++i) first.push_back(messages[i]);
  return first;
}

}  // namespace

void SampleRenderer::render_chat(const Record& record, std::vector<Sample>& samples) const {
  const OrderedJson& messages = record.messages;
  const Dialog whole{messages, record.tools, 0, options_.mask_prompt};
  std::vector<std::size_t> answers;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (whole.is_answer(i)) answers.push_back(i);
  }
  if (answers.empty() || options_.turns == TrainedTurns::kAll) {
    samples.push_back(render_dialog(whole));
  } else if (options_.turns == TrainedTurns::kLast) {
    samples.push_back(render_dialog({messages, record.tools, answers.back(), whole.mask}));
  } else {
    for (const std::size_t i : answers) {
      const OrderedJson first = first_messages(messages, i + 1);
      samples.push_back(render_dialog({first, record.tools, i, whole.mask}));
    }
  }
}

Sample SampleRenderer::render_dialog(const Dialog& dialog) const {
  if (!chat_) {
    throw Error(ErrorCode::kNotFound, "messages need a chat template, and the tokenizer has none", "give one with the model, or use text records");
  }
  bool answered = false;
  for (std::size_t i = dialog.first_answer; i < dialog.messages.size(); ++i) answered = answered || dialog.is_answer(i);
  if (!answered) fail(ErrorCode::kInvalidInput, "no message of the assistant: there is nothing to learn");
  const ChatEncoder& chat = chat_of(dialog);
  const ChatRendering whole = chat.render(template_input(options_, dialog.messages, dialog.tools, false));
  const std::vector<std::size_t> cuts = dialog.mask ? answer_cuts(dialog, whole) : std::vector<std::size_t>{0, whole.text.size()};
  ChatTokens encoded = chat.encode(whole.text, cuts);
  Sample sample{.tokens = std::move(encoded.tokens)};
  sample.loss.assign(sample.tokens.size(), dialog.mask ? 0 : 1);
  for (std::size_t i = 0; i + 1 < cuts.size(); i += 2) {
    std::size_t end = encoded.cuts[i + 1];
    // Some templates leave the token that ends an answer outside of their block.
    if (!whole.generated.empty() && !ends_answer(sample, end - 1) && ends_answer(sample, end)) ++end;
    mark_answer(sample, encoded.cuts[i], end);
  }
  return sample;
}

// All of a dialog by one template, its first messages too, as a server renders the chat that it has become.
const ChatEncoder& SampleRenderer::chat_of(const Dialog& dialog) const {
  const bool has_tools = (dialog.tools.is_array() && !dialog.tools.empty()) || has_tool_turns(dialog.messages);
  return tool_chat_ && has_tools ? *tool_chat_ : *chat_;
}

bool SampleRenderer::ends_answer(const Sample& sample, std::size_t i) const {
  return i < sample.tokens.size() && tokenizer_->is_end_of_generation(sample.tokens[i]);
}

// Up to the token that ends it: a line end that a template puts after that is never generated.
void SampleRenderer::mark_answer(Sample& sample, std::size_t begin, std::size_t end) const {
  std::size_t stop = end;
  while (stop > begin && !ends_answer(sample, stop - 1)) --stop;
  if (stop == begin) {
    throw Error(ErrorCode::kInvalidInput, "the chat template writes no token that ends an answer, so that a model would never learn to stop",
                "write {{ eos_token }} after the assistant's content in the template");
  }
  for (std::size_t i = begin; i < stop; ++i) sample.loss[i] = 1;
}

// Begin and end of each answer, in bytes of the whole text.
std::vector<std::size_t> SampleRenderer::answer_cuts(const Dialog& dialog, const ChatRendering& whole) const {
  std::vector<std::size_t> cuts;
  if (!whole.generated.empty()) {
    bool earlier = false;  // are there answers without loss
    for (std::size_t i = 0; i < dialog.first_answer; ++i) earlier = earlier || dialog.is_answer(i);
    const std::size_t from = earlier ? prefix_length(dialog, whole.text, dialog.first_answer, false) : 0;
    for (const auto& [begin, end] : whole.generated) {
      if (begin >= from) cuts.insert(cuts.end(), {begin, end});
    }
    return cuts;
  }
  const std::size_t n = dialog.messages.size();
  for (std::size_t i = dialog.first_answer; i < n; ++i) {
    if (!dialog.is_answer(i)) continue;
    cuts.push_back(prefix_length(dialog, whole.text, i, true));
    cuts.push_back(i + 1 == n ? whole.text.size() : prefix_length(dialog, whole.text, i + 1, false));
    if (cuts.back() < cuts[cuts.size() - 2]) {
      fail(ErrorCode::kInvalidInput, "the chat template writes less with message {} than without it", i + 1);
    }
  }
  return cuts;
}

// The length of the text of the first messages; `asks`: with what the template puts before an answer.
std::size_t SampleRenderer::prefix_length(const Dialog& dialog, const std::string& whole, std::size_t n_messages, bool asks) const {
  const std::string text =
      chat_of(dialog).render(template_input(options_, first_messages(dialog.messages, n_messages), dialog.tools, asks)).text;
  if (!whole.starts_with(text)) {
    throw Error(ErrorCode::kInvalidInput,
                fmt::format("where the answer of message {} {} cannot be told: the chat template writes these messages otherwise when others follow",
                            n_messages + (asks ? 1 : 0), asks ? "begins" : "ends"),
                "make each answer a document of its own, give the template's variables (such as enable_thinking), or use a template that "
                "marks answers with {% generation %}");
  }
  return text.size();
}

}  // namespace minnow
