// How well a model predicts a text.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/engine.h"

namespace minnow {

struct PerplexityOptions {
  int64_t n_ctx = 512;   // tokens of a window
  int64_t stride = 0;    // 0: the GGUF tools' convention below; else windows begin this many tokens apart
  int64_t max_chunks = 0;  // 0: the whole text
  std::function<void(int64_t done, int64_t total)> progress;
};

struct PerplexityResult {
  double perplexity = 0;
  double standard_error = 0;  // of the mean negative log-likelihood, carried through exp
  double mean_nll = 0;        // nats per token
  int64_t n_scored = 0, n_chunks = 0, n_tokens = 0;
};

// Without a stride, as llama.cpp's tool counts: disjoint windows of n_ctx tokens, in each the first token replaced by
// BOS when the model wants one, positions n_ctx / 2 to n_ctx - 2 predicting their next token.
// With a stride: windows overlap and each scores only the tokens that the window before has not seen.
// Throws kInvalidInput when the text is too short for one window, kLimit when n_ctx exceeds the engine's context.
PerplexityResult perplexity(Engine& engine, std::span<const TokenId> tokens, const PerplexityOptions& options);

// -log softmax(logits)[token], in f64.
double negative_log_likelihood(std::span<const float> logits, TokenId token);

}  // namespace minnow
