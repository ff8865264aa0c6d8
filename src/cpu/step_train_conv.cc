#include "cpu/train_steps.h"

namespace minnow {
namespace {

// y[t] = sum over j of weight[:, j] * x[t - L + 1 + j] within a document, or its transpose: dx[t] = sum over j of
// weight[:, j] * dy[t + L - 1 - j].
class ConvStep final : public Step {
 public:
  ConvStep(const TrainConvStep& s, bool transposed) : s_(s), transposed_(transposed) {}

  void begin(const RunContext&) override {
    const int64_t d = s_.x.width;
    taps_.resize(static_cast<std::size_t>(d * s_.n_taps));
    for (int64_t i = 0; i < d; ++i) {
      for (int64_t j = 0; j < s_.n_taps; ++j) taps_[static_cast<std::size_t>(j * d + i)] = s_.weight[i * s_.n_taps + j];
    }
  }
  void work(const RunContext& run, int member) override {
    const Share share = share_of(run.size.tokens, member, run.team);
    for_tokens(run.batch, share.begin, share.end, [&](const SequenceSlice& s, int64_t t) {
      float* y = s_.y.row(t);
      std::fill_n(y, s_.y.width, 0.0f);
      for (int64_t j = 0; j < s_.n_taps; ++j) {
        const int64_t away = s_.n_taps - 1 - j, from = transposed_ ? t + away : t - away;
        if (from < s.first || from >= s.first + s.count) continue;
        const float *x = s_.x.row(from), *w = taps_.data() + j * s_.x.width;
        for (int64_t i = 0; i < s_.x.width; ++i) y[i] += w[i] * x[i];
      }
    });
  }

 private:
  TrainConvStep s_;
  bool transposed_;
  std::vector<float> taps_;  // [n_taps, width]
};

// [:, j] += sum over t of dy[t] * x[t - L + 1 + j]
class ConvWeightStep final : public Step {
 public:
  explicit ConvWeightStep(const TrainConvStep& s) : s_(s) {}
  void work(const RunContext& run, int member) override {
    const Share share = share_of(s_.x.width, member, run.team);
    for (const SequenceSlice& s : run.batch.sequences) {
      for (int64_t t = s.first; t < s.first + s.count; ++t) {
        for (int64_t j = std::max<int64_t>(0, s_.n_taps - 1 - (t - s.first)); j < s_.n_taps; ++j) {
          const float *x = s_.x.row(t - s_.n_taps + 1 + j), *dy = s_.dy.row(t);
          for (int64_t i = share.begin; i < share.end; ++i) s_.d_weight[i * s_.n_taps + j] += dy[i] * x[i];
        }
      }
    }
  }

 private:
  TrainConvStep s_;
};

}  // namespace

std::unique_ptr<Step> make_train_conv_step(Op op, const TrainConvStep& step) {
  if (op == Op::kShortConvWeightGrad) return std::make_unique<ConvWeightStep>(step);
  return std::make_unique<ConvStep>(step, op == Op::kShortConvGrad);
}

}  // namespace minnow
