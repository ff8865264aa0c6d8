#include <algorithm>

#include "cpu/step.h"

namespace minnow {
namespace {

constexpr int64_t kManyColumns = 16;
// With many columns: as many panels as stay in a core's cache while the columns pass by; rows of float matrices come
// together in blocks (body/row_matmul.h).
constexpr int64_t kTileBytes = 64 << 10, kFloatRows = 64;
// With few columns the product is a matter of reading the weights, fastest as one long stream per core: most of each
// member's share is its own, and only the rest is handed out, piece by piece, to even out cores of different speed.
constexpr double kOwnShare = 0.75;
constexpr int64_t kPieceBytes = 64 << 10;
// What a waiting member fetches of its own share, and how much of it at a time.
constexpr int64_t kFetchBytes = 128 << 10, kFetchPiece = 2 << 10;

class MatMulStep final : public Step {
 public:
  MatMulStep(const void* x, int64_t row_dim, std::vector<MatMulOutput> outputs)
      : x_(x), row_dim_(row_dim), outputs_(std::move(outputs)) {
    for (const MatMulOutput& out : outputs_) bytes_ += out.weight->units() * out.weight->unit_bytes();
  }

  void begin(const RunContext& run) override {
    n_cols_ = row_dim_ == kOutputsDim ? run.size.outputs : run.size.tokens;
    next_.store(0, std::memory_order_relaxed);
    own_.assign(static_cast<std::size_t>(run.team), {});
    pieces_.clear();
    if (n_cols_ == 0) return;
    if (n_cols_ >= kManyColumns) return cut_in_tiles(run.team);
    for (int m = 0; m < run.team; ++m) {
      const int64_t begin = bytes_ * m / run.team, end = bytes_ * (m + 1) / run.team;
      const int64_t own = begin + static_cast<int64_t>(kOwnShare * static_cast<double>(end - begin));
      cut(begin, own, bytes_, own_[static_cast<std::size_t>(m)]);
      cut(own, end, kPieceBytes, pieces_);
    }
  }

  void work(const RunContext& run, int member) override {
    for (const Piece& piece : own_[static_cast<std::size_t>(member)]) multiply(run, piece);
    const auto n = static_cast<int64_t>(pieces_.size());
    for (int64_t i = next_.fetch_add(1, std::memory_order_relaxed); i < n; i = next_.fetch_add(1, std::memory_order_relaxed)) {
      multiply(run, pieces_[static_cast<std::size_t>(i)]);
    }
  }

  bool reads_weights() const override { return true; }
  bool fetch(const RunContext&, int member, int piece) const override {
    const auto& own = own_[static_cast<std::size_t>(member)];
    if (own.empty()) return false;
    const auto bytes = outputs_[own[0].output].weight->unit_data(own[0].begin, own[0].end);
    const int64_t begin = piece * kFetchPiece, size = std::min<int64_t>(kFetchBytes, static_cast<int64_t>(bytes.size()));
    for (int64_t b = begin; b < std::min(begin + kFetchPiece, size); b += 64) __builtin_prefetch(bytes.data() + b, 0, 2);
    return begin + kFetchPiece < size;
  }

 private:
  struct Piece {
    std::size_t output;
    int64_t begin, end;  // units
  };

  void multiply(const RunContext& run, const Piece& piece) const {
    const MatMulOutput& out = outputs_[piece.output];
    out.weight->multiply(run.kernels, x_, n_cols_, out.y.data, piece.begin, piece.end);
  }

  void cut_in_tiles(int team) {
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const PackedMatrix& w = *outputs_[i].weight;
      const int64_t even = (w.units() + 2 * team - 1) / (2 * team);  // every member gets something
      int64_t grain = std::clamp<int64_t>(w.in_panels() ? kTileBytes / w.unit_bytes() : kFloatRows, 1, even);
      if (!w.in_panels()) grain = (grain + 7) / 8 * 8;  // a few rows share the loads of their columns
      for (int64_t u = 0; u < w.units(); u += grain) pieces_.push_back({i, u, std::min(u + grain, w.units())});
    }
  }

  // The units that begin in bytes [begin, end) of all weights, one matrix after another, in pieces of about `most` bytes.
  void cut(int64_t begin, int64_t end, int64_t most, std::vector<Piece>& pieces) const {
    int64_t base = 0;
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const PackedMatrix& w = *outputs_[i].weight;
      const auto unit_at = [&](int64_t byte) { return std::clamp<int64_t>((byte - base + w.unit_bytes() - 1) / w.unit_bytes(), 0, w.units()); };
      const int64_t first = begin <= base ? 0 : unit_at(begin), last = end <= base ? 0 : unit_at(end);
      const int64_t grain = std::max<int64_t>(1, most / w.unit_bytes());
      for (int64_t u = first; u < last; u += grain) pieces.push_back({i, u, std::min(u + grain, last)});
      base += w.units() * w.unit_bytes();
    }
  }

  const void* x_;
  int64_t row_dim_;
  std::vector<MatMulOutput> outputs_;
  int64_t bytes_ = 0;  // of all weights
  int64_t n_cols_ = 0;
  std::vector<std::vector<Piece>> own_;  // by member
  std::vector<Piece> pieces_;            // for whoever is free
  std::atomic<int64_t> next_{0};
};

}  // namespace

std::unique_ptr<Step> make_matmul_step(const void* x, int64_t row_dim, std::vector<MatMulOutput> outputs) {
  return std::make_unique<MatMulStep>(x, row_dim, std::move(outputs));
}

}  // namespace minnow
