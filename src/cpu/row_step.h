// Steps made of a function of one row.
#pragma once

#include <memory>
#include <utility>

#include "cpu/step.h"

namespace minnow {

// Calls fn(run, row) for each token.
template <typename Fn>
class RowStep final : public TokenStep {
 public:
  explicit RowStep(Fn fn) : fn_(std::move(fn)) {}
  void tokens(const RunContext& run, int64_t begin, int64_t end) override {
    for (int64_t r = begin; r < end; ++r) fn_(run, r);
  }

 private:
  Fn fn_;
};

template <typename Fn>
std::unique_ptr<Step> row_step(Fn fn) {
  return std::make_unique<RowStep<Fn>>(std::move(fn));
}

// The same for values with a row per output.
template <typename Fn>
class OutputStep final : public Step {
 public:
  explicit OutputStep(Fn fn) : fn_(std::move(fn)) {}
  void work(const RunContext& run, int member) override {
    const Share share = share_of(run.size.outputs, member, run.team);
    for (int64_t r = share.begin; r < share.end; ++r) fn_(run, r);
  }

 private:
  Fn fn_;
};

template <typename Fn>
std::unique_ptr<Step> step_over(int64_t row_dim, Fn fn) {
  if (row_dim == kOutputsDim) return std::make_unique<OutputStep<Fn>>(std::move(fn));
  return row_step(std::move(fn));
}

}  // namespace minnow
