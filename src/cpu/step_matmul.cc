#include <algorithm>

#include "cpu/step.h"

namespace minnow {
namespace {

// Weights handed out at a time when few columns make the product a matter of reading them: long enough for one
// contiguous stream per core, short enough to even out cores of different speed.
constexpr int64_t kStreamBytes = 128 << 10;
// With many columns: as many units as stay in a core's cache while the columns pass by.
constexpr int64_t kTileBytes = 64 << 10;
constexpr int64_t kManyColumns = 16;
// Rows of float matrices come together in blocks (body/row_matmul.h).
constexpr int64_t kFloatRows = 64;

class MatMulStep final : public Step {
 public:
  MatMulStep(const void* x, int64_t row_dim, std::vector<MatMulOutput> outputs)
      : x_(x), row_dim_(row_dim), outputs_(std::move(outputs)) {}

  void begin(const RunContext& run) override {
    n_cols_ = row_dim_ == kOutputsDim ? run.size.outputs : run.size.tokens;
    next_.store(0, std::memory_order_relaxed);
    chunks_.clear();
    if (n_cols_ == 0) return;
    const int64_t bytes = n_cols_ < kManyColumns ? kStreamBytes : kTileBytes;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const PackedMatrix& w = *outputs_[i].weight;
      const int64_t even = (w.units() + 2 * run.team - 1) / (2 * run.team);  // every member gets something
      const bool float_blocks = !w.in_panels() && n_cols_ >= kManyColumns;
      int64_t grain = std::clamp<int64_t>(float_blocks ? kFloatRows : bytes / w.unit_bytes(), 1, even);
      // A few rows share the loads of their columns; two panels do.
      grain = w.in_panels() ? (grain + 1) / 2 * 2 : (grain + 7) / 8 * 8;
      for (int64_t u = 0; u < w.units(); u += grain) chunks_.push_back({i, u, std::min(u + grain, w.units())});
    }
  }

  void work(const RunContext& run, int) override {
    const auto n = static_cast<int64_t>(chunks_.size());
    for (int64_t c = next_.fetch_add(1, std::memory_order_relaxed); c < n;
         c = next_.fetch_add(1, std::memory_order_relaxed)) {
      const Chunk& chunk = chunks_[static_cast<std::size_t>(c)];
      const MatMulOutput& out = outputs_[chunk.output];
      out.weight->multiply(run.kernels, x_, n_cols_, out.y.data, chunk.begin, chunk.end);
    }
  }

 private:
  struct Chunk {
    std::size_t output;
    int64_t begin, end;  // units
  };
  const void* x_;
  int64_t row_dim_;
  std::vector<MatMulOutput> outputs_;
  int64_t n_cols_ = 0;
  std::vector<Chunk> chunks_;
  std::atomic<int64_t> next_{0};
};

}  // namespace

std::unique_ptr<Step> make_matmul_step(const void* x, int64_t row_dim, std::vector<MatMulOutput> outputs) {
  return std::make_unique<MatMulStep>(x, row_dim, std::move(outputs));
}

}  // namespace minnow
