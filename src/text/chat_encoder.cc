#include "text/chat_encoder.h"

#include <algorithm>

namespace minnow {
namespace {

// Stands around text of a message that spells a control token, so that it stays text. U+FDD0 is a noncharacter: no
// honest text holds one.
constexpr std::string_view kGuard = "\uFDD0";

std::string token_text(const Tokenizer& tokenizer, TokenId id) {
  return tokenizer.is_valid(id) ? tokenizer.piece(id, /*show_special=*/true) : std::string();
}

std::string guarded(const std::string& text, const SpecialTokenMatcher& controls) {
  std::string out;
  std::size_t begin = 0;
  while (true) {
    const SpecialTokenMatcher::Match match = controls.next(text, begin);
    if (match.id == kNoToken) return out.append(text, begin);
    out.append(text, begin, match.begin - begin).append(kGuard).append(text, match.begin, match.length).append(kGuard);
    begin = match.begin + match.length;
  }
}

// Puts guards around every spelling of a control token in the strings of a message.
void guard_strings(OrderedJson& value, const SpecialTokenMatcher& controls) {
  if (value.is_string()) {
    value = guarded(without_guards(value.get_ref<const std::string&>()), controls);
  } else if (value.is_structured()) {
    for (auto& item : value.items()) {
      if (item.key() != "role") guard_strings(item.value(), controls);
    }
  }
}

SpecialTokenMatcher control_tokens(const Tokenizer& tokenizer) {
  SpecialTokenMatcher controls;
  for (TokenId id = 0; id < tokenizer.n_vocab(); ++id) {
    const TokenEntry& token = tokenizer.spec().tokens[static_cast<std::size_t>(id)];
    if (token.type == TokenType::kControl && token.text.size() > 1) controls.add(token.text, id);
  }
  return controls;
}

}  // namespace

std::string without_guards(std::string_view text) {
  std::string out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(kGuard, begin), text.size());
    out.append(text, begin, end - begin);
    begin = end + kGuard.size();
  }
  return out;
}

ChatEncoder::ChatEncoder(const Tokenizer& tokenizer, const std::string& chat_template)
    : tokenizer_(tokenizer),
      template_(chat_template),
      controls_(control_tokens(tokenizer)),
      bos_(token_text(tokenizer, tokenizer.spec().bos)),
      eos_(token_text(tokenizer, tokenizer.spec().eos)) {}

ChatRendering ChatEncoder::render(ChatTemplateInput input) const {
  guard_strings(input.messages, controls_);
  input.bos_token = bos_;
  input.eos_token = eos_;
  return template_.render_marked(input);
}

ChatTokens ChatEncoder::encode(const std::string& text, std::span<const std::size_t> cuts) const {
  ChatTokens out;
  const TokenizerSpec& spec = tokenizer_.spec();
  // Templates write BOS themselves, or leave it to the tokenizer: never two.
  if (spec.add_bos && spec.bos != kNoToken && (bos_.empty() || !text.starts_with(bos_))) {
    out.tokens.push_back(spec.bos);
    out.tokens.insert(out.tokens.end(), spec.after_bos.begin(), spec.after_bos.end());
  }
  // Between guards: a message's own words, plain text. All else is the template's.
  bool guarded = false;
  std::size_t begin = 0, cut = 0;
  while (true) {
    const std::size_t guard = std::min(text.find(kGuard, begin), text.size());
    const std::size_t end = cut < cuts.size() ? std::min(guard, std::max(cuts[cut], begin)) : guard;
    if (end > begin || text.empty()) {
      const auto ids = tokenizer_.encode(std::string_view(text).substr(begin, end - begin),
                                         {.add_special = false, .parse_special = !guarded, .continues = begin > 0});
      out.tokens.insert(out.tokens.end(), ids.begin(), ids.end());
    }
    for (; cut < cuts.size() && cuts[cut] <= end; ++cut) out.cuts.push_back(out.tokens.size());
    if (end < guard) {
      begin = end;
    } else if (guard < text.size()) {
      begin = guard + kGuard.size();
      guarded = !guarded;
    } else {
      break;
    }
  }
  out.cuts.resize(cuts.size(), out.tokens.size());
  return out;
}

}  // namespace minnow
