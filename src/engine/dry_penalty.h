// DRY, "don't repeat yourself": the longer a repeat that a token would carry on, the less likely the token.
// Described in text-generation-webui's pull request 5677 (p-e-w, 2024).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/sampling_params.h"

namespace minnow {

// Finds sequence breakers in a stream of token texts, also those that cross from one token to the next.
class BreakerFinder {
 public:
  explicit BreakerFinder(std::vector<std::string> breakers);

  struct Hit {
    bool within;  // this text alone holds a whole breaker
    bool ends;    // a breaker ends in this text, wherever it began
  };
  Hit push(std::string_view text);

 private:
  std::vector<std::string> breakers_;
  std::size_t longest_ = 0;
  std::string tail_;  // up to longest_ - 1 bytes before the next text
};

class DryPenalty {
 public:
  // The bytes of a token, special ones as they are written.
  using PieceOf = std::function<std::string(TokenId)>;

  // piece_of may be empty when there are no breakers.
  DryPenalty(const SamplingParams& params, PieceOf piece_of);

  bool active() const { return active_; }
  void accept(TokenId token);
  // Subtracts multiplier * base^(length - allowed_length) from each token that would carry on a repeat of
  // `length` tokens, allowed_length or more: the tokens at the end of the sequence are also found earlier,
  // followed by that token. The longest repeat counts. No repeat reaches over a breaker, and tokens that hold
  // one go free. Linear in the window.
  void apply(std::span<float> logits);

 private:
  // Fills repeats_[i], 0 < i < window: the length, at most `limit`, of the repeat that ends i tokens from the
  // end.
  void measure_repeats(std::size_t window, int32_t limit);
  float penalty(int32_t length) const;

  float multiplier_;
  double base_;
  int32_t allowed_length_;
  int last_n_;
  bool active_;
  PieceOf piece_of_;
  BreakerFinder breakers_;

  std::vector<TokenId> tokens_;
  std::vector<bool> holds_breaker_;  // one per token
  int64_t since_breaker_ = 0;        // tokens after the last breaker
  std::vector<int32_t> repeats_;
  std::vector<int32_t> longest_;  // by token id, zero between calls
};

}  // namespace minnow
