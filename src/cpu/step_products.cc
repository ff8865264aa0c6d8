#include <algorithm>

#include "cpu/train_steps.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

constexpr int64_t kPiecesEach = 6;  // of an operand's packing, for each member

// The products of a run, which packing prepares and multiplying reads.
struct ProductsOfRun {
  DenseProducts products;
  std::vector<std::byte*> memory;  // by operand
  std::vector<PackedOperand> packed;
  std::vector<std::vector<DenseMatMul>> sums;

  PackedOperand operand(const DenseOperand& o, StepSize size, std::byte* at) const {
    const int64_t rows = resolved(o.rows, size), columns = resolved(o.columns, size);
    const bool along = o.lines == Lines::kRows;
    return {products.kernels, o.side, along ? rows : columns, along ? columns : rows, at};
  }

  void resolve(StepSize size, int team) {
    packed.clear();
    sums.clear();
    for (std::size_t i = 0; i < products.operands.size(); ++i) packed.push_back(operand(products.operands[i], size, memory[i]));
    for (const DenseSum& sum : products.sums) {
      auto& terms = sums.emplace_back();
      for (const auto& t : sum.terms) terms.emplace_back(packed[t.left], packed[t.right], sum.c, sum.c_stride, team);
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
    for (std::size_t i = 0; i < all_->packed.size(); ++i) {
      const int64_t n = all_->packed[i].panels(), grain = std::max<int64_t>(1, n / (kPiecesEach * run.team));
      for (int64_t p = 0; p < n; p += grain) pieces_.push_back({i, p, std::min(n, p + grain)});
    }
  }

  void work(const RunContext&, int) override {
    counter_.take(static_cast<int64_t>(pieces_.size()), [&](int64_t at) {
      const Piece& piece = pieces_[static_cast<std::size_t>(at)];
      const DenseOperand& o = all_->products.operands[piece.operand];
      all_->packed[piece.operand].pack(o.matrix, o.columns, o.lines, piece.begin, piece.end);
    });
  }

 private:
  struct Piece {
    std::size_t operand;
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
    for (const auto& terms : all_->sums) n_tiles_ += terms[0].tiles();
  }

  void work(const RunContext&, int) override {
    counter_.take(n_tiles_, [&](int64_t tile) {
      std::size_t s = 0;
      for (; tile >= all_->sums[s][0].tiles(); ++s) tile -= all_->sums[s][0].tiles();
      bool add = all_->products.sums[s].add;
      for (const DenseMatMul& term : all_->sums[s]) {  // the terms of a sum have one shape, and so the same tiles
        term.compute(tile, tile + 1, add);
        add = true;
      }
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

int64_t packed_bytes(const DenseProducts& products, StepSize max) {
  const ProductsOfRun all{products, {}, {}, {}};
  int64_t bytes = 0;
  for (const DenseOperand& o : products.operands) bytes += (all.operand(o, max, nullptr).bytes() + 63) / 64 * 64;
  return bytes;
}

std::array<std::unique_ptr<Step>, 2> make_product_steps(DenseProducts products, StepSize max, std::byte* memory) {
  auto all = std::make_shared<ProductsOfRun>(ProductsOfRun{std::move(products), {}, {}, {}});
  for (const DenseOperand& o : all->products.operands) {
    all->memory.push_back(memory);
    memory += (all->operand(o, max, nullptr).bytes() + 63) / 64 * 64;
  }
  return {std::make_unique<PackStep>(all), std::make_unique<MultiplyStep>(all)};
}

std::unique_ptr<Step> make_decode_step(const Tensor& weight, float* out) { return std::make_unique<DecodeStep>(weight, out); }

}  // namespace minnow
