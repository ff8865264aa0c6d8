// A step of sampling for answers that fill a gap between two texts: it ends them where the model is not sure how to go on.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/candidates.h"

namespace minnow {

// As llama.cpp's sampler "infill" has it. Of the candidates, the likeliest kMaxChoices:
//   1. ends alone stay when they have more than a third of what a candidate of text has on average
//   2. a token whose text begins with another's counts together with it, as the likelier of the two
//   3. of text stays what has a fifth of the probability, then what has more than an equal share; ends stay
//   4. where no text stays, the answer ends
// What stays is drawn by its own probability.
class InfillStep {
 public:
  static constexpr std::size_t kMaxChoices = 128;
  using PieceOf = std::function<std::string(TokenId)>;

  // `ends`: tokens that end the answer. Without `piece_of` there are no texts to compare.
  InfillStep(std::vector<TokenId> ends, PieceOf piece_of) : ends_(std::move(ends)), piece_of_(std::move(piece_of)) {}

  // One candidate at least stays; it is the likeliest one when nothing else would and no end has a logit above -infinity.
  void apply(Candidates& candidates, std::span<const float> logits) const;

 private:
  struct Choice {
    TokenId id;
    double p;
    bool is_end;
  };
  bool is_end(TokenId id) const;
  void join_beginnings(std::vector<Choice>& choices) const;
  void take_end(Candidates& candidates, std::span<const float> logits, TokenId otherwise) const;

  std::vector<TokenId> ends_;
  PieceOf piece_of_;
};

}  // namespace minnow
