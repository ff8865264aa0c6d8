// A record as tokens, with a mark on those that carry loss.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/chat_encoder.h"
#include "text/tokenizer.h"
#include "train/record.h"

namespace minnow {

// One document: what attention may see together. loss[i] is 1 when predicting tokens[i] from those before it is to be learned;
// loss[0] is 0, since nothing is before it.
struct Sample {
  std::vector<TokenId> tokens;
  std::vector<uint8_t> loss;
  bool cut = false;  // its end did not fit max_length

  int64_t n_loss() const;
};

// Which of a chat's answers carry loss.
enum class TrainedTurns {
  kAll,   // all, in one document
  kEach,  // all, each in a document of its own that ends with it: for templates that rewrite earlier turns
  kLast,  // the last one
};

struct SampleOptions {
  bool mask_prompt = true;  // false: prompts carry loss as well; preference records always mask theirs
  TrainedTurns turns = TrainedTurns::kAll;
  bool raw = false;            // prompts and answers that are strings stand without the chat template even if there is one
  bool parse_special = false;  // texts and raw prompts: what spells a control token becomes that token
  int64_t max_length = 0;      // tokens of a document, the start is kept; 0: no bound
  std::string chat_template;   // instead of the tokenizer's, the one for tools included
  OrderedJson template_variables = OrderedJson::object();
  std::time_t now = 1735689600;  // what templates write as today: fixed (2025-01-01 UTC), so that a resumed run sees the same tokens
};

// Renders records as the model will meet them: by its chat template, with one BOS where it wants one, with the token that ends an
// answer or a document. A prompt is encoded for itself, as it is before the model answers it. Immutable; may be used from many threads.
class SampleRenderer {
 public:
  // Throws as ChatTemplate does when the template does not parse.
  SampleRenderer(std::shared_ptr<const Tokenizer> tokenizer, SampleOptions options);

  // One document, or two for a preference: chosen and rejected; several with TrainedTurns::kEach. Where max_length cut off all that
  // carries loss, n_loss() is 0. Throws
  // kInvalidInput for records without anything to learn, for a BOS that the record itself brings a second time, for answers that the
  // template does not end, and for chats whose turns cannot be found in the text (see README.md); kNotFound when a chat has no template.
  std::vector<Sample> render(const Record& record) const;

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const SampleOptions& options() const { return options_; }

 private:
  struct Dialog {
    const OrderedJson& messages;
    const OrderedJson& tools;
    std::size_t first_answer;  // assistant messages before this one carry no loss
    bool mask;

    bool is_answer(std::size_t i) const { return messages[i]["role"].get_ref<const std::string&>() == "assistant"; }
  };
  Sample render_text(const Record& record) const;
  Sample render_plain(const std::string& prompt, const std::string& answer, bool mask) const;
  Sample render_dialog(const Dialog& dialog) const;
  const ChatEncoder& chat_of(const Dialog& dialog) const;
  void render_chat(const Record& record, std::vector<Sample>& samples) const;
  Sample render_answer(const Record& record, const OrderedJson& answer, bool mask) const;
  std::vector<std::size_t> answer_cuts(const Dialog& dialog, const ChatRendering& whole) const;
  std::size_t prefix_length(const Dialog& dialog, const std::string& whole, std::size_t n_messages, bool asks) const;
  bool ends_answer(const Sample& sample, std::size_t i) const;
  void mark_answer(Sample& sample, std::size_t begin, std::size_t end) const;
  void append_plain(Sample& sample, const std::string& text, bool carries_loss) const;
  void append_end(Sample& sample) const;
  void finish(Sample& sample) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  SampleOptions options_;
  std::optional<ChatEncoder> chat_;       // none without a template
  std::optional<ChatEncoder> tool_chat_;  // none unless chats with tools have a template of their own
};

}  // namespace minnow
