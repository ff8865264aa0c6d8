// The tokens that may still be drawn, and the steps that make them fewer.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/random.h"
#include "formats/tokenizer_spec.h"

namespace minnow {

struct Candidate {
  TokenId id;
  float logit;   // finite: +infinity counts as the largest float, -infinity and NaN never become candidates
  float weight;  // e^((logit - largest) / temperature): a probability but for the division by their sum
};

// The largest value, NaN left out; -infinity when there is none.
float largest_logit(std::span<const float> logits);

// The sum of e^((logit - largest) / temperature) over all logits.
double total_weight(std::span<const float> logits, float largest, float temperature);

// A list in order of token id. Tokens rank by logit, the lower id first among equals. Buffers are reused from
// call to call, and no step sorts more than it keeps.
class Candidates {
 public:
  // Fill the list and weigh it at temperature 1. At least one logit has to be above -infinity.
  void take_top(std::span<const float> logits, std::size_t k);
  void take_from(std::span<const float> logits, float lowest);  // every logit >= lowest

  // The smallest set of best-ranked tokens that holds at least this share of `total`, which is sum() unless
  // the list was filled with less than all that counts. Holtzman et al. 2020.
  void keep_top_p(float share, double total);
  // The smallest set that holds the share, taking first those whose surprise is nearest to the mean surprise
  // (the entropy). Meister et al. 2023.
  void keep_typical(float share);
  // Tokens at least `ratio` times as likely as the likeliest. Nguyen et al. 2024.
  void keep_min_p(float ratio);
  // XTC: of the tokens whose probability reaches the threshold, only the last-ranked stays.
  void drop_top_choices(float threshold);

  // Those of whose id it is true.
  template <typename Keep>
  void keep_if(Keep keep) {
    std::erase_if(list_, [&](const Candidate& c) { return !keep(c.id); });
  }
  // This one alone, which need not be in the list.
  void take_only(TokenId id, float logit) { list_ = {{id, logit, 1}}; }

  // Weighs the list anew, relative to its own largest logit.
  void weigh(float temperature);
  double sum() const;
  // Draws by weight; u in [0, 1).
  const Candidate& draw(double u) const;

  std::span<const Candidate> list() const { return list_; }
  // The list from best to worst; valid until the next step.
  std::span<const Candidate> ranked();

 private:
  struct Ranked {
    float key;
    TokenId id;
    float weight;
  };
  float largest() const;
  template <typename Key>
  void keep_mass(Key key, double needed);
  Ranked last_within(double needed);

  std::vector<Candidate> list_;
  std::vector<Candidate> by_rank_;
  std::vector<Ranked> keys_;
};

}  // namespace minnow
