#include <algorithm>
#include <cmath>
#include <optional>

#include "cpu/train_steps.h"

namespace minnow {
namespace {

// Logits at hand at a time, and at least so many rows: the gradient of a large weight is read and written for each chunk.
constexpr int64_t kLogits = int64_t{4} << 20, kFewestRows = 256;
constexpr int64_t kPiecesEach = 6;
constexpr int64_t kBiasColumns = 1024;

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// Where a chunk of rows and the weight lie while they are multiplied.
struct HeadMemory {
  int64_t chunk;  // rows, at most
  int64_t logits = 0, weight_rows, weight_columns, x_rows, x_columns, dz_rows, dz_columns, bytes;

  HeadMemory(const HeadLossStep& s, StepSize max) {
    const int64_t v = s.n_vocab, d = s.x.width;
    chunk = std::clamp<int64_t>(kLogits / v, kFewestRows, std::max<int64_t>(kFewestRows, resolved(s.row_dim, max)));
    const auto operand = [&](Side side, int64_t n, int64_t k, bool wanted) {
      return wanted ? aligned(PackedOperand(s.dense, side, n, k, nullptr).bytes()) : 0;
    };
    const bool dx = s.dx.data != nullptr, dw = s.d_weight != nullptr;
    weight_rows = logits + aligned(chunk * v * 4);
    weight_columns = weight_rows + operand(Side::kRight, v, d, true);
    x_rows = weight_columns + operand(Side::kRight, d, v, dx);
    x_columns = x_rows + operand(Side::kLeft, chunk, d, true);
    dz_rows = x_columns + operand(Side::kRight, d, chunk, dw);
    dz_columns = dz_rows + operand(Side::kLeft, chunk, v, dx);
    bytes = dz_columns + operand(Side::kLeft, v, chunk, dw);
  }
};

// A row's divergence from its teacher: gives its loss and adds its gradient to that of the logits. The teacher tells few
// tokens, so that plain loops do.
class TeacherRow {
 public:
  // From logits before scale and cap.
  TeacherRow(const HeadLossAttrs& attrs, double temperature, const float* teacher, const float* logits)
      : attrs_(attrs), temperature_(temperature) {
    const auto k = static_cast<std::size_t>(attrs.teacher.top_k);
    for (std::size_t j = 0; j < k; ++j) {
      if (teacher[j] < 0) continue;
      ids_.push_back(static_cast<int32_t>(teacher[j]));
      const double z = static_cast<double>(logits[ids_.back()]) * attrs.scale;
      const double bend = attrs.softcap > 0 ? std::tanh(z / attrs.softcap) : 0;
      q_.push_back(attrs.softcap > 0 ? attrs.softcap * bend : z);
      p_.push_back(teacher[k + j]);
      slopes_.push_back((1 - bend * bend) * attrs.scale);
    }
    soften(q_);
    soften(p_);
  }

  double loss() {
    const bool forward = attrs_.teacher.divergence == Divergence::kForward;
    kl_ = 0;
    for (std::size_t j = 0; j < ids_.size(); ++j) {
      const double a = forward ? p_[j] : q_[j], b = forward ? q_[j] : p_[j];
      if (a > 0) kl_ += a * std::log(a / std::max(b, 1e-300));
    }
    return temperature_ * temperature_ * kl_;
  }

  void add_gradient(double weight, float* d_logits) const {
    const double factor = weight * attrs_.teacher.alpha * temperature_;
    if (factor == 0) return;  // the very bits of cross entropy alone
    for (std::size_t j = 0; j < ids_.size(); ++j) {
      const bool forward = attrs_.teacher.divergence == Divergence::kForward;
      const double slope = forward ? q_[j] - p_[j] : q_[j] > 0 ? q_[j] * (std::log(q_[j] / std::max(p_[j], 1e-300)) - kl_) : 0;
      d_logits[ids_[j]] += static_cast<float>(factor * slope * slopes_[j]);
    }
  }

 private:
  void soften(std::vector<double>& z) const {
    if (z.empty()) return;
    const double top = *std::max_element(z.begin(), z.end());
    double sum = 0;
    for (double& v : z) sum += v = std::exp((v - top) / temperature_);
    for (double& v : z) v /= sum;
  }

  const HeadLossAttrs& attrs_;
  double temperature_;
  std::vector<int32_t> ids_;
  std::vector<double> q_, p_, slopes_;
  double kl_ = 0;
};

// One step with barriers of its own: rows go chunk by chunk through logits, loss and gradients, so that the logits of all
// rows never exist.
class HeadLossOfRows final : public Step {
 public:
  HeadLossOfRows(const HeadLossStep& s, StepSize max) : s_(s), at_(s, max) {}

  void begin(const RunContext& run) override {
    n_rows_ = resolved(s_.row_dim, run.size);
    const auto phases = static_cast<std::size_t>(1 + kPhases * ((n_rows_ + at_.chunk - 1) / at_.chunk));
    if (counters_.size() < phases) counters_ = std::vector<Counter>(phases);
    for (Counter& c : counters_) c.reset();
  }

  void work(const RunContext& run, int) override {
    Phases phases{counters_, run.train->pool};
    const int64_t d = s_.x.width;
    PackedOperand w = operand(Side::kRight, s_.n_vocab, d, at_.weight_rows);
    PackedOperand w_columns = operand(Side::kRight, d, s_.n_vocab, at_.weight_columns);
    pack(run, phases.next(), {{&w, s_.weight, d, Lines::kRows}, {wants_dx() ? &w_columns : nullptr, s_.weight, d, Lines::kColumns}});
    for (int64_t first = 0; first < n_rows_; first += at_.chunk) {
      const int64_t n = std::min(at_.chunk, n_rows_ - first);
      PackedOperand x = operand(Side::kLeft, n, d, at_.x_rows), x_columns = operand(Side::kRight, d, n, at_.x_columns);
      const float* rows = s_.x.row(first);
      pack(run, phases.next(), {{&x, rows, d, Lines::kRows}, {wants_dw() ? &x_columns : nullptr, rows, d, Lines::kColumns}});
      multiply(phases.next(), {{DenseMatMul(x, w, logits(), s_.n_vocab, run.team), false}});
      phases.next().take(n, [&](int64_t r) { loss(run, first + r, logits() + r * s_.n_vocab); });
      if (wants_gradient()) gradients(run, phases, {first, n, x_columns, w_columns});
    }
  }

 private:
  static constexpr std::size_t kPhases = 6;  // of a chunk
  // Where a member is: each phase has a counter, and begins when all are done with the one before.
  struct Phases {
    std::vector<Counter>& counters;
    ThreadPool& pool;
    std::size_t at = 0;

    Counter& next() {
      if (at > 0) pool.barrier();
      return beside();
    }
    Counter& beside() { return counters[at++]; }  // of more work in the same phase
  };
  struct Packing {
    PackedOperand* operand;  // null: none
    const float* matrix;
    int64_t stride;
    Lines lines;
  };
  struct Product {
    DenseMatMul product;
    bool add;
  };
  struct Chunk {
    int64_t first, n;  // rows
    const PackedOperand &x_columns, &w_columns;
  };

  bool wants_dx() const { return s_.dx.data != nullptr; }
  bool wants_dw() const { return s_.d_weight != nullptr; }
  bool wants_gradient() const { return wants_dx() || wants_dw() || s_.d_bias != nullptr; }
  float* logits() const { return reinterpret_cast<float*>(s_.memory + at_.logits); }
  PackedOperand operand(Side side, int64_t n, int64_t k, int64_t at) const { return {s_.dense, side, n, k, s_.memory + at}; }

  static void pack(const RunContext& run, Counter& counter, const std::vector<Packing>& all) {
    const int64_t pieces = kPiecesEach * run.team;
    counter.take(pieces * static_cast<int64_t>(all.size()), [&](int64_t i) {
      const Packing& p = all[static_cast<std::size_t>(i / pieces)];
      if (p.operand == nullptr) return;
      const int64_t n = p.operand->panels(), piece = i % pieces;
      p.operand->pack(p.matrix, p.stride, p.lines, n * piece / pieces, n * (piece + 1) / pieces);
    });
  }

  static void multiply(Counter& counter, const std::vector<Product>& all) {
    int64_t tiles = 0;
    for (const Product& p : all) tiles += p.product.tiles();
    counter.take(tiles, [&](int64_t tile) {
      std::size_t i = 0;
      for (; tile >= all[i].product.tiles(); ++i) tile -= all[i].product.tiles();
      all[i].product.compute(tile, tile + 1, all[i].add);
    });
  }

  // Of one row; z are its logits, and then their gradient.
  void loss(const RunContext& run, int64_t row, float* z) const {
    const TrainingBatch& batch = run.train->batch;
    const auto r = static_cast<std::size_t>(row);
    if (s_.bias != nullptr) run.kernels.add(z, s_.bias, z, s_.n_vocab);
    const TeacherAttrs& teacher = s_.attrs.teacher;
    const float weight = batch.loss_weights[r], share = teacher.top_k > 0 ? teacher.alpha : 0;
    const auto k = static_cast<std::size_t>(teacher.top_k);
    std::optional<TeacherRow> told;
    if (k > 0) told.emplace(s_.attrs, batch.teacher_temperature > 0 ? batch.teacher_temperature : teacher.temperature, batch.teacher.data() + 2 * k * r, z);
    const CrossEntropyRow hard{.logits = z, .n = s_.n_vocab, .target = batch.targets[r], .weight = weight * (1 - share),
                               .scale = s_.attrs.scale, .softcap = s_.attrs.softcap, .gradient = wants_gradient(), .soft = {}};
    s_.losses.row(row)[0] = static_cast<float>(run.train->kernels.cross_entropy(hard).cross_entropy);
    if (!told) return;
    s_.losses.row(row)[1] = static_cast<float>(told->loss());
    if (wants_gradient()) told->add_gradient(weight, z);
  }

  void gradients(const RunContext& run, Phases& phases, const Chunk& chunk) const {
    const int64_t v = s_.n_vocab;
    PackedOperand dz = operand(Side::kLeft, chunk.n, v, at_.dz_rows), dz_columns = operand(Side::kLeft, v, chunk.n, at_.dz_columns);
    pack(run, phases.next(), {{wants_dx() ? &dz : nullptr, logits(), v, Lines::kRows}, {wants_dw() ? &dz_columns : nullptr, logits(), v, Lines::kColumns}});
    std::vector<Product> all;
    if (wants_dx()) all.push_back({DenseMatMul(dz, chunk.w_columns, s_.dx.row(chunk.first), s_.dx.width, run.team), false});
    if (wants_dw()) all.push_back({DenseMatMul(dz_columns, chunk.x_columns, s_.d_weight, s_.x.width, run.team), true});
    multiply(phases.next(), all);
    phases.beside().take(s_.d_bias != nullptr ? (v + kBiasColumns - 1) / kBiasColumns : 0, [&](int64_t i) {
      run.train->kernels.column_sums({logits(), nullptr, nullptr, chunk.n, v, nullptr, s_.d_bias, i * kBiasColumns,
                                      std::min(v, (i + 1) * kBiasColumns)});
    });
  }

  HeadLossStep s_;
  HeadMemory at_;
  int64_t n_rows_ = 0;
  std::vector<Counter> counters_;
};

}  // namespace

int64_t head_loss_bytes(const HeadLossStep& step, StepSize max) { return HeadMemory(step, max).bytes; }
std::unique_ptr<Step> make_head_loss_step(const HeadLossStep& step, StepSize max) {
  return std::make_unique<HeadLossOfRows>(step, max);
}

}  // namespace minnow
