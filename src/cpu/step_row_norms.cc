#include <cmath>

#include "cpu/train_steps.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

class RowNormsStep final : public Step {
 public:
  explicit RowNormsStep(RowNorms norms) : norms_(std::move(norms)) {}
  void work(const RunContext& run, int member) override {
    const Tensor& w = norms_.weight;
    const Share share = share_of(w.shape[0], member, run.team);
    const int64_t k = w.shape[1];
    std::vector<float> row(static_cast<std::size_t>(k));
    for (int64_t n = share.begin; n < share.end; ++n) {
      decode_row(w.dtype, w.row(n), row.data(), k);
      for (int64_t r = 0; r < norms_.rank; ++r) {
        const float factor = norms_.factor * norms_.b[n * norms_.rank + r];
        const float* a = norms_.a + r * k;
        for (int64_t i = 0; i < k; ++i) row[static_cast<std::size_t>(i)] += factor * a[i];
      }
      double squares = 0;
      for (const float v : row) squares += static_cast<double>(v) * static_cast<double>(v);
      // A row of zeros has no direction: whatever norm it is to have, it stays zero.
      norms_.out[n] = squares > 0 ? static_cast<float>(1 / std::sqrt(squares)) : 0.0f;
    }
  }

 private:
  RowNorms norms_;
};

}  // namespace

std::unique_ptr<Step> make_row_norms_step(RowNorms norms) { return std::make_unique<RowNormsStep>(std::move(norms)); }

}  // namespace minnow
