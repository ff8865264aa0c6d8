#include <algorithm>

#include "cpu/step.h"

namespace minnow {
namespace {

class KvStoreStep final : public Step {
 public:
  KvStoreStep(const AttentionAttrs& attrs, Value k, Value v, int64_t n_kv_heads)
      : layer_(attrs.layer), k_(k), v_(v), n_kv_heads_(n_kv_heads), head_dim_(k.width / n_kv_heads) {}

  void work(const RunContext& run, int member) override {
    const Share share = share_of(run.size.tokens, member, run.team);
    const int64_t stride = run.kv->page_stride(layer_);
    for (const SequenceSlice& s : run.batch.sequences) {
      const int64_t begin = std::max<int64_t>(share.begin, s.first);
      const int64_t end = std::min<int64_t>(share.end, s.first + s.count);
      for (int64_t r = begin; r < end; ++r) {
        const int64_t position = s.past + (r - s.first);
        const int64_t offset = s.pages[static_cast<std::size_t>(position / kKvPage)] * stride;
        for (int64_t h = 0; h < n_kv_heads_; ++h) {
          run.kernels.kv_store({run.kv->type(), static_cast<int32_t>(head_dim_), k_.row(r) + h * head_dim_,
                                v_.row(r) + h * head_dim_, run.kv->k_base(layer_, h) + offset,
                                run.kv->v_base(layer_, h) + offset, static_cast<int32_t>(position % kKvPage)});
        }
      }
    }
  }
  bool row_wise() const override { return true; }

 private:
  int32_t layer_;
  Value k_, v_;
  int64_t n_kv_heads_, head_dim_;
};

class AttentionStep final : public Step {
 public:
  AttentionStep(const AttentionAttrs& attrs, Value q, Value out, int64_t n_heads, int64_t n_kv_heads, int team)
      : attrs_(attrs), q_(q), out_(out), group_(n_heads / n_kv_heads), n_kv_heads_(n_kv_heads),
        head_dim_(q.width / n_heads), scratch_(static_cast<std::size_t>(team * attention_scratch_floats(head_dim_))) {}

  void begin(const RunContext& run) override {
    next_.store(0, std::memory_order_relaxed);
    items_.clear();
    // Heads of a group read the same keys, so they go together unless that leaves members without work.
    const auto sequences = static_cast<int64_t>(run.batch.sequences.size());
    int64_t heads = std::min<int64_t>(group_, kAttentionRows);
    if (run.size.tokens == sequences && sequences * n_kv_heads_ < run.team) {
      heads = std::max<int64_t>(1, heads * sequences * n_kv_heads_ / run.team);
    }
    const auto tile = static_cast<int32_t>(std::max<int64_t>(1, kAttentionRows / heads));
    for (const SequenceSlice& s : run.batch.sequences) {
      // The last tiles see the most keys: they go first, so that no member is left with a long one at the end.
      for (int32_t t = (s.count - 1) / tile * tile; t >= 0; t -= tile) {
        for (int64_t kv_head = 0; kv_head < n_kv_heads_; ++kv_head) {
          for (int64_t h = 0; h < group_; h += heads) {
            items_.push_back({&s, t, std::min(tile, s.count - t), kv_head, kv_head * group_ + h, std::min(heads, group_ - h)});
          }
        }
      }
    }
  }

  void work(const RunContext& run, int member) override {
    const auto n = static_cast<int64_t>(items_.size());
    for (int64_t i = next_.fetch_add(1, std::memory_order_relaxed); i < n;
         i = next_.fetch_add(1, std::memory_order_relaxed)) {
      compute(run, items_[static_cast<std::size_t>(i)], member);
    }
  }

 private:
  struct Item {
    const SequenceSlice* sequence;
    int32_t first_query, n_queries;  // within the slice
    int64_t kv_head, first_head, n_heads;
  };

  // The positions that the query at `position` sees, of a sequence of `length`.
  void visible(int32_t position, int32_t length, int32_t* begin, int32_t* end) const {
    const int32_t reach = attrs_.causal ? attrs_.window - 1 : attrs_.window / 2;
    *begin = attrs_.window > 0 ? std::max(0, position - reach) : 0;
    *end = attrs_.causal ? position + 1 : attrs_.window > 0 ? std::min(length, position + reach + 1) : length;
  }

  void compute(const RunContext& run, const Item& item, int member) {
    const float* q[kAttentionRows];
    float* out[kAttentionRows];
    int32_t begin[kAttentionRows], end[kAttentionRows];
    int32_t n = 0;
    for (int32_t t = item.first_query; t < item.first_query + item.n_queries; ++t) {
      const int32_t position = item.sequence->past + t;
      const int64_t row = item.sequence->first + t;
      for (int64_t h = item.first_head; h < item.first_head + item.n_heads; ++h, ++n) {
        q[n] = q_.row(row) + h * head_dim_;
        out[n] = out_.row(row) + h * head_dim_;
        visible(position, item.sequence->past + item.sequence->count, &begin[n], &end[n]);
      }
    }
    run.kernels.attention({run.kv->type(), static_cast<int32_t>(head_dim_), n, q, out, begin, end, attrs_.scale,
                           attrs_.softcap, item.sequence->pages.data(), run.kv->k_base(attrs_.layer, item.kv_head),
                           run.kv->v_base(attrs_.layer, item.kv_head), run.kv->page_stride(attrs_.layer),
                           scratch_.data() + member * attention_scratch_floats(head_dim_)});
  }

  AttentionAttrs attrs_;
  Value q_, out_;
  int64_t group_, n_kv_heads_, head_dim_;
  std::vector<float> scratch_;
  std::vector<Item> items_;
  std::atomic<int64_t> next_{0};
};

}  // namespace

std::unique_ptr<Step> make_kv_store_step(const AttentionAttrs& attrs, Value k, Value v, int64_t n_kv_heads) {
  return std::make_unique<KvStoreStep>(attrs, k, v, n_kv_heads);
}

std::unique_ptr<Step> make_attention_step(const AttentionAttrs& attrs, Value q, Value out, int64_t n_heads,
                                          int64_t n_kv_heads, int team) {
  return std::make_unique<AttentionStep>(attrs, q, out, n_heads, n_kv_heads, team);
}

}  // namespace minnow
