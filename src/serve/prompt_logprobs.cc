#include "serve/prompt_logprobs.h"

#include <limits>

#include "engine/token_logprobs.h"
#include "text/tokenizer.h"

namespace minnow {

std::vector<TokenLogprob> prompt_logprobs(Engine& engine, const std::vector<TokenId>& prompt, int n_top) {
  const Tokenizer* tokenizer = engine.has_tokenizer() ? &engine.tokenizer() : nullptr;
  std::vector<TokenLogprob> found(prompt.size());
  TokenLogprobs logprobs(tokenizer);
  GenerateRequest request{.prompt = prompt, .max_tokens = 0};
  request.on_prompt_logits = [&](int64_t position, std::span<const float> logits) {
    const auto next = static_cast<std::size_t>(position) + 1;
    if (next < prompt.size()) found[next] = logprobs.of(logits, prompt[next], n_top);
  };
  engine.submit(std::move(request))->wait();
  if (!found.empty()) {
    found.front().token = prompt.front();
    found.front().logprob = std::numeric_limits<float>::quiet_NaN();
    if (tokenizer) found.front().bytes = tokenizer->piece(prompt.front(), true);
  }
  return found;
}

}  // namespace minnow
