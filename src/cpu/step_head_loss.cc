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
  int64_t logits = 0, weight_rows, weight_columns, x_columns, scratch, bytes;

  HeadMemory(const HeadLossStep& s, StepSize max, int team) {
    const int64_t v = s.n_vocab, d = s.x.width;
    chunk = std::clamp<int64_t>(kLogits / v, kFewestRows, std::max<int64_t>(kFewestRows, resolved(s.row_dim, max)));
    const auto packed = [&](int64_t n, int64_t k, bool wanted) {
      return wanted ? aligned(PackedRight(s.dense, {nullptr, k, Lines::kRows, n, k}, nullptr).bytes()) : 0;
    };
    weight_rows = logits + aligned(chunk * v * 4);
    weight_columns = weight_rows + packed(v, d, true);
    x_columns = weight_columns + packed(d, v, s.dx.data != nullptr);
    scratch = x_columns + packed(d, chunk, s.d_weight != nullptr);
    bytes = scratch + team * DenseMatMul::scratch_bytes(s.dense);
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
  HeadLossOfRows(const HeadLossStep& s, StepSize max, int team) : s_(s), at_(s, max, team) {}

  void begin(const RunContext& run) override {
    n_rows_ = resolved(s_.row_dim, run.size);
    const auto phases = static_cast<std::size_t>(2 + kPhases * ((n_rows_ + at_.chunk - 1) / at_.chunk));
    if (counters_.size() < phases) counters_ = std::vector<Counter>(phases);
    for (Counter& c : counters_) c.reset();
  }

  void work(const RunContext& run, int member) override {
    Phases phases{counters_, run.train->pool};
    const int64_t v = s_.n_vocab, d = s_.x.width;
    PackedRight w(s_.dense, {s_.weight, d, Lines::kRows, v, d}, s_.memory + at_.weight_rows);
    PackedRight w_columns(s_.dense, {s_.weight, d, Lines::kColumns, d, v}, s_.memory + at_.weight_columns);
    pack(run, phases.next(), w);
    if (wants_dx()) pack(run, phases.beside(), w_columns);
    for (int64_t first = 0; first < n_rows_; first += at_.chunk) {
      const int64_t n = std::min(at_.chunk, n_rows_ - first);
      const float* rows = s_.x.row(first);
      multiply(phases.next(), member, DenseMatMul({{rows, d, Lines::kRows, n, d}}, {{{&w}, logits(), v, false}}, run.team));
      PackedRight x_columns(s_.dense, {rows, d, Lines::kColumns, d, n}, s_.memory + at_.x_columns);
      if (wants_dw()) pack(run, phases.beside(), x_columns);
      phases.next().take(n, [&](int64_t r) { loss(run, first + r, logits() + r * v); });
      if (wants_gradient()) gradients(run, member, phases, {first, n, x_columns, w_columns});
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
  struct Chunk {
    int64_t first, n;  // rows
    const PackedRight &x_columns, &w_columns;
  };

  bool wants_dx() const { return s_.dx.data != nullptr; }
  bool wants_dw() const { return s_.d_weight != nullptr; }
  bool wants_gradient() const { return wants_dx() || wants_dw() || s_.d_bias != nullptr; }
  float* logits() const { return reinterpret_cast<float*>(s_.memory + at_.logits); }

  static void pack(const RunContext& run, Counter& counter, PackedRight& packed) {
    const int64_t pieces = kPiecesEach * run.team, n = packed.panels();
    counter.take(pieces, [&](int64_t i) { packed.pack(n * i / pieces, n * (i + 1) / pieces); });
  }

  void multiply(Counter& counter, int member, const DenseMatMul& product) const {
    std::byte* scratch = s_.memory + at_.scratch + member * DenseMatMul::scratch_bytes(s_.dense);
    counter.take(product.tiles(), [&](int64_t tile) { product.compute(tile, scratch); });
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

  void gradients(const RunContext& run, int member, Phases& phases, const Chunk& chunk) const {
    const int64_t v = s_.n_vocab;
    Counter &of_dx = phases.next(), &of_dw = phases.beside();
    if (wants_dx()) {
      float* dx = s_.dx.row(chunk.first);
      multiply(of_dx, member, DenseMatMul({{logits(), v, Lines::kRows, chunk.n, v}}, {{{&chunk.w_columns}, dx, s_.dx.width, false}}, run.team));
    }
    if (wants_dw()) {
      multiply(of_dw, member, DenseMatMul({{logits(), v, Lines::kColumns, v, chunk.n}}, {{{&chunk.x_columns}, s_.d_weight, s_.x.width, true}}, run.team));
    }
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

int64_t head_loss_bytes(const HeadLossStep& step, StepSize max, int team) { return HeadMemory(step, max, team).bytes; }
std::unique_ptr<Step> make_head_loss_step(const HeadLossStep& step, StepSize max, int team) {
  return std::make_unique<HeadLossOfRows>(step, max, team);
}

}  // namespace minnow
