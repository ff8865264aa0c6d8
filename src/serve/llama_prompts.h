// "prompt" as llama-server takes it: a text, token ids, both in one array, or an array of those.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "serve/fields.h"
#include "text/tokenizer.h"

namespace minnow {

struct LlamaPrompt {
  std::string text;             // to be shown
  std::vector<TokenId> tokens;
};

// Texts may spell control tokens; only one that begins a prompt gets BOS before it. Throws RequestError, also for prompts with images.
std::vector<LlamaPrompt> read_llama_prompts(const RequestFields& body, std::string_view name, const Tokenizer& tokenizer);

// A text, or texts and token ids in one array, as tokens.
std::vector<TokenId> read_mixed_tokens(const OrderedJson& value, const std::string& path, const Tokenizer& tokenizer, EncodeOptions options);

// "input_extra" of /infill, [{"filename", "text"}], as a text to put before the prefix.
std::string read_infill_files(const RequestFields& body);

}  // namespace minnow
