// Names for what a model and a vocabulary hold, to tell them apart: not to withstand somebody who wants two to look alike.
#pragma once

#include <string>

#include "models/model.h"

namespace minnow {

// 32 hexadecimal digits of all weights, the numbers of the model, and its tokens. Reads every byte of the weights.
std::string model_digest(const Model& model);
// The same of the tokens and merges alone.
std::string vocabulary_digest(const TokenizerSpec& spec);

}  // namespace minnow
