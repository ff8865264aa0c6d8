#include "engine/answer_text.h"

#include <algorithm>

namespace minnow {

AnswerText::AnswerText(const GenerateRequest& request, const Tokenizer* tokenizer)
    : tokenizer_(tokenizer), show_special_(request.show_special), stops_(request.stop) {
  if (tokenizer != nullptr) decoder_.emplace(*tokenizer, /*at_text_start=*/false, show_special_);
}

void AnswerText::push(Token token) {
  Held held{token.id, token.is_text ? std::move(token.logprob) : std::nullopt, n_decoded_};
  if (decoder_ && token.is_text) {
    std::string text = decoder_->push(token.id);
    text.resize(text.size() - std::min(token.dropped, text.size()));
    n_decoded_ += text.size();
    held.end = n_decoded_;
    // The beginning of a character: the byte that completes it comes with a later token.
    if (text.empty() && token.dropped == 0 && !tokenizer_->piece(token.id, show_special_).empty()) ++held.end;
    const std::string emitted = token.looks_for_stops ? stops_.push(text).emit : text;
    n_released_ += emitted.size();
    ready_ += emitted;
  }
  held_.push_back(std::move(held));
}

void AnswerText::add(Event& event) {
  Held& held = held_.front();
  event.tokens.push_back(held.id);
  if (held.logprob) event.logprobs.push_back(std::move(*held.logprob));
  held_.pop_front();
}

bool AnswerText::release(Event& event) {
  bool any = !ready_.empty();
  event.text += ready_;
  ready_.clear();
  while (!held_.empty() && held_.front().end <= n_released_) {
    add(event);
    any = true;
  }
  return any;
}

void AnswerText::finish(Event& event) {
  if (decoder_ && !stopped()) {
    ready_ += stops_.push(decoder_->finish()).emit;
    ready_ += stops_.finish();
  }
  release(event);
  while (!held_.empty()) add(event);
}

}  // namespace minnow
