// The split expressions of the common families of language models, which match all of a text: words with the
// space before them, numbers, runs of other characters, white space.
#include "formats/tokenizer_pre.h"
#include "text/pretokenizer.h"
#include "text/pretokenizer_scanner.h"

namespace minnow {
namespace {

// next_end gives the end of the match that begins at `at`.
template <typename NextEnd>
class WordRule final : public SplitRule {
 public:
  WordRule(NextEnd next_end, PieceFlags flags) : next_end_(next_end), flags_(flags) {}
  void split(std::string_view text, uint32_t offset, PreTokenizerScratch&,
             std::vector<uint32_t>& ends) const override {
    const Scanner scanner(text);
    for (uint32_t at = 0; !scanner.at_end(at);) {
      at = next_end_(scanner, at);
      ends.push_back((at + offset) | flags_.match);
    }
  }

 private:
  NextEnd next_end_;
  PieceFlags flags_;
};

uint32_t gpt2_end(const Scanner& s, uint32_t at) {
  if (s.byte(at) == '\'') {
    if (const uint32_t end = s.contraction(at, false); end > at) return end;
  }
  const Scanner::Char first = s.look(at);
  if (first.type != CharClass::kSpace) return s.run(at + first.length, first.type);
  if (s.byte(at) == ' ' && !s.at_end(at + 1)) {
    const Scanner::Char second = s.look(at + 1);
    if (second.type != CharClass::kSpace) return s.run(at + 1 + second.length, second.type);
  }
  return s.spaces(at);
}

// The family of Llama 3 (max_digits 3) and Qwen 2 (max_digits 1).
struct Llama3End {
  int max_digits;

  uint32_t operator()(const Scanner& s, uint32_t at) const {
    if (s.byte(at) == '\'') {
      if (const uint32_t end = s.contraction(at, true); end > at) return end;
    }
    const Scanner::Char first = s.look(at);
    if (first.type == CharClass::kLetter) return s.run(at + first.length, CharClass::kLetter);
    if (first.type == CharClass::kNumber) return number_end(s, at);
    // One character that is no newline, letter or number goes with the letters after it.
    if (!s.is_newline(at) && s.is(at + first.length, CharClass::kLetter)) {
      return s.run(at + first.length, CharClass::kLetter);
    }
    if (first.type == CharClass::kOther) return other_end(s, at);
    if (s.byte(at) == ' ' && s.is(at + 1, CharClass::kOther)) return other_end(s, at + 1);
    return spaces_end(s, at);
  }

  uint32_t number_end(const Scanner& s, uint32_t at) const {
    for (int i = 0; i < max_digits && s.is(at, CharClass::kNumber); ++i) at += s.look(at).length;
    return at;
  }
  static uint32_t other_end(const Scanner& s, uint32_t at) {
    at = s.run(at, CharClass::kOther);
    while (!s.at_end(at) && s.is_newline(at)) ++at;
    return at;
  }
  // \s*[\r\n]+ : up to the last newline of the run, else as in spaces().
  static uint32_t spaces_end(const Scanner& s, uint32_t at) {
    uint32_t after_newline = at;
    for (uint32_t end = at; !s.at_end(end);) {
      const Scanner::Char c = s.look(end);
      if (c.type != CharClass::kSpace) break;
      end += c.length;
      if (s.is_newline(end - c.length)) after_newline = end;
    }
    return after_newline > at ? after_newline : s.spaces(at);
  }
};

template <typename F>
std::unique_ptr<SplitRule> word_rule(F f, PieceFlags flags) {
  return std::make_unique<WordRule<F>>(f, flags);
}

}  // namespace

std::unique_ptr<SplitRule> make_word_rule(std::string_view pattern, PieceFlags flags) {
  if (pattern == split_patterns::kGpt2) return word_rule(gpt2_end, flags);
  if (pattern == split_patterns::kLlama3) return word_rule(Llama3End{3}, flags);
  if (pattern == split_patterns::kQwen2) return word_rule(Llama3End{1}, flags);
  return nullptr;
}

}  // namespace minnow
