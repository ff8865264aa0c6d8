// For tests: calls of a family, said by random tokens of those that a constraint allows.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "text/chat_output/output_format.h"
#include "text/grammar/token_constraint.h"
#include "text/tokenizer.h"
#include "text/tokenizer_test_specs.h"

namespace minnow::test {

// The words of a format that models have as tokens of their own: what stands in brackets.
inline std::vector<std::string> bracketed_words(const OutputFormat& format) {
  std::vector<std::string> out;
  const auto add = [&](std::string_view text) {
    for (std::size_t at = text.find_first_of("<["); at != std::string_view::npos; at = text.find_first_of("<[", at + 1)) {
      const std::size_t end = text.find(text[at] == '<' ? '>' : ']', at);
      if (end == std::string_view::npos) continue;
      const std::string word(text.substr(at, end + 1 - at));
      if (word.size() > 2 && word.find_first_of("\n \"") == std::string::npos && std::find(out.begin(), out.end(), word) == out.end()) out.push_back(word);
    }
  };
  for (const CallSyntax& s : format.calls) {
    for (const std::string_view text : {s.open, s.separator, s.close, s.id_separator, s.tags.argument_open, s.tags.key_close, s.tags.value_open, s.tags.value_close}) add(text);
  }
  for (const auto& words : {format.wrap_open, format.wrap_close}) {
    for (const std::string_view word : words) add(word);
  }
  return out;
}

// Ids 0 to 255 are the bytes; then some words that cross the parts of calls, the marks as control tokens, and the end.
inline TokenizerSpec call_words(const std::vector<std::string>& marks) {
  TokenizerSpec spec = testing_specs::byte_bpe({});
  for (const char* text : {"{\"", "\":", "\": \"", "\"}", "}}", "name", "city", "weather", "functions.", "=\"", "</", "parameter", ">\n", "\n<", "Os", "lo"}) {
    testing_specs::add(spec, testing_specs::letters(text));
  }
  for (const std::string& mark : marks) testing_specs::add(spec, mark, TokenType::kControl);
  spec.eos = testing_specs::add(spec, "<end>", TokenType::kControl);
  return spec;
}

// What a text is brought to its end with. In a string any of them but one is a part of it.
struct Hurry {
  const Tokenizer& tokenizer;
  std::vector<std::string> closers;
};

// From the state on, until the constraint is whole. Throws when that leads nowhere.
inline std::string say_at_random(ConstraintState state, const Hurry& hurry, Random& random) {
  const auto n_vocab = static_cast<std::size_t>(hurry.tokenizer.n_vocab());
  std::vector<uint32_t> bits((n_vocab + 31) / 32);
  std::string said;
  const auto close = [&] {
    const std::size_t first = random.below(hurry.closers.size());
    for (std::size_t i = 0; i < hurry.closers.size(); ++i) {
      const std::string& closer = hurry.closers[(first + i) % hurry.closers.size()];
      ConstraintState trial = state;
      if (!trial.accept_text(closer)) continue;
      state = std::move(trial);
      said += closer;
      return true;
    }
    return false;
  };
  const std::size_t enough = 20 + random.below(60);
  for (std::size_t n = 0; !state.is_finished(); ++n) {
    if (state.may_end() && (n > enough || random.below(4) == 0)) return said;
    if (n > 100 * enough) fail(ErrorCode::kInternal, "a random call finds no end: {}", said);
    if (n > enough && random.below(6) != 0 && close()) continue;
    if (!state.mask(bits)) fail(ErrorCode::kInternal, "no token may come behind {}", said);
    std::vector<TokenId> plain, marks, all;
    for (std::size_t i = 0; i < n_vocab; ++i) {
      const auto id = static_cast<TokenId>(i);
      if ((bits[i / 32] >> (i % 32) & 1u) == 0 || hurry.tokenizer.is_end_of_generation(id)) continue;
      all.push_back(id);
      if (hurry.tokenizer.is_control(id)) marks.push_back(id);
      else if (i >= 0x20 && i < 0x7F) plain.push_back(id);
    }
    const std::vector<TokenId>& some = !marks.empty() && random.below(3) != 0 ? marks : !plain.empty() && random.below(4) != 0 ? plain : all;
    if (some.empty()) fail(ErrorCode::kInternal, "only the end may come behind {}", said);
    const TokenId token = some[random.below(some.size())];
    if (!state.accept(token)) fail(ErrorCode::kInternal, "a token that was allowed is refused behind {}", said);
    said += hurry.tokenizer.piece(token, /*show_special=*/true);
  }
  return said;
}

}  // namespace minnow::test
