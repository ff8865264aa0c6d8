#include "text/chat_encoder.h"

#include <algorithm>

namespace minnow {
namespace {

// Stand around text of a request that spells a control token, so that it stays text. They are noncharacters: no honest text holds one, and
// templates write them as they are. Two of them: a template that takes a text apart between them must not turn what follows around.
constexpr std::string_view kOpen = "\uFDD0", kClose = "\uFDD2";
constexpr std::string_view kBothBegin = kOpen.substr(0, 2);
static_assert(kClose.starts_with(kBothBegin) && kOpen.size() == 3 && kClose.size() == 3);

// Where the first of them is; the end of the text when there is none.
std::size_t find_guard(std::string_view text, std::size_t from) {
  while (true) {
    const std::size_t at = text.find(kBothBegin, from);
    if (at == std::string_view::npos) return text.size();
    const std::string_view guard = text.substr(at, kOpen.size());
    if (guard == kOpen || guard == kClose) return at;
    from = at + 1;
  }
}

std::string token_text(const Tokenizer& tokenizer, TokenId id) {
  return tokenizer.is_valid(id) ? tokenizer.piece(id, /*show_special=*/true) : std::string();
}

bool needs_guards(std::string_view text, const SpecialTokenMatcher& controls) {
  return controls.next(text).id != kNoToken || find_guard(text, 0) < text.size();
}

// With guards around every spelling of a control token, and no others.
std::string guarded(std::string_view text, const SpecialTokenMatcher& controls) {
  const std::string plain = without_guards(text);
  std::string out;
  std::size_t begin = 0;
  while (true) {
    const SpecialTokenMatcher::Match match = controls.next(plain, begin);
    if (match.id == kNoToken) return out.append(plain, begin);
    out.append(plain, begin, match.begin - begin).append(kOpen).append(plain, match.begin, match.length).append(kClose);
    begin = match.begin + match.length;
  }
}

// Where the spelling of a control token ends that begins at `begin`, right behind an opening guard. A template may have cut off the
// end of it, and what it says next is its own: then nothing is guarded.
std::size_t end_of_control(std::string_view text, std::size_t begin, const SpecialTokenMatcher& controls) {
  const SpecialTokenMatcher::Match match = controls.next(text.substr(begin, find_guard(text, begin) - begin));
  return match.id != kNoToken && match.begin == 0 ? begin + match.length : begin;
}

// In all strings of a value, names of members among them.
void guard_strings(OrderedJson& value, const SpecialTokenMatcher& controls) {
  if (value.is_string()) {
    if (const auto& text = value.get_ref<const std::string&>(); needs_guards(text, controls)) value = guarded(text, controls);
    return;
  }
  if (!value.is_structured()) return;
  for (OrderedJson& item : value) guard_strings(item, controls);
  if (!value.is_object()) return;
  auto& members = value.get_ref<OrderedJson::object_t&>();
  if (std::ranges::none_of(members, [&](const auto& member) { return needs_guards(member.first, controls); })) return;
  OrderedJson::object_t renamed;
  for (auto& [name, item] : members) renamed[guarded(name, controls)] = std::move(item);
  value = std::move(renamed);
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
    const std::size_t end = find_guard(text, begin);
    out.append(text, begin, end - begin);
    begin = end + kOpen.size();
  }
  return out;
}

ChatEncoder::ChatEncoder(const Tokenizer& tokenizer, const std::string& chat_template)
    : tokenizer_(tokenizer),
      template_(std::make_unique<const ChatTemplate>(chat_template)),
      controls_(control_tokens(tokenizer)),
      bos_(token_text(tokenizer, tokenizer.spec().bos)),
      eos_(token_text(tokenizer, tokenizer.spec().eos)),
      needs_(std::make_unique<const TemplateNeeds>(*template_, chat_template, bos_, eos_)) {}

ChatRendering ChatEncoder::render(ChatTemplateInput input) const {
  input = needs_->fitted(std::move(input));  // first: what it makes text of is guarded as text
  for (OrderedJson& message : input.messages) {
    for (auto& [name, value] : message.items()) {
      if (name != "role") guard_strings(value, controls_);
    }
  }
  guard_strings(input.tools, controls_);
  guard_strings(input.extra, controls_);
  input.bos_token = bos_;
  input.eos_token = eos_;
  return template_->render_marked(input);
}

ChatTokens ChatEncoder::encode(const std::string& text, std::span<const std::size_t> cuts) const {
  ChatTokens out;
  const TokenizerSpec& spec = tokenizer_.spec();
  // Templates write BOS themselves, or leave it to the tokenizer: never two.
  if (spec.add_bos && spec.bos != kNoToken && (bos_.empty() || !text.starts_with(bos_))) {
    out.tokens.push_back(spec.bos);
    out.tokens.insert(out.tokens.end(), spec.after_bos.begin(), spec.after_bos.end());
  }
  // What is spelled behind an opening guard: a request's own words, plain text. All else is the template's.
  std::size_t begin = 0, cut = 0, plain_end = 0;
  while (true) {
    const std::size_t guard = find_guard(text, begin);
    std::size_t end = plain_end > begin ? plain_end : guard;
    if (cut < cuts.size()) end = std::min(end, std::max(cuts[cut], begin));
    if (end > begin || text.empty()) {
      const auto ids = tokenizer_.encode(std::string_view(text).substr(begin, end - begin),
                                         {.add_special = false, .parse_special = begin >= plain_end, .continues = begin > 0});
      out.tokens.insert(out.tokens.end(), ids.begin(), ids.end());
    }
    for (; cut < cuts.size() && cuts[cut] <= end; ++cut) out.cuts.push_back(out.tokens.size());
    begin = end;
    if (end < guard) continue;
    if (guard == text.size()) break;
    begin = guard + kOpen.size();
    if (std::string_view(text).substr(guard, kOpen.size()) == kOpen) plain_end = end_of_control(text, begin, controls_);
  }
  out.cuts.resize(cuts.size(), out.tokens.size());
  return out;
}

}  // namespace minnow
