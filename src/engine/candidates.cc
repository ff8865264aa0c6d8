#include "engine/candidates.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

#include "engine/exp_weight.h"

namespace minnow {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr std::size_t kChunk = 64;  // logits looked at together: most chunks hold nothing of interest
constexpr std::size_t kLanes =
    16;  // independent accumulators: a fixed order of summation that SIMD can follow

bool ranks_before(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

bool by_id(const Candidate& a, const Candidate& b) { return a.id < b.id; }

// Calls visit(index, logit) for every logit above the bound that bound() gives, which may rise meanwhile.
template <typename Bound, typename Visit>
void for_each_above(std::span<const float> logits, Bound bound, Visit visit) {
  for (std::size_t begin = 0; begin < logits.size(); begin += kChunk) {
    const auto chunk = logits.subspan(begin, std::min(kChunk, logits.size() - begin));
    const float limit = bound();
    int above = 0;
    for (const float x : chunk) above += x > limit ? 1 : 0;
    if (above == 0) continue;
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      if (chunk[i] > limit) visit(begin + i, chunk[i]);
    }
  }
}

}  // namespace

float largest_logit(std::span<const float> logits) {
  float lanes[kLanes];
  std::fill(std::begin(lanes), std::end(lanes), kMinusInfinity);
  const std::size_t whole = logits.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t j = 0; j < kLanes; ++j) lanes[j] = logits[i + j] > lanes[j] ? logits[i + j] : lanes[j];
  }
  for (std::size_t i = whole; i < logits.size(); ++i) lanes[0] = logits[i] > lanes[0] ? logits[i] : lanes[0];
  return *std::max_element(std::begin(lanes), std::end(lanes));
}

double total_weight(std::span<const float> logits, float largest, float temperature) {
  const float top = std::min(largest, FLT_MAX);
  double total = 0;
  // Floats within a chunk of 1024, doubles between chunks.
  for (std::size_t begin = 0; begin < logits.size(); begin += 1024) {
    const auto chunk = logits.subspan(begin, std::min<std::size_t>(1024, logits.size() - begin));
    float lanes[kLanes] = {};
    const std::size_t whole = chunk.size() / kLanes * kLanes;
    for (std::size_t i = 0; i < whole; i += kLanes) {
      for (std::size_t j = 0; j < kLanes; ++j) lanes[j] += exp_weight((chunk[i + j] - top) / temperature);
    }
    for (std::size_t i = whole; i < chunk.size(); ++i) lanes[0] += exp_weight((chunk[i] - top) / temperature);
    for (const float lane : lanes) total += lane;
  }
  return total;
}

void Candidates::take_top(std::span<const float> logits, std::size_t k) {
  const std::size_t room = k + std::max<std::size_t>(k, 512);
  list_.clear();
  float kth = kMinusInfinity;  // a token at or below it cannot be among the k best of those seen
  const auto shrink = [&] {
    std::nth_element(list_.begin(), list_.begin() + static_cast<std::ptrdiff_t>(k) - 1, list_.end(),
                     ranks_before);
    list_.resize(k);
    kth = list_.back().logit;
  };
  const auto bound = [&] {
    if (list_.size() >= room) shrink();
    return kth;
  };
  for_each_above(logits, bound, [&](std::size_t i, float x) {
    list_.push_back({static_cast<TokenId>(i), std::min(x, FLT_MAX), 0});
  });
  if (list_.size() > k) shrink();
  std::sort(list_.begin(), list_.end(), by_id);
  weigh(1.0f);
}

void Candidates::take_from(std::span<const float> logits, float lowest) {
  list_.clear();
  const float below = std::nextafter(std::max(lowest, -FLT_MAX), kMinusInfinity);
  for_each_above(
      logits, [&] { return below; },
      [&](std::size_t i, float x) {
        list_.push_back({static_cast<TokenId>(i), std::min(x, FLT_MAX), 0});
      });
  weigh(1.0f);
}

float Candidates::largest() const {
  float top = kMinusInfinity;
  for (const Candidate& c : list_) top = std::max(top, c.logit);
  return top;
}

void Candidates::weigh(float temperature) {
  const float top = largest();
  for (Candidate& c : list_) c.weight = exp_weight((c.logit - top) / temperature);
}

double Candidates::sum() const {
  double total = 0;
  for (const Candidate& c : list_) total += c.weight;
  return total;
}

// The last element of keys_, in order of (key, id), that is needed for the weights to add up to `needed`.
// Halves the part in question around its median: linear time, where sorting all would not be.
Candidates::Ranked Candidates::last_within(double needed) {
  const auto before = [](const Ranked& a, const Ranked& b) {
    return a.key < b.key || (a.key == b.key && a.id < b.id);
  };
  auto begin = keys_.begin();
  auto end = keys_.end();
  double before_begin = 0;
  while (end - begin > 1) {
    const auto middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, before);
    double mass = before_begin;
    for (auto it = begin; it != middle; ++it) mass += it->weight;
    if (mass >= needed) {
      end = middle;
    } else {
      before_begin = mass;
      begin = middle;
    }
  }
  return *begin;
}

template <typename Key>
void Candidates::keep_mass(Key key, double needed) {
  keys_.clear();
  for (const Candidate& c : list_) keys_.push_back({key(c), c.id, c.weight});
  const Ranked last = last_within(needed);
  std::erase_if(list_, [&](const Candidate& c) {
    const float k = key(c);
    return k > last.key || (k == last.key && c.id > last.id);
  });
}

void Candidates::keep_top_p(float share, double total) {
  keep_mass([](const Candidate& c) { return -c.logit; }, share * total);
}

void Candidates::keep_typical(float share) {
  const double total = sum(), log_total = std::log(total);
  const float top = largest();
  double entropy = 0;  // nats
  for (const Candidate& c : list_) {
    if (c.weight > 0) entropy += c.weight / total * (log_total - (double{c.logit} - top));
  }
  keep_mass(
      [=](const Candidate& c) {
        return static_cast<float>(std::abs(log_total - (double{c.logit} - top) - entropy));
      },
      share * total);
}

void Candidates::keep_min_p(float ratio) {
  const float lowest = largest() + std::log(ratio);
  std::erase_if(list_, [&](const Candidate& c) { return c.logit < lowest; });
}

void Candidates::drop_top_choices(float threshold) {
  const double needed = threshold * sum();
  const Candidate* last = nullptr;
  for (const Candidate& c : list_) {
    if (c.weight >= needed && (last == nullptr || ranks_before(*last, c))) last = &c;
  }
  if (last == nullptr) return;
  const Candidate kept = *last;
  std::erase_if(list_, [&](const Candidate& c) { return c.weight >= needed && c.id != kept.id; });
}

const Candidate& Candidates::draw(double u) const {
  double left = u * sum();
  const Candidate* last = &list_.front();
  for (const Candidate& c : list_) {
    if (c.weight <= 0) continue;
    last = &c;  // rounding may leave a crumb at the end: it is the last token's
    left -= c.weight;
    if (left < 0) break;
  }
  return *last;
}

std::span<const Candidate> Candidates::ranked() {
  by_rank_ = list_;
  std::sort(by_rank_.begin(), by_rank_.end(), ranks_before);
  return by_rank_;
}

}  // namespace minnow
