// Where a model thinks before it answers, and how that ends.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/chat_output/output_format.h"
#include "text/tokenizer.h"

namespace minnow {

struct Thinking {
  std::string ends_with;       // the mark behind which the answer itself begins
  // Not kNoToken: the model thinks only when its answer begins with this token, whose text this is; else it thinks already, or
  // always does.
  TokenId opening = kNoToken;
  std::string opening_text = {};
};

enum class MayThink : uint8_t {
  kIfItWants,
  kIfItHasBegun,  // the prompt ends within thinking, or in words that the model is to go on from
};

// nullopt: the model answers at once. `prompt` is the rendered chat, or its end.
std::optional<Thinking> thinking_before_answer(const OutputFormat& format, const Tokenizer& tokenizer, std::string_view prompt, MayThink may);

// Whether the prompt closes with the mark, white space aside.
bool ends_with_mark(std::string_view prompt, std::string_view mark);

// Whether answers in this format begin with a header that says what follows: then all of it has to be parsed, tools or not.
bool speaks_in_channels(const OutputFormat& format);

// Whether a chat template, or the format that it speaks, knows of thinking.
bool knows_thinking(const OutputFormat& format, std::string_view chat_template);

}  // namespace minnow
