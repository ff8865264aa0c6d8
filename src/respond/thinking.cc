#include "respond/thinking.h"

#include <algorithm>

#include "text/chat_output/tool_schemas.h"

namespace minnow {
namespace {

const CallSyntax* channel_syntax(const OutputFormat& format) {
  const auto it = std::find_if(format.calls.begin(), format.calls.end(), [](const CallSyntax& c) { return c.header == CallHeader::kChannel; });
  return it == format.calls.end() ? nullptr : &*it;
}

// What is said in the channel "final" is the answer.
std::optional<Thinking> before_final_channel(const OutputFormat& format, const CallSyntax& syntax, std::string_view prompt) {
  Thinking thinking{.ends_with = std::string(syntax.open) + "final" + std::string(syntax.separator)};
  const std::size_t begun = prompt.rfind(thinking.ends_with);
  if (begun == std::string_view::npos) return thinking;
  const bool is_over = std::any_of(format.dropped.begin(), format.dropped.end(),
                                   [&](std::string_view word) { return prompt.find(word, begun) != std::string_view::npos; });
  if (is_over) return thinking;
  return std::nullopt;  // the prompt ends within it
}

// Only a token that nothing else is written with tells at once that the model is going to think.
bool is_mark(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, std::string_view text) {
  if (ids.empty() || !tokenizer.is_valid(ids[0]) || !text.starts_with(tokenizer.piece(ids[0], /*show_special=*/true))) return false;
  const TokenType type = tokenizer.spec().tokens[static_cast<std::size_t>(ids[0])].type;
  return ids.size() == 1 || type == TokenType::kControl || type == TokenType::kUserDefined;
}

}  // namespace

bool ends_with_mark(std::string_view prompt, std::string_view mark) {
  return !mark.empty() && chat_output::trimmed(prompt).ends_with(chat_output::trimmed(mark));
}

bool speaks_in_channels(const OutputFormat& format) { return channel_syntax(format) != nullptr; }

bool knows_thinking(const OutputFormat& format, std::string_view chat_template) {
  const auto has = [&](std::string_view word) { return !word.empty() && chat_template.find(word) != std::string_view::npos; };
  if (speaks_in_channels(format) || has("enable_thinking")) return true;
  return std::any_of(format.reasoning.begin(), format.reasoning.end(), [&](const ReasoningTags& t) { return has(t.open) || has(t.close); });
}

std::optional<Thinking> thinking_before_answer(const OutputFormat& format, const Tokenizer& tokenizer, std::string_view prompt, MayThink may) {
  if (const CallSyntax* syntax = channel_syntax(format)) return before_final_channel(format, *syntax, prompt);
  for (const ReasoningTags& tags : format.reasoning) {
    if (ends_with_mark(prompt, tags.open)) return Thinking{.ends_with = std::string(tags.close)};
  }
  if (may == MayThink::kIfItHasBegun) return std::nullopt;
  for (const ReasoningTags& tags : format.reasoning) {
    if (ends_with_mark(prompt, tags.close)) return std::nullopt;  // there was a thought, or an empty one
  }
  for (const ReasoningTags& tags : format.reasoning) {
    if (tags.open.empty()) continue;
    const auto ids = tokenizer.encode(tags.open, {.add_special = false, .parse_special = true, .continues = true});
    if (is_mark(tokenizer, ids, tags.open)) {
      return Thinking{.ends_with = std::string(tags.close), .opening = ids[0], .opening_text = tokenizer.piece(ids[0], /*show_special=*/true)};
    }
  }
  return std::nullopt;
}

}  // namespace minnow
