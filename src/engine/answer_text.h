// The text of an answer as its tokens come: decoded, up to a stop string, and each token beside the text that it ends.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "engine/engine.h"
#include "engine/stop_matcher.h"
#include "text/tokenizer.h"

namespace minnow {

class AnswerText {
 public:
  // Without a tokenizer there is no text. It has to outlive this. Throws kInvalidInput for stop strings that StopMatcher refuses.
  AnswerText(const GenerateRequest& request, const Tokenizer* tokenizer);

  struct Token {
    TokenId id = kNoToken;
    std::optional<TokenLogprob> logprob = {};
    bool is_text = true;        // false: it ends the answer and is not part of it
    std::size_t dropped = 0;    // bytes at its end that are not part of it
    bool looks_for_stops = true;
  };
  void push(Token token);
  // Whether a stop string was found. Text after it is swallowed.
  bool stopped() const { return stops_.stopped(); }
  const std::string& stop_string() const { return stops_.stop_string(); }

  // Adds the text that is known to be part of the answer, and the tokens that end in it. Whether there was any of either.
  bool release(Event& event);
  // The answer has ended: adds all that was held back. Call once.
  void finish(Event& event);

 private:
  struct Held {
    TokenId id;
    std::optional<TokenLogprob> logprob;
    uint64_t end;  // bytes of decoded text that have to be released before it is
  };
  void add(Event& event);

  const Tokenizer* tokenizer_;
  const bool show_special_;
  std::optional<StreamDecoder> decoder_;
  StopMatcher stops_;
  std::deque<Held> held_;
  std::string ready_;  // text that is known to be part of the answer
  uint64_t n_decoded_ = 0, n_released_ = 0;  // bytes
};

}  // namespace minnow
