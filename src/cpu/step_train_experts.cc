#include "cpu/step_train_experts.h"

#include <cmath>
#include <cstring>

#include "cpu/row_step.h"

namespace minnow {
namespace {

constexpr int64_t kPairs = 256;  // of an expert, multiplied at a time

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// A member computes all of an expert: models with experts have more of them than machines have cores.
class TrainExpertProduct final : public Step {
 public:
  TrainExpertProduct(const TrainExpertStep& s, std::shared_ptr<const ExpertPlan> plan)
      : s_(s), plan_(std::move(plan)), bytes_(train_expert_bytes(s, 1)) {}

  void begin(const RunContext&) override { counter_.reset(); }
  void work(const RunContext&, int member) override {
    std::byte* memory = s_.memory + member * bytes_;
    counter_.take(static_cast<int64_t>(plan_->groups.size()), [&](int64_t g) {
      const ExpertPlan::Group& group = plan_->groups[static_cast<std::size_t>(g)];
      for (int64_t at = group.begin; at < group.end; at += kPairs) {
        multiply({group.expert, at, std::min(group.end - at, kPairs)}, memory);
      }
    });
  }

 private:
  struct Pairs {
    int64_t expert, first, n;
  };

  // Rows of x for the pairs, gathered where tokens have one for all of their experts.
  const float* x_of(const Pairs& p, float* gathered) const {
    if (s_.x_of_pairs) return s_.x.data + p.first * s_.k;
    for (int64_t i = 0; i < p.n; ++i) {
      const int32_t token = plan_->token_of[static_cast<std::size_t>(p.first + i)];
      std::memcpy(gathered + i * s_.k, s_.x.row(token), static_cast<std::size_t>(s_.k) * sizeof(float));
    }
    return gathered;
  }

  // The right operand is packed once more for each kPairs pairs of an expert.
  void multiply(const Pairs& p, std::byte* memory) const {
    const int64_t n = s_.n, k = s_.k;
    auto* gathered = reinterpret_cast<float*>(memory);
    memory += aligned(kPairs * k * 4);
    const float* w = s_.weight + p.expert * n * k;
    float* y = s_.y.data + p.first * n;
    switch (s_.product) {
      case ExpertProduct::kForward:
        return product(memory, {x_of(p, gathered), p.n, k, Lines::kRows}, {w, n, k, Lines::kRows}, y, false);
      case ExpertProduct::kGradient:
        return product(memory, {y, p.n, n, Lines::kRows}, {w, n, k, Lines::kColumns},
                       s_.dx.data + p.first * k, false);
      case ExpertProduct::kWeightGradient:
        return product(memory, {y, p.n, n, Lines::kColumns}, {x_of(p, gathered), p.n, k, Lines::kColumns},
                       s_.d_weight + p.expert * n * k, true);
    }
  }

  void product(std::byte* memory, const DenseOperand& left, const DenseOperand& right, float* c, bool add) const {
    PackedRight packed(s_.dense, right.of({}), memory);
    packed.pack(0, packed.panels());
    const DenseMatMul all({left.of({})}, {{{&packed}, c, packed.n_lines(), add}}, 1);
    for (int64_t tile = 0; tile < all.tiles(); ++tile) all.compute(tile, memory + aligned(packed.bytes()));
  }

  TrainExpertStep s_;
  std::shared_ptr<const ExpertPlan> plan_;
  int64_t bytes_;
  Counter counter_;
};

}  // namespace

int64_t train_expert_bytes(const TrainExpertStep& s, int team) {
  const auto bytes = [&](int64_t n, int64_t k) { return aligned(PackedRight(s.dense, {nullptr, k, Lines::kRows, n, k}, nullptr).bytes()); };
  int64_t packed = 0;
  switch (s.product) {
    case ExpertProduct::kForward: packed = bytes(s.n, s.k); break;
    case ExpertProduct::kGradient: packed = bytes(s.k, s.n); break;
    case ExpertProduct::kWeightGradient: packed = bytes(s.k, kPairs); break;
  }
  return (aligned(kPairs * s.k * 4) + packed + DenseMatMul::scratch_bytes(s.dense)) * team;
}

std::unique_ptr<Step> make_train_expert_step(const TrainExpertStep& step, std::shared_ptr<const ExpertPlan> plan) {
  return std::make_unique<TrainExpertProduct>(step, std::move(plan));
}

// These read rows that belong to other tokens' places, so they do not join chains: step_over of outputs would, by outputs.
template <typename Fn>
class PairStep final : public Step {
 public:
  PairStep(std::shared_ptr<const ExpertPlan> plan, Fn fn) : plan_(std::move(plan)), fn_(std::move(fn)) {}
  void work(const RunContext& run, int member) override {
    const Share share = share_of(run.size.tokens, member, run.team);
    for (int64_t t = share.begin; t < share.end; ++t) {
      for (int64_t slot = 0; slot < plan_->n_used; ++slot) {
        fn_(run, t, slot, int64_t{plan_->place_of[static_cast<std::size_t>(t * plan_->n_used + slot)]});
      }
    }
  }

 private:
  std::shared_ptr<const ExpertPlan> plan_;
  Fn fn_;
};
template <typename Fn>
std::unique_ptr<Step> pair_step(std::shared_ptr<const ExpertPlan> plan, Fn fn) {
  return std::make_unique<PairStep<Fn>>(std::move(plan), std::move(fn));
}

std::unique_ptr<Step> make_pair_sum_step(Value x, Value y, std::shared_ptr<const ExpertPlan> plan) {
  return pair_step(std::move(plan), [=](const RunContext& run, int64_t t, int64_t slot, int64_t place) {
    const float* row = x.data + place * y.width;
    if (slot == 0) {
      std::memcpy(y.row(t), row, static_cast<std::size_t>(y.width) * sizeof(float));
    } else {
      run.kernels.add(y.row(t), row, y.row(t), y.width);
    }
  });
}

std::unique_ptr<Step> make_expert_sum_gradient_step(Value dy, Value route, Value dx, std::shared_ptr<const ExpertPlan> plan) {
  return pair_step(std::move(plan), [=, k = route.width / 2](const RunContext& run, int64_t t, int64_t slot, int64_t place) {
    run.kernels.scale(dy.row(t), route.row(t)[k + slot], dx.data + place * dy.width, dy.width);
  });
}

std::unique_ptr<Step> make_expert_sum_route_gradient_step(Value dy, Value x, Value d_route, std::shared_ptr<const ExpertPlan> plan) {
  return pair_step(std::move(plan), [=, k = d_route.width / 2](const RunContext&, int64_t t, int64_t slot, int64_t place) {
    double sum = 0;
    for (int64_t i = 0; i < dy.width; ++i) sum += static_cast<double>(dy.row(t)[i]) * x.data[place * dy.width + i];
    d_route.row(t)[slot] = 0;
    d_route.row(t)[k + slot] = static_cast<float>(sum);
  });
}

// The weights are a softmax over all experts or over the chosen ones, scaled; which are chosen does not change.
std::unique_ptr<Step> make_route_gradient_step(const RouteAttrs& attrs, const std::vector<Value>& in, Value d_logits) {
  return row_step([=, d_route = in[0], logits = in[1], route = in[2]](const RunContext&, int64_t t) {
    const int64_t n = logits.width, k = attrs.n_used;
    const float *z = logits.row(t), *chosen = route.row(t), *d = d_route.row(t) + k;
    float* out = d_logits.row(t);
    double mean = 0;  // of d, by the weights
    for (int64_t i = 0; i < k; ++i) mean += static_cast<double>(d[i]) * chosen[k + i] / attrs.scale;
    std::fill_n(out, n, 0.0f);
    if (!attrs.normalize) {
      double top = z[0], sum = 0;
      for (int64_t e = 1; e < n; ++e) top = std::max<double>(top, z[e]);
      for (int64_t e = 0; e < n; ++e) sum += std::exp(z[e] - top);
      for (int64_t e = 0; e < n; ++e) out[e] = static_cast<float>(-std::exp(z[e] - top) / sum * mean * attrs.scale);
    }
    for (int64_t i = 0; i < k; ++i) {
      const double own = static_cast<double>(chosen[k + i]) * (d[i] - (attrs.normalize ? mean : 0));
      out[static_cast<int64_t>(chosen[i])] += static_cast<float>(own);
    }
  });
}

}  // namespace minnow
