#include <algorithm>

#include "cpu/step.h"

namespace minnow {
namespace {

class KvStoreStep final : public TokenStep {
 public:
  KvStoreStep(const AttentionAttrs& attrs, Value k, Value v, int64_t n_kv_heads)
      : layer_(attrs.layer), k_(k), v_(v), n_kv_heads_(n_kv_heads), head_dim_(k.width / n_kv_heads) {}

  void tokens(const RunContext& run, int64_t begin, int64_t end) override {
    const int64_t stride = run.kv->page_stride(layer_);
    for_tokens(run.batch, begin, end, [&](const SequenceSlice& s, int64_t r) {
      const int64_t position = s.past + (r - s.first);
      const int64_t offset = s.pages[static_cast<std::size_t>(position / kKvPage)] * stride;
      for (int64_t h = 0; h < n_kv_heads_; ++h) {
        run.kernels.kv_store({run.kv->type(), static_cast<int32_t>(head_dim_), k_.row(r) + h * head_dim_,
                              v_.row(r) + h * head_dim_, run.kv->k_base(layer_, h) + offset,
                              run.kv->v_base(layer_, h) + offset, static_cast<int32_t>(position % kKvPage)});
      }
    });
  }

 private:
  int32_t layer_;
  Value k_, v_;
  int64_t n_kv_heads_, head_dim_;
};

// Queries of one sequence times the heads of one KV head are computed together, as a tile. Where there are too few tiles
// for the team, as for one token of a model with few KV heads, a tile is cut into segments of positions; who finishes the
// last of them folds them together. A segment's result is the same whoever computes it (body/attention.h).
class AttentionStep final : public Step {
 public:
  AttentionStep(const AttentionAttrs& attrs, Value q, Value out, int64_t n_heads, int64_t n_kv_heads, int team)
      : attrs_(attrs), q_(q), out_(out), group_(n_heads / n_kv_heads), n_kv_heads_(n_kv_heads),
        head_dim_(q.width / n_heads), scratch_(static_cast<std::size_t>(team * attention_scratch_floats(head_dim_))) {}

  void begin(const RunContext& run) override {
    next_.store(0, std::memory_order_relaxed);
    tiles_.clear();
    items_.clear();
    const int64_t heads = std::min<int64_t>(group_, kAttentionRows);
    const auto queries = static_cast<int32_t>(kAttentionRows / heads);
    for (const SequenceSlice& s : run.batch.sequences) {
      // The last tiles see the most keys: they go first, so that no member is left with a long one at the end.
      for (int32_t t = (s.count - 1) / queries * queries; t >= 0; t -= queries) {
        for (int64_t kv_head = 0; kv_head < n_kv_heads_; ++kv_head) {
          for (int64_t h = 0; h < group_; h += heads) {
            tiles_.push_back({&s, t, std::min(queries, s.count - t), kv_head, kv_head * group_ + h, std::min(heads, group_ - h)});
          }
        }
      }
    }
    const bool split = run.team > 1 && tiles_.size() < 2 * static_cast<std::size_t>(run.team);
    for (std::size_t i = 0; i < tiles_.size(); ++i) add_items(i, split);
    if (split) make_room_for_parts();
  }

  void work(const RunContext& run, int member) override {
    const auto n = static_cast<int64_t>(items_.size());
    for (int64_t i = next_.fetch_add(1, std::memory_order_relaxed); i < n;
         i = next_.fetch_add(1, std::memory_order_relaxed)) {
      compute(run, items_[static_cast<std::size_t>(i)], member);
    }
  }

 private:
  struct Tile {
    const SequenceSlice* sequence;
    int32_t first_query, n_queries;  // within the slice
    int64_t kv_head, first_head, n_heads;
    // When it is computed in segments: these, and where their results lie.
    int32_t first_segment = 0, n_segments = 0;
    int64_t parts = 0;
  };
  struct Item {
    std::size_t tile;
    int32_t segment;  // kWhole, or which one
  };
  static constexpr int32_t kWhole = -1;

  struct Visible {
    int32_t begin, end;
  };
  // The positions that the query at `position` sees, of a sequence of `length`.
  Visible visible(int32_t position, int32_t length) const {
    const int32_t reach = attrs_.causal ? attrs_.window - 1 : attrs_.window / 2;
    return {attrs_.window > 0 ? std::max(0, position - reach) : 0,
            attrs_.causal ? position + 1 : attrs_.window > 0 ? std::min(length, position + reach + 1) : length};
  }

  void add_items(std::size_t index, bool split) {
    Tile& tile = tiles_[index];
    const SequenceSlice& s = *tile.sequence;
    const int32_t first = s.past + tile.first_query, length = s.past + s.count;
    tile.first_segment = visible(first, length).begin / kKvSegment;
    const int32_t last = (visible(first + tile.n_queries - 1, length).end - 1) / kKvSegment;
    if (!split || last == tile.first_segment) {
      items_.push_back({index, kWhole});
      return;
    }
    tile.n_segments = last - tile.first_segment + 1;
    for (int32_t segment = tile.first_segment; segment <= last; ++segment) items_.push_back({index, segment});
  }

  void make_room_for_parts() {
    int64_t floats = 0;
    for (Tile& t : tiles_) {
      t.parts = floats;
      floats += t.n_segments * t.n_queries * t.n_heads * attention_partial_floats(head_dim_);
    }
    if (parts_.size() < static_cast<std::size_t>(floats)) parts_.resize(static_cast<std::size_t>(floats));
    if (missing_.size() < tiles_.size()) missing_ = std::vector<std::atomic<int32_t>>(tiles_.size());
    for (std::size_t i = 0; i < tiles_.size(); ++i) missing_[i].store(tiles_[i].n_segments, std::memory_order_relaxed);
  }

  void compute(const RunContext& run, const Item& item, int member) {
    const Tile& tile = tiles_[item.tile];
    const float* q[kAttentionRows];
    float* out[kAttentionRows];
    int32_t begin[kAttentionRows], end[kAttentionRows];
    int32_t n = 0;
    for (int32_t t = tile.first_query; t < tile.first_query + tile.n_queries; ++t) {
      const int64_t row = tile.sequence->first + t;
      const Visible v = visible(tile.sequence->past + t, tile.sequence->past + tile.sequence->count);
      for (int64_t h = tile.first_head; h < tile.first_head + tile.n_heads; ++h, ++n) {
        q[n] = q_.row(row) + h * head_dim_;
        out[n] = out_.row(row) + h * head_dim_;
        begin[n] = v.begin;
        end[n] = v.end;
      }
    }
    const AttentionTask task{run.kv->type(), static_cast<int32_t>(head_dim_), n, q, out, begin, end, attrs_.scale,
                             attrs_.softcap, tile.sequence->pages.data(), run.kv->k_base(attrs_.layer, tile.kv_head),
                             run.kv->v_base(attrs_.layer, tile.kv_head), run.kv->page_stride(attrs_.layer),
                             scratch_.data() + member * attention_scratch_floats(head_dim_)};
    if (item.segment == kWhole) {
      run.kernels.attention(task);
      return;
    }
    float* parts = parts_.data() + tile.parts;
    const int64_t part_floats = n * attention_partial_floats(head_dim_);
    run.kernels.attention_segment(task, item.segment, parts + (item.segment - tile.first_segment) * part_floats);
    if (missing_[item.tile].fetch_sub(1, std::memory_order_acq_rel) == 1) {
      run.kernels.attention_fold(task, parts, tile.n_segments);
    }
  }

  AttentionAttrs attrs_;
  Value q_, out_;
  int64_t group_, n_kv_heads_, head_dim_;
  std::vector<float> scratch_, parts_;
  std::vector<Tile> tiles_;
  std::vector<Item> items_;
  std::vector<std::atomic<int32_t>> missing_;  // segments of each tile that are not computed yet
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
