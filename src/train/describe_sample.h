// A sample for people to look at before training begins: what the model will see, and what it is to learn of it.
#pragma once

#include <string>

#include "base/json.h"
#include "text/tokenizer.h"
#include "train/sample.h"

namespace minnow {

// Lines for a terminal: stretches of tokens that carry loss ("+") and that do not ("."), with their number and their text as JSON
// writes it, control tokens visible. Stretches of more than `max_text` bytes are shortened in the middle; 0: never. `colors`: with
// terminal colors.
std::string describe_sample(const Sample& sample, const Tokenizer& tokenizer, std::size_t max_text = 400, bool colors = false);

// {"tokens": [...], "loss": [...], "n_tokens", "n_loss", "cut", "stretches": [{"first", "count", "loss", "text"}, ...]}
Json sample_to_json(const Sample& sample, const Tokenizer& tokenizer);

}  // namespace minnow
