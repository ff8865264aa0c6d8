#include "engine/infill_step.h"

#include <algorithm>
#include <limits>

namespace minnow {
namespace {

constexpr double kEndsCount = 3, kLeastShare = 0.2;

}  // namespace

bool InfillStep::is_end(TokenId id) const { return std::find(ends_.begin(), ends_.end(), id) != ends_.end(); }

void InfillStep::join_beginnings(std::vector<Choice>& choices) const {
  if (!piece_of_) return;
  std::vector<std::string> texts;
  for (const Choice& c : choices) texts.push_back(c.is_end ? std::string() : piece_of_(c.id));
  for (std::size_t i = 0; i < choices.size(); ++i) {
    for (std::size_t j = 0; j < choices.size() && !texts[i].empty(); ++j) {
      if (i == j || texts[j].empty() || !texts[j].starts_with(texts[i])) continue;
      const bool first_stays = choices[i].p >= choices[j].p;
      Choice &stays = choices[first_stays ? i : j], &goes = choices[first_stays ? j : i];
      stays.p += goes.p;
      goes.p = 0;
      texts[first_stays ? j : i].clear();
    }
  }
}

void InfillStep::take_end(Candidates& candidates, std::span<const float> logits, TokenId otherwise) const {
  TokenId best = kNoToken;
  float logit = -std::numeric_limits<float>::infinity();
  for (const TokenId id : ends_) {
    const auto i = static_cast<std::size_t>(id);
    if (id < 0 || i >= logits.size() || !(logits[i] > logit)) continue;
    best = id;
    logit = logits[i];
  }
  if (best == kNoToken) return candidates.keep_if([&](TokenId id) { return id == otherwise; });
  candidates.take_only(best, logit);
}

void InfillStep::apply(Candidates& candidates, std::span<const float> logits) const {
  const std::span<const Candidate> ranked = candidates.ranked();
  const TokenId likeliest = ranked.front().id;
  std::vector<Choice> choices;
  double text = 0, ends = 0;
  for (const Candidate& c : ranked.first(std::min(ranked.size(), kMaxChoices))) {
    choices.push_back({c.id, c.weight, is_end(c.id)});
    (choices.back().is_end ? ends : text) += c.weight;
  }
  if (kEndsCount * ends * static_cast<double>(choices.size()) > text) return candidates.keep_if([&](TokenId id) { return is_end(id); });
  join_beginnings(choices);
  double total = text + ends;
  const auto keep = [&](double least) {
    std::erase_if(choices, [&](const Choice& c) { return !c.is_end && c.p < least * total; });
    total = 0;
    for (const Choice& c : choices) total += c.p;
  };
  keep(kLeastShare);
  const auto n_text = std::count_if(choices.begin(), choices.end(), [](const Choice& c) { return !c.is_end; });
  if (n_text == 0) return take_end(candidates, logits, likeliest);
  keep(1.0 / static_cast<double>(n_text + 1));
  candidates.keep_if([&](TokenId id) { return std::any_of(choices.begin(), choices.end(), [&](const Choice& c) { return c.id == id; }); });
}

}  // namespace minnow
