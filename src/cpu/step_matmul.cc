#include <algorithm>

#include "cpu/step.h"

namespace minnow {
namespace {

// Weights handed out at a time when few columns make the product a matter of reading them: long enough for one
// contiguous stream per core, short enough to even out cores of different speed.
constexpr int64_t kStreamBytes = 128 << 10;
// With many columns: as many panels as stay in a core's cache while the columns pass by; rows of float matrices come
// together in blocks (body/row_matmul.h).
constexpr int64_t kTileBytes = 64 << 10, kFloatRows = 64;
constexpr int64_t kManyColumns = 16;
// What a waiting member fetches of its first chunk, and how much of it at a time.
constexpr int64_t kFetchBytes = 128 << 10, kFetchPiece = 2 << 10;

class MatMulStep final : public Step {
 public:
  MatMulStep(const void* x, int64_t row_dim, std::vector<MatMulOutput> outputs)
      : x_(x), row_dim_(row_dim), outputs_(std::move(outputs)) {}

  void begin(const RunContext& run) override {
    n_cols_ = row_dim_ == kOutputsDim ? run.size.outputs : run.size.tokens;
    next_.store(run.team, std::memory_order_relaxed);
    chunks_.clear();
    if (n_cols_ == 0) return;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const PackedMatrix& w = *outputs_[i].weight;
      const int64_t bytes = n_cols_ < kManyColumns ? kStreamBytes : kTileBytes;
      const int64_t even = (w.units() + 2 * run.team - 1) / (2 * run.team);  // every member gets something
      const bool float_blocks = !w.in_panels() && n_cols_ >= kManyColumns;
      int64_t grain = std::clamp<int64_t>(float_blocks ? kFloatRows : bytes / w.unit_bytes(), 1, even);
      if (!w.in_panels()) grain = (grain + 7) / 8 * 8;  // a few rows share the loads of their columns
      for (int64_t u = 0; u < w.units(); u += grain) chunks_.push_back({i, u, std::min(u + grain, w.units())});
    }
  }

  // A member begins with the chunk of its own number, then takes what is left.
  void work(const RunContext& run, int member) override {
    const auto n = static_cast<int64_t>(chunks_.size());
    for (int64_t c = member; c < n; c = next_.fetch_add(1, std::memory_order_relaxed)) {
      const Chunk& chunk = chunks_[static_cast<std::size_t>(c)];
      const MatMulOutput& out = outputs_[chunk.output];
      out.weight->multiply(run.kernels, x_, n_cols_, out.y.data, chunk.begin, chunk.end);
    }
  }

  bool reads_weights() const override { return true; }
  bool fetch(const RunContext&, int member, int piece) const override {
    if (n_cols_ >= kManyColumns || static_cast<std::size_t>(member) >= chunks_.size()) return false;
    const Chunk& chunk = chunks_[static_cast<std::size_t>(member)];
    const auto bytes = outputs_[chunk.output].weight->unit_data(chunk.begin, chunk.end);
    const int64_t begin = piece * kFetchPiece, size = std::min<int64_t>(kFetchBytes, static_cast<int64_t>(bytes.size()));
    for (int64_t b = begin; b < std::min(begin + kFetchPiece, size); b += 64) __builtin_prefetch(bytes.data() + b, 0, 2);
    return begin + kFetchPiece < size;
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
