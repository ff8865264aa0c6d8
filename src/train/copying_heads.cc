#include "train/copying_heads.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/error.h"

namespace minnow {

CopyingHeads::CopyingHeads(Model& model, Random& random)
    : model_(model),
      random_(random),
      head_dim_(model.config.head_dim),
      n_embd_(model.config.n_embd),
      queries_each_(model.config.n_heads / model.config.n_kv_heads) {
  if (model.config.n_kv_heads < kGroups || head_dim_ < 8) {
    fail(ErrorCode::kUsage, "heads that copy need at least {} heads of keys with 8 features or more", kGroups);
  }
}

void CopyingHeads::begin(int64_t layer) {
  const ModelConfig& c = model_.config;
  for (const auto& [name, n_heads] : {std::pair{"attn_q.bias", c.n_heads}, {"attn_k.bias", c.n_kv_heads}, {"attn_v.bias", c.n_kv_heads}}) {
    const std::vector<float> zeros(static_cast<std::size_t>(n_heads * head_dim_));
    model_.weights.set("blk." + std::to_string(layer) + "." + name, Tensor::from_f32(zeros, {n_heads * head_dim_}));
  }
  if (layer == 0) {
    look_back(layer);
  } else if (layer <= kMatchingLayers) {
    match(layer);
  }
}

// Rows of about unit length.
CopyingHeads::Rows CopyingHeads::random_rows() {
  Rows rows(static_cast<std::size_t>(head_dim_ * n_embd_));
  for (float& x : rows) x = static_cast<float>(random_.normal() / std::sqrt(static_cast<double>(n_embd_)));
  return rows;
}

float* CopyingHeads::weights(int64_t layer, const char* name) {
  return const_cast<float*>(model_.weights.require("blk." + std::to_string(layer) + "." + name).f32());
}

// The biases of queries and keys alone decide: rotary positions turn them alike where a key is so many tokens back.
void CopyingHeads::look_back(int64_t layer) {
  for (int64_t g = 0; g < kGroups; ++g) {
    turn(weights(layer, "attn_k.bias") + g * head_dim_, 0);
    for (int64_t i = 0; i < queries_each_; ++i) turn(weights(layer, "attn_q.bias") + (g * queries_each_ + i) * head_dim_, i == 0 ? 1 + g : 1 + kGroups);
    if (g == 0) what_ = random_rows();
    where_.push_back(random_rows());
    write(layer, g, what_, where_.back());
  }
}

// Keys are what was written about the token so many places before them; queries the token that is as many places but one back. Only the
// features that turn slowly, since what is looked for may be far away.
void CopyingHeads::match(int64_t layer) {
  for (int64_t g = 0; g < kGroups; ++g) {
    float* keys = weights(layer, "attn_k.weight") + g * head_dim_ * n_embd_;
    float* queries = weights(layer, "attn_q.weight") + g * queries_each_ * head_dim_ * n_embd_;
    const Rows& asked = g == 0 ? what_ : where_[static_cast<std::size_t>(g - 1)];
    for (int64_t i = 0; i < head_dim_; ++i) {
      const bool is_slow = i % (head_dim_ / 2) >= head_dim_ / 8;
      for (int64_t j = i * n_embd_; j < (i + 1) * n_embd_; ++j) {
        keys[j] = is_slow ? kMatchScale * where_[static_cast<std::size_t>(g)][static_cast<std::size_t>(j)] : 0;
        queries[j] = is_slow ? kMatchScale * asked[static_cast<std::size_t>(j)] : 0;
      }
    }
    const Rows said = random_rows();
    write(layer, g, said, said);
  }
}

// The group's first head writes what its values read of the token looked at.
void CopyingHeads::write(int64_t layer, int64_t group, const Rows& read, const Rows& written) {
  std::copy(read.begin(), read.end(), weights(layer, "attn_v.weight") + group * head_dim_ * n_embd_);
  float* out = weights(layer, "attn_output.weight");
  const int64_t row = model_.config.n_heads * head_dim_, first = group * queries_each_ * head_dim_;
  for (int64_t i = 0; i < head_dim_; ++i) {
    for (int64_t j = 0; j < n_embd_; ++j) out[j * row + first + i] = kWriteScale * written[static_cast<std::size_t>(i * n_embd_ + j)];
  }
}

// A head's features such that one so turned n positions on scores highest with one that was not turned. The slow pairs would hardly tell
// near tokens apart, and are left to content.
void CopyingHeads::turn(float* head, int64_t n) const {
  const int64_t pairs = head_dim_ / 2;
  const double size = std::sqrt(kLookBackScore * std::sqrt(static_cast<double>(head_dim_)));
  for (int64_t i = 0; i < (pairs + 1) / 2; ++i) {
    const double angle = -static_cast<double>(n) * std::pow(model_.config.rope.base, -static_cast<double>(i) / static_cast<double>(pairs));
    head[i] = static_cast<float>(size * std::cos(angle));
    head[i + pairs] = static_cast<float>(size * std::sin(angle));
  }
}

}  // namespace minnow
