#include <algorithm>

#include "cpu/train_steps.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

constexpr int64_t kPiecesEach = 6;  // of an operand's packing, for each member

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// The products of a run, which packing prepares and multiplying reads.
struct ProductsOfRun {
  DenseProducts products;
  std::vector<std::byte*> memory;  // by right operand
  std::byte* scratch;              // of all members
  std::vector<PackedRight> packed;
  std::vector<DenseMatMul> multiplied;  // by group

  void resolve(StepSize size, int team) {
    packed.clear();
    multiplied.clear();
    for (std::size_t i = 0; i < products.right.size(); ++i) packed.emplace_back(products.kernels, products.right[i].of(size), memory[i]);
    for (const DenseGroup& group : products.groups) {
      std::vector<DenseMatrix> left;
      for (const DenseOperand& o : group.left) left.push_back(o.of(size));
      std::vector<DenseProductSum> sums;
      for (const DenseGroup::Sum& sum : group.sums) {
        sums.push_back({{}, sum.c, sum.c_stride, sum.add});
        for (const std::size_t right : sum.right) sums.back().right.push_back(&packed[right]);
      }
      multiplied.emplace_back(std::move(left), std::move(sums), team);
    }
  }
};

class PackStep final : public Step {
 public:
  explicit PackStep(std::shared_ptr<ProductsOfRun> all) : all_(std::move(all)) {}

  void begin(const RunContext& run) override {
    all_->resolve(run.size, run.team);
    counter_.reset();
    pieces_.clear();
    for (PackedRight& right : all_->packed) {
      const int64_t n = right.panels(), grain = std::max<int64_t>(1, n / (kPiecesEach * run.team));
      for (int64_t p = 0; p < n; p += grain) pieces_.push_back({&right, p, std::min(n, p + grain)});
    }
  }

  void work(const RunContext&, int) override {
    counter_.take(static_cast<int64_t>(pieces_.size()), [&](int64_t at) {
      const Piece& piece = pieces_[static_cast<std::size_t>(at)];
      piece.right->pack(piece.begin, piece.end);
    });
  }

 private:
  struct Piece {
    PackedRight* right;
    int64_t begin, end;  // panels
  };
  std::shared_ptr<ProductsOfRun> all_;
  std::vector<Piece> pieces_;
  Counter counter_;
};

class MultiplyStep final : public Step {
 public:
  explicit MultiplyStep(std::shared_ptr<ProductsOfRun> all) : all_(std::move(all)) {}

  void begin(const RunContext&) override {
    counter_.reset();
    n_tiles_ = 0;
    for (const DenseMatMul& m : all_->multiplied) n_tiles_ += m.tiles();
  }

  void work(const RunContext&, int member) override {
    std::byte* scratch = all_->scratch + member * DenseMatMul::scratch_bytes(all_->products.kernels);
    counter_.take(n_tiles_, [&](int64_t tile) {
      const DenseMatMul* m = all_->multiplied.data();
      for (; tile >= m->tiles(); ++m) tile -= m->tiles();
      m->compute(tile, scratch);
    });
  }

 private:
  std::shared_ptr<ProductsOfRun> all_;
  int64_t n_tiles_ = 0;
  Counter counter_;
};

class DecodeStep final : public Step {
 public:
  DecodeStep(const Tensor& weight, float* out) : weight_(weight), out_(out) {}
  void work(const RunContext& run, int member) override {
    const Share share = share_of(weight_.shape.rows(), member, run.team);
    const int64_t n = weight_.shape.last();
    for (int64_t r = share.begin; r < share.end; ++r) decode_row(weight_.dtype, weight_.row(r), out_ + r * n, n);
  }

 private:
  Tensor weight_;
  float* out_;
};

}  // namespace

DenseMatrix DenseOperand::of(StepSize size) const {
  const int64_t r = resolved(rows, size), c = resolved(columns, size);
  const bool along = lines == Lines::kRows;
  return {matrix, c, lines, along ? r : c, along ? c : r};
}

int64_t product_bytes(const DenseProducts& products, StepSize max, int team) {
  int64_t bytes = team * DenseMatMul::scratch_bytes(products.kernels);
  for (const DenseOperand& o : products.right) bytes += aligned(PackedRight(products.kernels, o.of(max), nullptr).bytes());
  return bytes;
}

std::array<std::unique_ptr<Step>, 2> make_product_steps(DenseProducts products, StepSize max, std::byte* memory) {
  auto all = std::make_shared<ProductsOfRun>(ProductsOfRun{std::move(products), {}, nullptr, {}, {}});
  for (const DenseOperand& o : all->products.right) {
    all->memory.push_back(memory);
    memory += aligned(PackedRight(all->products.kernels, o.of(max), nullptr).bytes());
  }
  all->scratch = memory;
  return {std::make_unique<PackStep>(all), std::make_unique<MultiplyStep>(all)};
}

std::unique_ptr<Step> make_decode_step(const Tensor& weight, float* out) { return std::make_unique<DecodeStep>(weight, out); }

}  // namespace minnow
