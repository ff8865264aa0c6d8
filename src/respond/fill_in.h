// Fill in the middle: the tokens with which a model is asked for the text between two others (Bavarian et al. 2022).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/gguf.h"
#include "text/tokenizer.h"

namespace minnow {

struct FillTokens {
  TokenId prefix = kNoToken, suffix = kNoToken, middle = kNoToken;
  std::vector<TokenId> ends;  // beside those that end any answer
};

// As the model's metadata names them, else those of the vocabulary that bear a known name; nullopt when one of the three is
// missing.
std::optional<FillTokens> fill_tokens(const Tokenizer& tokenizer, const GgufMetadata& metadata);

// Whether there are, by the files alone.
bool can_fill(const TokenizerSpec& spec, const GgufMetadata& metadata);

// BOS if the model wants it, then the text before and the text after, each behind its mark. Nothing in the texts becomes a
// control token.
std::vector<TokenId> fill_prompt(const Tokenizer& tokenizer, const FillTokens& marks, const std::string& before, const std::string& after);

}  // namespace minnow
