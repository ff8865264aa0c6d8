#include "eval/perplexity.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "text/tokenizer.h"

namespace minnow {
namespace {

struct Window {
  std::vector<TokenId> tokens;
  int64_t first_scored;  // positions first_scored .. size - 2 predict their next token
};

std::vector<Window> make_windows(std::span<const TokenId> tokens, const PerplexityOptions& o, TokenId bos) {
  std::vector<Window> windows;
  const auto n = static_cast<int64_t>(tokens.size());
  const int64_t step = o.stride > 0 ? o.stride : o.n_ctx;
  for (int64_t begin = 0; begin + o.n_ctx <= n; begin += step) {
    if (o.max_chunks > 0 && static_cast<int64_t>(windows.size()) >= o.max_chunks) break;
    const auto part = tokens.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(o.n_ctx));
    Window w{{part.begin(), part.end()}, o.n_ctx / 2};
    if (o.stride > 0) w.first_scored = begin == 0 ? 0 : o.n_ctx - o.stride - 1;
    if (bos != kNoToken) w.tokens[0] = bos;
    windows.push_back(std::move(w));
  }
  return windows;
}

}  // namespace

double negative_log_likelihood(std::span<const float> logits, TokenId token) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float l : logits) sum += std::exp(static_cast<double>(l - largest));
  return std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(token)] - largest);
}

PerplexityResult perplexity(Engine& engine, std::span<const TokenId> tokens, const PerplexityOptions& o) {
  if (o.n_ctx < 2) fail(ErrorCode::kInvalidInput, "a window of {} tokens predicts nothing, 2 are the least", o.n_ctx);
  if (o.n_ctx > engine.n_ctx()) fail(ErrorCode::kLimit, "windows of {} tokens but a context of {}", o.n_ctx, engine.n_ctx());
  if (o.stride < 0 || o.stride >= o.n_ctx) fail(ErrorCode::kInvalidInput, "the stride is {}, it must be 0 to {}", o.stride, o.n_ctx - 1);
  const TokenizerSpec& spec = engine.tokenizer().spec();
  const std::vector<Window> windows = make_windows(tokens, o, spec.add_bos ? spec.bos : kNoToken);
  if (windows.empty()) {
    throw Error(ErrorCode::kInvalidInput, fmt::format("the text has {} tokens, fewer than one window of {}", tokens.size(), o.n_ctx),
                "give a longer text or a smaller --ctx");
  }
  PerplexityResult result{.n_chunks = static_cast<int64_t>(windows.size()), .n_tokens = static_cast<int64_t>(tokens.size())};
  double sum = 0, sum_of_squares = 0;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const Window& w = windows[i];
    GenerateRequest request{.prompt = w.tokens, .max_tokens = 0};
    request.first_logits = w.first_scored;
    request.on_prompt_logits = [&](int64_t position, std::span<const float> logits) {
      if (position + 1 >= static_cast<int64_t>(w.tokens.size())) return;
      const double nll = negative_log_likelihood(logits, w.tokens[static_cast<std::size_t>(position) + 1]);
      sum += nll;
      sum_of_squares += nll * nll;
      ++result.n_scored;
    };
    engine.submit(std::move(request))->wait();
    if (o.progress) o.progress(static_cast<int64_t>(i) + 1, result.n_chunks);
  }
  const auto n = static_cast<double>(result.n_scored);
  result.mean_nll = sum / n;
  result.perplexity = std::exp(result.mean_nll);
  const double variance = std::max(0.0, sum_of_squares / n - result.mean_nll * result.mean_nll);
  if (result.n_scored > 1) result.standard_error = result.perplexity * std::sqrt(variance / (n - 1));
  return result;
}

}  // namespace minnow
