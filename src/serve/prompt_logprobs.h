// How likely the tokens of a prompt are, each after those before it: what `prompt_logprobs`, and `echo` with `logprobs`, show.
#pragma once

#include <vector>

#include "engine/engine.h"

namespace minnow {

// One entry for each token, with n_top alternatives. Nothing comes before the first: its logprob is NaN, and it has no alternatives.
// Waits for the engine to read the prompt; throws what Engine::submit throws, and kInternal when reading fails.
std::vector<TokenLogprob> prompt_logprobs(Engine& engine, const std::vector<TokenId>& prompt, int n_top);

}  // namespace minnow
