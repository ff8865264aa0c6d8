#include "train/copying_heads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "base/error.h"
#include "cpu/executor.h"
#include "graph/passes.h"
#include "models/save.h"
#include "train/test_runs.h"

namespace minnow {
namespace {

Model new_one(bool copying_heads) {
  return new_model({.family = copying_heads ? &kQwen2 : &kLlama, .n_layers = 4, .n_embd = 256, .n_heads = 8, .n_kv_heads = 4, .n_ff = 512, .n_ctx = 128,
                    .tied = false, .copying_heads = copying_heads},
                   testing_chats::byte_spec(), 5);
}

TEST(CopyingHeads, LookBackOneAndTwoTokens) {
  const Model model = new_one(true);
  constexpr std::size_t kDim = 32, kPairs = kDim / 2;
  const auto head = [&](const std::string& name, std::size_t h) { return std::span(model.weights.require(name).f32() + h * kDim, kDim); };
  // Of a query `apart` tokens behind a key, by the rotary positions.
  const auto score = [&](std::size_t query_head, double apart) {
    const auto q = head("blk.0.attn_q.bias", query_head), k = head("blk.0.attn_k.bias", query_head / 2);
    double sum = 0;
    for (std::size_t i = 0; i < kPairs; ++i) {
      const double turn = apart * std::pow(model.config.rope.base, -static_cast<double>(i) / kPairs);
      const double x = q[i] * std::cos(turn) - q[i + kPairs] * std::sin(turn), y = q[i] * std::sin(turn) + q[i + kPairs] * std::cos(turn);
      sum += (x * k[i] + y * k[i + kPairs]) / std::sqrt(static_cast<double>(kDim));
    }
    return sum;
  };
  for (const auto& [h, back] : {std::pair{0, 1}, {1, 3}, {2, 2}, {3, 3}}) {
    for (int apart = 0; apart < 512; ++apart) {
      if (apart == back) continue;
      EXPECT_LT(score(static_cast<std::size_t>(h), apart) + 3, score(static_cast<std::size_t>(h), back)) << h << ", " << apart;
    }
  }
  for (const float v : head("blk.0.attn_q.bias", 4)) EXPECT_EQ(v, 0);
  for (const float v : head("blk.1.attn_k.bias", 0)) EXPECT_EQ(v, 0);
}

// Of 256 bytes, how many are held likelier than the right one where a row of random bytes is said again: the median.
int median_rank(const Model& model) {
  constexpr int kRow = 40;
  TrainingBatch batch;
  Random random(4);
  std::vector<int32_t> all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
  for (std::size_t i = 0; i < kRow; ++i) std::swap(all[i], all[i + random.below(256 - i)]);
  for (int i = 0; i < 2 * kRow; ++i) batch.tokens.push_back(all[static_cast<std::size_t>(i % kRow)]);
  batch.sequences = {{.first = 0, .count = 2 * kRow}};
  for (int i = kRow; i < 2 * kRow - 1; ++i) batch.output_rows.push_back(i);
  TrainExecutor executor(differentiate(fuse(build_graph(model, 128)), {.trains = {}, .loss = LossKind::kGiven}),
                         {.n_threads = 1, .isa = chosen_isa(), .max_tokens = 2 * kRow, .max_outputs = 2 * kRow});
  const auto logits = executor.run(batch);
  std::vector<int> ranks;
  for (std::size_t r = 0; r < batch.output_rows.size(); ++r) {
    const auto row = logits.subspan(r * model.tokenizer->tokens.size(), 256);
    const float right = row[static_cast<std::size_t>(batch.tokens[kRow + r + 1])];
    ranks.push_back(static_cast<int>(std::count_if(row.begin(), row.end(), [&](float v) { return v > right; })));
  }
  std::nth_element(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(ranks.size() / 2), ranks.end());
  return ranks[ranks.size() / 2];
}

TEST(CopyingHeads, KnowWhatComesAgainBeforeAnythingIsLearned) {
  EXPECT_LT(median_rank(new_one(true)), 20);
  EXPECT_GT(median_rank(new_one(false)), 60);
}

TEST(CopyingHeads, AreOfQwen2AndNotTied) {
  const auto refuses = [](NewModelShape shape) {
    shape.copying_heads = true;
    EXPECT_THROW(new_model(shape, testing_chats::byte_spec(), 1), Error);
  };
  refuses({.tied = false});
  refuses({.family = &kQwen2});
  refuses({.family = &kQwen2, .n_kv_heads = 1, .tied = false});
}

}  // namespace
}  // namespace minnow
