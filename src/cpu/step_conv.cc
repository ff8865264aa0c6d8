#include <algorithm>
#include <vector>

#include "cpu/step.h"

namespace minnow {
namespace {

class ConvStoreStep final : public TokenStep {
 public:
  ConvStoreStep(int32_t layer, Value x) : layer_(layer), x_(x) {}

  void tokens(const RunContext& run, int64_t begin, int64_t end) override {
    for_tokens(run.batch, begin, end, [&](const SequenceSlice& s, int64_t r) {
      std::copy_n(x_.row(r), x_.width, run.kv->conv_row(layer_, s.pages, s.past + (r - s.first)));
    });
  }

 private:
  int32_t layer_;
  Value x_;
};

class ConvStep final : public Step {
 public:
  ConvStep(int32_t layer, const float* weight, int64_t n_taps, Value y) : layer_(layer), n_taps_(n_taps), y_(y) {
    for (int64_t tap = 0; tap < n_taps; ++tap) {
      for (int64_t d = 0; d < y.width; ++d) taps_.push_back(weight[d * n_taps + tap]);
    }
  }

  void work(const RunContext& run, int member) override {
    const Share share = share_of(run.size.tokens, member, run.team);
    for_tokens(run.batch, share.begin, share.end, [&](const SequenceSlice& s, int64_t r) { convolve(run, s, r); });
  }

 private:
  void convolve(const RunContext& run, const SequenceSlice& s, int64_t r) const {
    const int64_t n = y_.width, position = s.past + (r - s.first);
    float* y = y_.row(r);
    std::fill_n(y, n, 0.0f);
    for (int64_t tap = 0; tap < n_taps_; ++tap) {
      const int64_t from = position - n_taps_ + 1 + tap;
      if (from < 0) continue;
      const float* x = run.kv->conv_row(layer_, s.pages, from);
      const float* w = taps_.data() + tap * n;
      for (int64_t d = 0; d < n; ++d) y[d] += w[d] * x[d];
    }
  }

  int32_t layer_;
  int64_t n_taps_;
  Value y_;
  std::vector<float> taps_;  // [n_taps, D]
};

}  // namespace

std::unique_ptr<Step> make_conv_store_step(int32_t layer, Value x) { return std::make_unique<ConvStoreStep>(layer, x); }

std::unique_ptr<Step> make_conv_step(int32_t layer, Value weight, int64_t n_taps, Value y) {
  return std::make_unique<ConvStep>(layer, weight.data, n_taps, y);
}

}  // namespace minnow
