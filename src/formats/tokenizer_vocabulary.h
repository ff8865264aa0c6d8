// Filling TokenizerSpec::tokens from files that give tokens with their ids, in any order and with holes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/tokenizer_spec.h"

namespace minnow {

inline constexpr std::string_view kSpaceSymbol = "\u2581";  // SentencePiece's mark for a space

// A token that a file adds to the vocabulary, or says more about.
struct AddedToken {
  int64_t id = 0;
  std::string text;
  bool special = true;
  bool lstrip = false, rstrip = false, single_word = false, normalized = false;
};

// Grows the vocabulary to `n_ids`, where `n_named` of them have a name in the file. New ids are unused tokens
// called
// "[PAD<id>]" until they are set. Throws kInvalidInput when the ids are so sparse that they must be wrong.
void grow_vocabulary(TokenizerSpec& spec, int64_t n_ids, std::size_t n_named);

// Throws kInvalidInput when an id already stands for another text.
void add_tokens(TokenizerSpec& spec, const std::vector<AddedToken>& added);

// The name that grow_vocabulary() gives to an id without one.
std::string unused_token_text(TokenId id);

// Ids are looked for among control and user-defined tokens first, then all. kNoToken when absent.
TokenId find_token(const TokenizerSpec& spec, std::string_view text);

// Whether a text is shaped like a control token ("<|im_end|>"), even when a file forgets to say so.
bool looks_like_control_token(std::string_view text);

// The value of "<0x4F>", or -1 when the text is not of this form.
int byte_token_value(std::string_view text);

std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

}  // namespace minnow
