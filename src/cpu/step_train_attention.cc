#include "cpu/train_steps.h"

namespace minnow {
namespace {

int64_t member_floats(const TrainAttentionStep& s) {
  return (train_attention_floats(s.n_heads, s.n_kv_heads, s.q.width / s.n_heads) + 15) / 16 * 16;
}

class AttentionOverDocuments : public Step {
 public:
  explicit AttentionOverDocuments(const TrainAttentionStep& s)
      : s_(s), head_dim_(s.q.width / s.n_heads), floats_(member_floats(s)) {}

 protected:
  TrainAttention task() const {
    return {.q = s_.q.data, .k = s_.k.data, .v = s_.v.data, .out = s_.out.data, .lse = s_.lse.data,
            .dout = s_.dout.data, .dq = s_.dq.data, .dk = s_.dk.data, .dv = s_.dv.data,
            .n_heads = static_cast<int32_t>(s_.n_heads), .n_kv_heads = static_cast<int32_t>(s_.n_kv_heads),
            .head_dim = static_cast<int32_t>(head_dim_), .scale = s_.attrs.scale, .softcap = s_.attrs.softcap,
            .window = s_.attrs.window, .causal = s_.attrs.causal};
  }
  float* scratch(int member) const { return reinterpret_cast<float*>(s_.memory) + floats_ * member; }

  TrainAttentionStep s_;
  Counter counter_;

 private:
  int64_t head_dim_, floats_;
};

class Forward final : public AttentionOverDocuments {
 public:
  using AttentionOverDocuments::AttentionOverDocuments;

  void begin(const RunContext& run) override {
    counter_.reset();
    blocks_.clear();
    for (const SequenceSlice& d : run.batch.sequences) {
      // The last blocks see the most: they go first, so that members end together.
      for (int64_t block = attention_blocks(d.count); block-- > 0;) {
        for (int32_t g = 0; g < s_.n_kv_heads; ++g) blocks_.push_back({{d.first, d.count, g}, block});
      }
    }
  }
  void work(const RunContext& run, int member) override {
    const TrainKernels& kernels = run.train->kernels;
    const auto forward = s_.bf16 ? kernels.attention_forward_bf16 : kernels.attention_forward;
    const TrainAttention all = task();
    counter_.take(static_cast<int64_t>(blocks_.size()), [&](int64_t i) {
      const Block& b = blocks_[static_cast<std::size_t>(i)];
      forward(all, b.part, b.number, scratch(member));
    });
  }

 private:
  struct Block {
    AttentionPart part;
    int64_t number;
  };
  std::vector<Block> blocks_;
};

class Backward final : public AttentionOverDocuments {
 public:
  using AttentionOverDocuments::AttentionOverDocuments;

  void begin(const RunContext&) override { counter_.reset(); }
  void work(const RunContext& run, int member) override {
    const TrainKernels& kernels = run.train->kernels;
    const auto backward = s_.bf16 ? kernels.attention_backward_bf16 : kernels.attention_backward;
    const TrainAttention all = task();
    counter_.take(static_cast<int64_t>(run.batch.sequences.size()) * s_.n_kv_heads, [&](int64_t i) {
      const SequenceSlice& d = run.batch.sequences[static_cast<std::size_t>(i / s_.n_kv_heads)];
      backward(all, {d.first, d.count, static_cast<int32_t>(i % s_.n_kv_heads)}, scratch(member));
    });
  }
};

}  // namespace

int64_t train_attention_bytes(const TrainAttentionStep& step, int team) {
  return member_floats(step) * static_cast<int64_t>(sizeof(float)) * team;
}
std::unique_ptr<Step> make_train_attention_step(const TrainAttentionStep& step) { return std::make_unique<Forward>(step); }
std::unique_ptr<Step> make_train_attention_gradient_step(const TrainAttentionStep& step) {
  return std::make_unique<Backward>(step);
}

}  // namespace minnow
