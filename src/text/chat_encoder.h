// A chat as the tokens of a prompt: its template rendered, with control tokens from the template alone.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template.h"
#include "text/template_needs.h"
#include "text/tokenizer.h"
#include "text/tokenizer_special.h"

namespace minnow {

struct ChatTokens {
  std::vector<TokenId> tokens;
  std::vector<std::size_t> cuts;  // for each cut of the text: the number of tokens before it
};

// Messages, tools and variables that spell a control token are taken as text, whether in a value or in the name of a member: guards
// stand around such spellings in what render() gives, and encode() takes them out again. Roles are as they are. BOS is written once,
// whether by the template or here. Immutable; may be used from many threads.
class ChatEncoder {
 public:
  // The tokenizer must outlive the encoder. Throws kInvalidInput when the template does not parse.
  ChatEncoder(const Tokenizer& tokenizer, const std::string& chat_template);

  // Messages, tools, add_generation_prompt, extra and now of `input` count; the texts of BOS and EOS are the tokenizer's.
  // The template is given them as it wants them (template_needs.h). Throws as ChatTemplate::render_marked.
  ChatRendering render(ChatTemplateInput input) const;

  // `text` is the text of a rendering. Cuts are byte offsets in it, rising: what lies between two is encoded for itself, as a
  // prompt is before the model goes on from it.
  ChatTokens encode(const std::string& text, std::span<const std::size_t> cuts = {}) const;

  const Tokenizer& tokenizer() const { return tokenizer_; }
  const TemplateNeeds& needs() const { return *needs_; }

 private:
  const Tokenizer& tokenizer_;
  std::unique_ptr<const ChatTemplate> template_;
  SpecialTokenMatcher controls_;  // how the vocabulary spells its control tokens
  std::string bos_, eos_;         // their texts
  std::unique_ptr<const TemplateNeeds> needs_;
};

// The text without the guards that render() put into it.
std::string without_guards(std::string_view text);

}  // namespace minnow
