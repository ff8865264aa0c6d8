#include "cpu/step_experts.h"

#include <algorithm>
#include <cmath>

namespace minnow {
namespace {

constexpr int64_t kExpertChunkBytes = 64 << 10;  // of weights, handed out at a time

class RouteStep final : public TokenStep {
 public:
  RouteStep(const RouteAttrs& attrs, Value logits, Value route) : attrs_(attrs), logits_(logits), route_(route) {}

  void tokens(const RunContext&, int64_t begin, int64_t end) override {
    std::vector<int32_t> order(static_cast<std::size_t>(logits_.width));
    for (int64_t r = begin; r < end; ++r) route(r, order);
  }

 private:
  void route(int64_t r, std::vector<int32_t>& order) const {
    const float* logits = logits_.row(r);
    const auto n_used = static_cast<std::ptrdiff_t>(attrs_.n_used);
    for (std::size_t e = 0; e < order.size(); ++e) order[e] = static_cast<int32_t>(e);
    // A NaN compares as smallest: the order stays a strict one whatever the numbers are.
    const auto value = [&](int32_t e) { return std::isnan(logits[e]) ? -INFINITY : logits[e]; };
    std::partial_sort(order.begin(), order.begin() + n_used, order.end(),
                      [&](int32_t a, int32_t b) { return value(a) != value(b) ? value(a) > value(b) : a < b; });
    double all = 0, chosen = 0;
    for (const int32_t e : order) all += std::exp(static_cast<double>(logits[e]) - value(order[0]));
    for (std::ptrdiff_t i = 0; i < n_used; ++i) chosen += std::exp(static_cast<double>(logits[order[static_cast<std::size_t>(i)]]) - value(order[0]));
    float* out = route_.row(r);
    for (std::ptrdiff_t i = 0; i < n_used; ++i) {
      const int32_t e = order[static_cast<std::size_t>(i)];
      const double weight = std::exp(static_cast<double>(logits[e]) - value(order[0])) / (attrs_.normalize ? chosen : all);
      out[i] = static_cast<float>(e);
      out[n_used + i] = static_cast<float>(weight) * attrs_.scale;
    }
  }

  RouteAttrs attrs_;
  Value logits_, route_;
};

class PlanStep final : public Step {
 public:
  PlanStep(Value route, std::shared_ptr<ExpertPlan> plan) : route_(route), plan_(std::move(plan)) {}

  void work(const RunContext& run, int member) override {
    if (member != 0) return;
    ExpertPlan& p = *plan_;
    const int64_t n_pairs = run.size.tokens * p.n_used;
    p.token_of.resize(static_cast<std::size_t>(n_pairs));
    p.place_of.resize(static_cast<std::size_t>(n_pairs));
    p.groups.clear();
    std::vector<int32_t> next(static_cast<std::size_t>(p.n_experts) + 1, 0);
    const auto expert = [&](int64_t pair) { return static_cast<std::size_t>(route_.row(pair / p.n_used)[pair % p.n_used]); };
    for (int64_t i = 0; i < n_pairs; ++i) ++next[expert(i) + 1];
    for (std::size_t e = 0; e < static_cast<std::size_t>(p.n_experts); ++e) {
      const int32_t count = next[e + 1];
      next[e + 1] += next[e];
      if (count > 0) p.groups.push_back({static_cast<int32_t>(e), next[e], next[e + 1]});
    }
    for (int64_t i = 0; i < n_pairs; ++i) {
      const int32_t place = next[expert(i)]++;
      p.place_of[static_cast<std::size_t>(i)] = place;
      p.token_of[static_cast<std::size_t>(place)] = static_cast<int32_t>(i / p.n_used);
    }
  }

 private:
  Value route_;
  std::shared_ptr<ExpertPlan> plan_;
};

class ExpertInputStep final : public Step {
 public:
  ExpertInputStep(const ExpertInput& input, std::shared_ptr<const ExpertPlan> plan) : in_(input), plan_(std::move(plan)) {}

  void work(const RunContext& run, int member) override {
    const Share share = share_of(run.size.tokens * plan_->n_used, member, run.team);
    for (int64_t i = share.begin; i < share.end; ++i) {
      const float* x = in_.sorted ? in_.x.data + i * in_.k : in_.x.row(plan_->token_of[static_cast<std::size_t>(i)]);
      to_input(run.kernels, in_.form, x, in_.out + i * input_row_bytes(in_.form, in_.k), in_.k);
    }
  }

 private:
  ExpertInput in_;
  std::shared_ptr<const ExpertPlan> plan_;
};

class ExpertMatMulStep final : public Step {
 public:
  ExpertMatMulStep(const std::vector<PackedMatrix>& weights, const std::byte* x, Value y, std::shared_ptr<const ExpertPlan> plan)
      : weights_(weights), x_(x), y_(y), plan_(std::move(plan)) {
    const PackedMatrix& w = weights_[0];
    row_bytes_ = input_row_bytes(w.input(), w.k());
    grain_ = std::clamp<int64_t>(kExpertChunkBytes / w.unit_bytes(), 1, w.units());
  }

  void begin(const RunContext&) override { next_.store(0, std::memory_order_relaxed); }

  void work(const RunContext& run, int) override {
    const PackedMatrix& any = weights_[0];
    const int64_t per_expert = (any.units() + grain_ - 1) / grain_;
    const int64_t n = static_cast<int64_t>(plan_->groups.size()) * per_expert;
    for (int64_t c = next_.fetch_add(1, std::memory_order_relaxed); c < n;
         c = next_.fetch_add(1, std::memory_order_relaxed)) {
      const ExpertPlan::Group& group = plan_->groups[static_cast<std::size_t>(c / per_expert)];
      const int64_t begin = c % per_expert * grain_, end = std::min(begin + grain_, any.units());
      weights_[static_cast<std::size_t>(group.expert)].multiply(run.kernels, x_ + group.begin * row_bytes_,
                                                                group.end - group.begin,
                                                                y_.data + group.begin * any.n_rows(), begin, end);
    }
  }

 private:
  const std::vector<PackedMatrix>& weights_;
  const std::byte* x_;
  Value y_;
  std::shared_ptr<const ExpertPlan> plan_;
  int64_t row_bytes_, grain_;
  std::atomic<int64_t> next_{0};
};

class ExpertSumStep final : public Step {
 public:
  ExpertSumStep(Value x, Value route, Value y, std::shared_ptr<const ExpertPlan> plan)
      : x_(x), route_(route), y_(y), plan_(std::move(plan)) {}

  void work(const RunContext& run, int member) override {
    const Share share = share_of(run.size.tokens, member, run.team);
    const int64_t k = plan_->n_used, n = y_.width;
    for (int64_t r = share.begin; r < share.end; ++r) {
      const float* weights = route_.row(r) + k;
      for (int64_t slot = 0; slot < k; ++slot) {
        const float* x = x_.data + plan_->place_of[static_cast<std::size_t>(r * k + slot)] * n;
        if (slot == 0) {
          run.kernels.scale(x, weights[slot], y_.row(r), n);
        } else {
          run.kernels.add_scaled(x, weights[slot], y_.row(r), n);
        }
      }
    }
  }

 private:
  Value x_, route_, y_;
  std::shared_ptr<const ExpertPlan> plan_;
};

}  // namespace

std::unique_ptr<Step> make_route_step(const RouteAttrs& attrs, Value logits, Value route) {
  return std::make_unique<RouteStep>(attrs, logits, route);
}
std::unique_ptr<Step> make_expert_plan_step(Value route, std::shared_ptr<ExpertPlan> plan) {
  return std::make_unique<PlanStep>(route, std::move(plan));
}
std::unique_ptr<Step> make_expert_input_step(const ExpertInput& input, std::shared_ptr<const ExpertPlan> plan) {
  return std::make_unique<ExpertInputStep>(input, std::move(plan));
}
std::unique_ptr<Step> make_expert_matmul_step(const std::vector<PackedMatrix>& weights, const std::byte* x, Value y,
                                              std::shared_ptr<const ExpertPlan> plan) {
  return std::make_unique<ExpertMatMulStep>(weights, x, y, std::move(plan));
}
std::unique_ptr<Step> make_expert_sum_step(Value x, Value route, Value y, std::shared_ptr<const ExpertPlan> plan) {
  return std::make_unique<ExpertSumStep>(x, route, y, std::move(plan));
}

}  // namespace minnow
